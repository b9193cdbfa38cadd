// SPDX-License-Identifier: BSD-3-Clause
#include "base/clebsch_gordan.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>

namespace mlcalc {
namespace {

using Complex = std::complex<double>;

double log_factorial(int n) {
    return std::lgamma(n + 1.0);
}

/// <l1 m1 l2 m2 | l m> by Racah's formula.
double complex_coefficient(int l1, int m1, int l2, int m2, int l, int m) {
    if (m1 + m2 != m) return 0.0;
    const double prefactor = 0.5 * (std::log(2.0 * l + 1.0) + log_factorial(l + l1 - l2) + log_factorial(l - l1 + l2) +
                                    log_factorial(l1 + l2 - l) - log_factorial(l1 + l2 + l + 1) + log_factorial(l + m) +
                                    log_factorial(l - m) + log_factorial(l1 - m1) + log_factorial(l1 + m1) +
                                    log_factorial(l2 - m2) + log_factorial(l2 + m2));
    double sum = 0.0;
    for (int k = std::max({0, l2 - l - m1, l1 - l + m2}); k <= std::min({l1 + l2 - l, l1 - m1, l2 + m2}); ++k) {
        const double term = prefactor - log_factorial(k) - log_factorial(l1 + l2 - l - k) - log_factorial(l1 - m1 - k) -
                            log_factorial(l2 + m2 - k) - log_factorial(l - l2 + m1 + k) -
                            log_factorial(l - l1 - m2 + k);
        sum += (k % 2 == 0 ? 1.0 : -1.0) * std::exp(term);
    }
    return sum;
}

/// The complex harmonics m' and U[m'][m] in which the real harmonic m occurs.
struct Part {
    int m;
    Complex u;
};
std::vector<Part> parts(int m) {
    const double r = std::sqrt(0.5), sign = m % 2 == 0 ? 1.0 : -1.0;
    if (m == 0) return {{0, 1.0}};
    if (m > 0) return {{m, sign * r}, {-m, r}};
    return {{-m, Complex(0.0, sign * r)}, {m, Complex(0.0, -r)}};
}

}  // namespace

std::vector<CouplingTerm> real_clebsch_gordan(int l1, int l2, int l) {
    std::vector<CouplingTerm> terms;
    if (l < std::abs(l1 - l2) || l > l1 + l2) return terms;
    const Complex phase = (l1 + l2 + l) % 2 == 0 ? Complex(1.0) : Complex(0.0, 1.0);
    for (int m = -l; m <= l; ++m) {
        for (int m1 = -l1; m1 <= l1; ++m1) {
            for (int m2 = -l2; m2 <= l2; ++m2) {
                Complex sum = 0.0;
                for (const Part& a : parts(m1)) {
                    for (const Part& b : parts(m2)) {
                        for (const Part& c : parts(m)) {
                            sum += complex_coefficient(l1, a.m, l2, b.m, l, c.m) * a.u * b.u * std::conj(c.u);
                        }
                    }
                }
                const double value = (phase * sum).real();
                if (std::abs(value) > 1e-12) terms.push_back({m1, m2, m, value});
            }
        }
    }
    return terms;
}

}  // namespace mlcalc
