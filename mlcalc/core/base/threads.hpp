// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>

namespace mlcalc {

/// function(begin, end, share) for contiguous shares of 0 .. n, one per thread. The function must not throw.
template <class Function>
void for_shares(int n_threads, std::size_t n, Function function) {
    const std::size_t n_shares = std::max<std::size_t>(1, std::min(n, static_cast<std::size_t>(n_threads)));
    if (n_shares == 1) {
        function(std::size_t{0}, n, std::size_t{0});
        return;
    }
#pragma omp parallel for schedule(static, 1) num_threads(static_cast<int>(n_shares))
    for (std::size_t share = 0; share < n_shares; ++share) {
        function(n * share / n_shares, n * (share + 1) / n_shares, share);
    }
}

}  // namespace mlcalc
