// SPDX-License-Identifier: BSD-3-Clause
#include "far_field/smeared_power.hpp"

#include <cmath>
#include <stdexcept>
#include <string>

namespace mlcalc {
namespace {

constexpr double pi = 3.14159265358979323846;

/// Lentz's continued fraction, for x not small; the recurrence in n would cancel there.
double exponential_integral_fraction(double n, double x) {
    double b = x + n, c = 1e300, d = 1.0 / b, h = d;
    for (int i = 1; i < 2000; ++i) {
        const double a = -i * (n - 1.0 + i);
        b += 2.0;
        d = 1.0 / (a * d + b);
        c = b + a / c;
        const double change = c * d;
        h *= change;
        if (std::abs(change - 1.0) < 1e-16) break;
    }
    return h * std::exp(-x);
}

}  // namespace

double exponential_integral(int twice_n, double x) {
    const double exponential = std::exp(-x);
    if (twice_n == 0) return exponential / x;
    if (twice_n == -2) return exponential * (1.0 / x + 1.0 / (x * x));
    const double half = std::sqrt(pi / x) * std::erfc(std::sqrt(x));
    if (twice_n == -1) return (exponential + 0.5 * half) / x;
    if (twice_n == 1) return half;
    if (x > 1.0) return exponential_integral_fraction(0.5 * twice_n, x);
    int order = twice_n % 2 == 0 ? 2 : 1;
    double value = order == 2 ? -std::expint(-x) : half;
    for (; order < twice_n; order += 2) value = (exponential - x * value) / (0.5 * order);
    return value;
}

std::shared_ptr<const FieldKernel> make_field_kernel(const FieldDescription& description) {
    return std::make_shared<SmearedPower>(description.exponent, description.smearing);
}

SmearedPower::SmearedPower(int exponent, double smearing) : exponent_(exponent), smearing_(smearing) {
    if (exponent < 0 || exponent > 12) {
        throw std::invalid_argument("the exponent of a potential expansion must be an integer from 0 to 12, got " +
                                    std::to_string(exponent));
    }
    if (!(smearing > 0.0)) {
        throw std::invalid_argument("the smearing of a potential expansion must be above 0 Angstrom, got " +
                                    std::to_string(smearing));
    }
    const double s2 = smearing * smearing;
    prefactor_ = exponent == 0
                     ? std::pow(4.0 * pi * s2, 0.75)
                     : std::pow(pi, 1.5) * std::pow(2.0 * s2, 0.5 * (3 - exponent)) / std::tgamma(0.5 * exponent);
}

void SmearedPower::evaluate(double k, double& value, double& slope) const {
    const double s2 = smearing_ * smearing_, x = 0.5 * k * k * s2;
    if (exponent_ == 0) {
        value = prefactor_ * std::exp(-x);
        slope = -k * s2 * value;
        return;
    }
    value = prefactor_ * exponential_integral(exponent_ - 1, x);
    slope = -k * s2 * prefactor_ * exponential_integral(exponent_ - 3, x);  // dE_n/dx = -E_(n-1)
}

double SmearedPower::at_zero() const {
    if (exponent_ == 0) return prefactor_;
    return exponent_ > 3 ? prefactor_ * 2.0 / (exponent_ - 3) : 0.0;
}

}  // namespace mlcalc
