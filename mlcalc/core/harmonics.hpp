// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <vector>

#include "types.hpp"

namespace mlcalc {

/// Real solid harmonics r^l Y_lm(r), orthonormal on the unit sphere, without the Condon-Shortley phase, index
/// l * l + l + m; the l = 1 functions are sqrt(3 / 4 pi) (y, z, x).
class Harmonics {
public:
    explicit Harmonics(int l_max);
    int l_max() const { return l_max_; }
    int size() const { return (l_max_ + 1) * (l_max_ + 1); }

    /// y[lm] at `r`; if not null, gradient[axis * size() + lm].
    void evaluate(const Vec3& r, double* y, double* gradient) const;

private:
    int l_max_;
    std::vector<double> norm_;  ///< of (l, m >= 0), index l (l + 1) / 2 + m
};

}  // namespace mlcalc
