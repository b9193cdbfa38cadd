// SPDX-License-Identifier: BSD-3-Clause
#include "far_field/mesh/line_transform.hpp"

#include <cmath>

namespace mlcalc {
namespace {

std::vector<int> factors_of(int n) {
    std::vector<int> out;
    for (int factor : {4, 2, 3, 5}) {
        for (; n % factor == 0; n /= factor) out.push_back(factor);
    }
    for (int factor = 7; n > 1; factor += 2) {
        for (; n % factor == 0; n /= factor) out.push_back(factor);
    }
    return out;
}

void add_root(std::vector<double>& out, long k, long n) {
    const double angle = 6.283185307179586476925 * static_cast<double>(k % n) / static_cast<double>(n);
    out.push_back(std::cos(angle));
    out.push_back(std::sin(angle));
}

}  // namespace

LineTransform::LineTransform(int n) : n_(n), kernels_(&line_transforms()) {
    int length = n, stride = 1;
    for (const int radix : factors_of(n)) {
        std::vector<double> twiddles, roots;
        for (long q = 0; q < length / radix; ++q) {
            for (long j = 1; j < radix; ++j) add_root(twiddles, q * j, length);
        }
        for (long t = 0; t < radix; ++t) add_root(roots, t, radix);
        tables_.push_back(std::move(twiddles));
        tables_.push_back(std::move(roots));
        passes_.push_back({radix, length, stride, tables_[tables_.size() - 2].data(), tables_.back().data()});
        length /= radix;
        stride *= radix;
    }
}

std::size_t LineTransform::work_size() const {
    return 4 * static_cast<std::size_t>(n_) * static_cast<std::size_t>(kernels_->lanes);
}

void LineTransform::apply(bool forward, long n_lines, const Lines& in, const Lines& out,
                          AlignedVector<double>& work) const {
    if (work.size() < work_size()) work.resize(work_size());
    kernels_->transform({n_, static_cast<int>(passes_.size()), passes_.data()}, forward, n_lines, in, out, work.data());
}

}  // namespace mlcalc
