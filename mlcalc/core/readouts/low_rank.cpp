// SPDX-License-Identifier: BSD-3-Clause
#include "readouts/low_rank.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "base/blas.hpp"
#include "simd/small_products.hpp"

namespace mlcalc {

LowRank::LowRank(const double* g, int n, int stride) : n_(n), stride_(stride) {
    const std::size_t size = static_cast<std::size_t>(n);
    std::vector<double> vectors(size * size), values(size);
    for (std::size_t q = 0; q < size; ++q) std::copy_n(g + q * static_cast<std::size_t>(stride), n, &vectors[q * size]);
    const int lwork = 1 + 6 * n + 2 * n * n, liwork = 3 + 5 * n;
    std::vector<double> work(static_cast<std::size_t>(lwork));
    std::vector<int> iwork(static_cast<std::size_t>(liwork));
    int info = 0;
    scipy_dsyevd_("V", "U", &n, vectors.data(), &n, values.data(), work.data(), &lwork, iwork.data(), &liwork, &info, 1,
                  1);
    if (info != 0) return;  // no factors: the full matrix serves
    double largest = 0.0;
    for (const double value : values) largest = std::max(largest, std::abs(value));
    std::vector<std::size_t> kept;  // the eigenvectors are the rows of `vectors`
    for (std::size_t k = 0; k < size; ++k) {
        if (std::abs(values[k]) > 1e-15 * n * largest) kept.push_back(k);
    }
    rank_ = static_cast<int>(kept.size());
    width_ = (rank_ + 7) / 8 * 8;
    worthwhile_ = n * width_ + rank_ * stride < 3 * n * stride / 4;
    if (!worthwhile_) return;
    const std::size_t width = static_cast<std::size_t>(width_), ld = static_cast<std::size_t>(stride);
    to_.assign(size * width, 0.0);
    back_.assign(kept.size() * ld, 0.0);
    lambda_.assign(width, 0.0);
    for (std::size_t k = 0; k < kept.size(); ++k) {
        lambda_[k] = values[kept[k]];
        for (std::size_t q = 0; q < size; ++q) to_[q * width + k] = back_[k * ld + q] = vectors[kept[k] * size + q];
    }
}

double LowRank::apply(int n_m, const double* c, double* c_adj, double* scratch) const {
    const SmallProducts& products = small_products();
    std::fill_n(scratch, n_m * width_, 0.0);
    products.multiply(n_m, c, stride_, n_, to_.data(), width_, width_, nullptr, 0, scratch, width_);
    double sum = 0.0;
    for (int m = 0; m < n_m; ++m) {
        double* row = scratch + m * width_;
        for (int k = 0; k < rank_; ++k) {
            const double y = row[k];
            row[k] = lambda_[static_cast<std::size_t>(k)] * y;
            sum += row[k] * y;
        }
    }
    if (c_adj != nullptr) {
        products.multiply(n_m, scratch, width_, rank_, back_.data(), stride_, stride_, nullptr, 0, c_adj, stride_);
    }
    return 0.5 * sum;
}

}  // namespace mlcalc
