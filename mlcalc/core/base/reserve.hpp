// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <new>

namespace mlcalc {

/// Memory that a library would end the process for, and not just the computation.
class NoMemoryForThreads : public std::bad_alloc {
public:
    const char* what() const noexcept override {
        return "the memory does not suffice for the stacks and buffers of the threads; use fewer threads";
    }
};

/// libgomp ends the process where it cannot start a thread, so whether n of them (this one included) can be had is
/// tried before. What they took stays with the C library for those that follow. Throws NoMemoryForThreads.
void reserve_threads(int n);

/// OpenBLAS ends the process where it finds no memory for its buffers, one for each thread that calls it. Once for each
/// number of threads that is larger than all before. Throws NoMemoryForThreads.
void reserve_blas_buffers(int n_callers);

}  // namespace mlcalc
