// SPDX-License-Identifier: BSD-3-Clause
/// Vectors and matrices of three dimensions. Matrices are row-major; a strain derivative is m[a][b] = dE/d eps_ab with
/// r' = r (1 + eps).
#pragma once

#include <array>
#include <cstddef>

namespace mlcalc {

using Vec3 = std::array<double, 3>;
using Mat3 = std::array<Vec3, 3>;

inline Vec3& operator+=(Vec3& a, const Vec3& b) {
    for (std::size_t x = 0; x < 3; ++x) a[x] += b[x];
    return a;
}
inline Vec3& operator-=(Vec3& a, const Vec3& b) {
    for (std::size_t x = 0; x < 3; ++x) a[x] -= b[x];
    return a;
}
inline Vec3 operator*(double s, const Vec3& a) {
    return {s * a[0], s * a[1], s * a[2]};
}
inline Vec3 operator+(const Vec3& a, const Vec3& b) {
    return {a[0] + b[0], a[1] + b[1], a[2] + b[2]};
}
inline double dot(const Vec3& a, const Vec3& b) {
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}
inline Mat3& operator+=(Mat3& a, const Mat3& b) {
    for (std::size_t x = 0; x < 3; ++x) a[x] += b[x];
    return a;
}
inline Mat3& operator-=(Mat3& a, const Mat3& b) {
    for (std::size_t x = 0; x < 3; ++x) a[x] -= b[x];
    return a;
}
inline Mat3 operator*(double s, const Mat3& a) {
    return {s * a[0], s * a[1], s * a[2]};
}
/// outer(a, b)[x][y] = a_x b_y
inline Mat3 outer(const Vec3& a, const Vec3& b) {
    return {a[0] * b, a[1] * b, a[2] * b};
}

}  // namespace mlcalc
