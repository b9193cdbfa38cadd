// SPDX-License-Identifier: BSD-3-Clause
#include "base/harmonics.hpp"

#include <cmath>
#include <stdexcept>
#include <string>

#include "base/limits.hpp"

namespace mlcalc {
namespace {

constexpr double pi = 3.14159265358979323846;

int triangular(int l, int m) {
    return l * (l + 1) / 2 + m;
}

/// q_lm = r^l P_l^m(z / r) / (x^2 + y^2)^(m / 2), a polynomial in z and r^2 [Bigi, Fraux, Browning, Ceriotti, JCP 159,
/// 064802 (2023)].
void legendre(int l_max, double z, double r2, double* q) {
    q[0] = 1.0;
    for (int m = 1; m <= l_max; ++m) q[triangular(m, m)] = (2 * m - 1) * q[triangular(m - 1, m - 1)];
    for (int m = 0; m < l_max; ++m) q[triangular(m + 1, m)] = (2 * m + 1) * z * q[triangular(m, m)];
    for (int l = 2; l <= l_max; ++l)
        for (int m = 0; m <= l - 2; ++m)
            q[triangular(l, m)] =
                ((2 * l - 1) * z * q[triangular(l - 1, m)] - (l + m - 1) * r2 * q[triangular(l - 2, m)]) / (l - m);
}

}  // namespace

Harmonics::Harmonics(int l_max) : l_max_(l_max) {
    if (l_max < 0 || l_max > largest_l)
        throw std::invalid_argument("l_max must be from 0 to " + std::to_string(largest_l) + ", got " +
                                    std::to_string(l_max));
    for (int l = 0; l <= l_max; ++l) {
        double ratio = 1.0;  // (l - m)! / (l + m)!
        for (int m = 0; m <= l; ++m) {
            if (m > 0) ratio /= (l + m) * (l - m + 1);
            norm_.push_back(std::sqrt((2 * l + 1) / (4 * pi) * ratio * (m > 0 ? 2 : 1)));
        }
    }
}

void Harmonics::evaluate(const Vec3& r, double* y, double* gradient) const {
    const double r2 = r[0] * r[0] + r[1] * r[1] + r[2] * r[2];
    double q[(largest_l + 1) * (largest_l + 2) / 2], c[largest_l + 1], s[largest_l + 1];  // c_m + i s_m = (x + i y)^m
    legendre(l_max_, r[2], r2, q);
    c[0] = 1.0;
    s[0] = 0.0;
    for (int m = 1; m <= l_max_; ++m) {
        c[m] = r[0] * c[m - 1] - r[1] * s[m - 1];
        s[m] = r[0] * s[m - 1] + r[1] * c[m - 1];
    }
    double* dx = gradient;
    double* dy = gradient ? gradient + size() : nullptr;
    double* dz = gradient ? gradient + 2 * size() : nullptr;
    for (int l = 0; l <= l_max_; ++l) {
        for (int m = 0; m <= l; ++m) {
            const double norm = norm_[triangular(l, m)];
            const double qlm = norm * q[triangular(l, m)];
            const int plus = l * l + l + m, minus = l * l + l - m;
            if (m > 0) y[minus] = qlm * s[m];
            y[plus] = qlm * c[m];
            if (!gradient) continue;
            const double across = m < l - 1 ? -norm * q[triangular(l - 1, m + 1)] : 0.0;
            const double along = m < l ? norm * (l + m) * q[triangular(l - 1, m)] : 0.0;
            const double turn = m > 0 ? m * qlm : 0.0;
            const double cm = m > 0 ? c[m - 1] : 0.0, sm = m > 0 ? s[m - 1] : 0.0;
            if (m > 0) {
                dx[minus] = r[0] * across * s[m] + turn * sm;
                dy[minus] = r[1] * across * s[m] + turn * cm;
                dz[minus] = along * s[m];
            }
            dx[plus] = r[0] * across * c[m] + turn * cm;
            dy[plus] = r[1] * across * c[m] - turn * sm;
            dz[plus] = along * c[m];
        }
    }
}

std::vector<double> harmonics_recurrence(int l_max) {
    std::vector<double> out;
    double sectoral = std::sqrt(0.25 / pi);
    for (int m = 0; m <= l_max; ++m) {
        if (m > 0) sectoral *= std::sqrt((2.0 * m + 1) / (2.0 * m) * (m == 1 ? 2 : 1));
        for (int l = m; l <= l_max; ++l) {
            const double n = l * l - m * m;
            out.push_back(l == m ? sectoral : std::sqrt((4.0 * l * l - 1) / n));
            out.push_back(l < m + 2 ? 0.0
                                    : std::sqrt((2.0 * l + 1) / (2.0 * l - 3) * ((l - 1.0) * (l - 1) - m * m) / n));
            out.push_back(std::sqrt((l + m + 1.0) * (l - m) / (m == 0 ? 2 : 1)));
        }
    }
    return out;
}

void Harmonics::product_gradient(const Vec3& unit, const double* radial, double inverse, const double* slope,
                                 std::size_t n_max, std::size_t step, double* gradient) const {
    const std::size_t n_lm = static_cast<std::size_t>(size());
    double y[(largest_l + 1) * (largest_l + 1)], dy[3 * (largest_l + 1) * (largest_l + 1)];
    evaluate(unit, y, dy);
    for (std::size_t lm = 0, l = 0; lm < n_lm; ++lm) {
        if (lm == (l + 1) * (l + 1)) ++l;
        const double *f = radial + l * n_max * step, *df = slope + l * n_max * step;
        // only the tangential part of the gradient of the harmonics counts
        const double along = unit[0] * dy[lm] + unit[1] * dy[n_lm + lm] + unit[2] * dy[2 * n_lm + lm];
        for (std::size_t x = 0; x < 3; ++x) {
            const double tangential = (dy[x * n_lm + lm] - along * unit[x]) * inverse, radially = unit[x] * y[lm];
            double* to = gradient + (x * n_lm + lm) * n_max;
            for (std::size_t n = 0; n < n_max; ++n) to[n] = df[n * step] * radially + f[n * step] * tangential;
        }
    }
}

}  // namespace mlcalc
