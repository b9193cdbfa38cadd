// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cmath>

#include "base/types.hpp"

namespace mlcalc {

/// A cell with its inverse: fractional = r * inverse (row vectors), and k_n = 2 pi inverse n for integers n.
struct Lattice {
    Mat3 cell{};
    Mat3 inverse{};
    double volume = 0.0;

    Lattice() = default;
    explicit Lattice(const Mat3& rows) : cell(rows) {
        const auto cross = [](const Vec3& a, const Vec3& b) {
            return Vec3{a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
        };
        const Vec3 columns[3] = {cross(rows[1], rows[2]), cross(rows[2], rows[0]), cross(rows[0], rows[1])};
        const double determinant = rows[0][0] * columns[0][0] + rows[0][1] * columns[0][1] + rows[0][2] * columns[0][2];
        volume = std::abs(determinant);
        for (int a = 0; a < 3; ++a)
            for (int x = 0; x < 3; ++x) inverse[x][a] = columns[a][x] / determinant;
    }

    double length(int a) const { return std::hypot(cell[a][0], cell[a][1], cell[a][2]); }
    /// Distance between the faces that the other two vectors span.
    double height(int a) const { return 1.0 / std::hypot(inverse[0][a], inverse[1][a], inverse[2][a]); }
    bool valid() const { return std::isfinite(volume) && volume > 1e-12 * length(0) * length(1) * length(2); }

    Vec3 fractional(const Vec3& r) const {
        Vec3 f{};
        for (int a = 0; a < 3; ++a) f[a] = r[0] * inverse[0][a] + r[1] * inverse[1][a] + r[2] * inverse[2][a];
        return f;
    }
    Vec3 wave_vector(double n1, double n2, double n3) const {
        constexpr double two_pi = 6.28318530717958647693;
        Vec3 k{};
        for (int x = 0; x < 3; ++x) k[x] = two_pi * (inverse[x][0] * n1 + inverse[x][1] * n2 + inverse[x][2] * n3);
        return k;
    }
};

}  // namespace mlcalc
