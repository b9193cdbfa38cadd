// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "far_field/field_kernel.hpp"

namespace mlcalc {

/// Fourier transform of the smeared 1 / r^p, g_p(r) = gamma(p/2, r^2 / 2 s^2) / (Gamma(p/2) r^p), and of the Gaussian
/// density for p = 0 [Huguenin-Dumittan, Loche, Haoran, Ceriotti, J. Phys. Chem. Lett. 14, 9612 (2023)]:
///   g_p(k) = pi^(3/2) (2 s^2)^((3-p)/2) / Gamma(p/2) E_n(x),  n = (p - 1) / 2,  x = k^2 s^2 / 2,
/// with the generalized exponential integral E_n.
class SmearedPower : public FieldKernel {
public:
    /// Throws std::invalid_argument unless 0 <= exponent <= 12 and smearing > 0.
    SmearedPower(int exponent, double smearing);
    void evaluate(double k, double& value, double& slope) const override;
    /// The term at k = 0: zero for p = 1, 2, 3, whose sources are neutralized by a background.
    double at_zero() const override;

private:
    int exponent_;
    double smearing_;
    double prefactor_;
};

/// E_n(x) = int_1^inf exp(-x t) / t^n dt for 2n integer, n >= -1/2, x > 0.
double exponential_integral(int twice_n, double x);

}  // namespace mlcalc
