// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <exception>
#include <vector>

#include "base/reserve.hpp"

namespace mlcalc {

/// function(begin, end, share) for contiguous shares of 0 .. n, one per thread. What it throws (memory may end) is
/// thrown here, after all threads have come back: an exception that leaves a parallel region would end the process.
template <class Function>
void for_shares(int n_threads, std::size_t n, Function function) {
    const std::size_t n_shares = std::max<std::size_t>(1, std::min(n, static_cast<std::size_t>(n_threads)));
    if (n_shares == 1) {
        function(std::size_t{0}, n, std::size_t{0});
        return;
    }
    reserve_threads(static_cast<int>(n_shares));
    std::vector<std::exception_ptr> failures(n_shares);
#pragma omp parallel for schedule(static, 1) num_threads(static_cast<int>(n_shares))
    for (std::size_t share = 0; share < n_shares; ++share) {
        try {
            function(n * share / n_shares, n * (share + 1) / n_shares, share);
        } catch (...) {
            failures[share] = std::current_exception();
        }
    }
    for (const std::exception_ptr& failure : failures) {
        if (failure) std::rethrow_exception(failure);
    }
}

/// function(part) for 0 .. n_parts, the next part to the thread that is free. Exceptions as in `for_shares`.
template <class Function>
void for_parts(int n_threads, int n_parts, Function function) {
    reserve_threads(n_threads);
    std::vector<std::exception_ptr> failures(static_cast<std::size_t>(std::max(0, n_parts)));
#pragma omp parallel for schedule(dynamic, 1) num_threads(n_threads) if (n_threads > 1)
    for (int part = 0; part < n_parts; ++part) {
        try {
            function(part);
        } catch (...) {
            failures[static_cast<std::size_t>(part)] = std::current_exception();
        }
    }
    for (const std::exception_ptr& failure : failures) {
        if (failure) std::rethrow_exception(failure);
    }
}

}  // namespace mlcalc
