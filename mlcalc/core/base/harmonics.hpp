// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <vector>

#include "base/types.hpp"

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

    /// The gradient of f_ln(r) Y_lm(r / |r|), gradient[(axis * size() + lm) * n_max + n], from f / r = inverse *
    /// radial[(l * n_max + n) * step] and df/dr = slope[..]. The unit vector of r = 0 is zero.
    void product_gradient(const Vec3& unit, const double* radial, double inverse, const double* slope,
                          std::size_t n_max, std::size_t step, double* gradient) const;

private:
    int l_max_;
    std::vector<double> norm_;  ///< of (l, m >= 0), index l (l + 1) / 2 + m
};

/// Coefficients of the recurrence in l of normalized associated Legendre functions divided by sin^m, without the
/// Condon-Shortley phase and with sqrt(2) for m > 0, per (m, l >= m), l fastest: a, b of q_lm = a z q_{l-1,m} - b
/// q_{l-2,m}, and (dq_lm/dz) / q_{l,m+1}. In place of a, (m, m) holds q_mm.
std::vector<double> harmonics_recurrence(int l_max);

}  // namespace mlcalc
