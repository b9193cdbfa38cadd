// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <new>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace mlcalc {

/// Allocates on cache lines, so that a row of eight doubles never straddles two. Grids of many megabytes get huge pages
/// where the system has them: a spline reaches into as many pages as it has rows.
template <class T>
struct CacheLineAllocator {
    using value_type = T;
    CacheLineAllocator() = default;
    template <class U>
    CacheLineAllocator(const CacheLineAllocator<U>&) {}
    static constexpr std::size_t huge_page = std::size_t{2} << 20;
    static std::align_val_t alignment(std::size_t n) {
        return std::align_val_t{n * sizeof(T) >= 2 * huge_page ? huge_page : 64};
    }
    T* allocate(std::size_t n) {
        void* p = ::operator new(n * sizeof(T), alignment(n));
#if defined(__linux__)
        if (alignment(n) == std::align_val_t{huge_page}) madvise(p, n * sizeof(T), MADV_HUGEPAGE);
#endif
        return static_cast<T*>(p);
    }
    void deallocate(T* p, std::size_t n) { ::operator delete(p, alignment(n)); }
    template <class U>
    bool operator==(const CacheLineAllocator<U>&) const {
        return true;
    }
    template <class U>
    bool operator!=(const CacheLineAllocator<U>&) const {
        return false;
    }
};

template <class T>
using AlignedVector = std::vector<T, CacheLineAllocator<T>>;

}  // namespace mlcalc
