// SPDX-License-Identifier: BSD-3-Clause
#include "base/lattice_reduction.hpp"

#include <cmath>
#include <stdexcept>

#include "base/lattice.hpp"

namespace mlcalc {
namespace {

constexpr BasisChange identity{{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
constexpr double much_skewed = 1.5;  // product of the lengths over the volume; hexagonal and fcc cells stay below
constexpr double largest_integer = 1e6;

double dot(const Vec3& a, const Vec3& b) {
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

/// Adds n times row j to row i.
template <class Rows>
void add(Rows& rows, std::size_t i, std::size_t j, double n) {
    for (std::size_t x = 0; x < 3; ++x) rows[i][x] += n * rows[j][x];
}

/// Shortens row i by the combination of the two others that is best, if any is; true if it did.
bool shorten(Mat3& rows, BasisChange& change, std::size_t i) {
    const std::size_t j = (i + 1) % 3, k = (i + 2) % 3;
    const double before = dot(rows[i], rows[i]);
    double best = before, best_j = 0.0, best_k = 0.0;
    for (double nk = -1.0; nk <= 1.0; ++nk) {
        Vec3 r = rows[i];
        for (std::size_t x = 0; x < 3; ++x) r[x] += nk * rows[k][x];
        const double nj = -std::round(dot(r, rows[j]) / dot(rows[j], rows[j]));
        for (std::size_t x = 0; x < 3; ++x) r[x] += nj * rows[j][x];
        if (dot(r, r) < best) {
            best = dot(r, r);
            best_j = nj;
            best_k = nk;
        }
    }
    if (!(best < before * (1.0 - 1e-12))) return false;
    add(rows, i, j, best_j);
    add(rows, i, k, best_k);
    add(change, i, j, best_j);
    add(change, i, k, best_k);
    return true;
}

}  // namespace

BasisChange reduced_basis(const Mat3& cell) {
    const Lattice lattice(cell);
    if (lattice.length(0) * lattice.length(1) * lattice.length(2) < much_skewed * lattice.volume) return identity;
    Mat3 rows = cell;
    BasisChange change = identity;
    for (int step = 0; step < 1000; ++step) {
        bool shorter = false;
        for (std::size_t i = 0; i < 3; ++i) shorter = shorten(rows, change, i) || shorter;
        if (!shorter) break;
    }
    for (const auto& row : change) {
        for (const double n : row) {
            if (std::abs(n) > largest_integer) {
                throw std::invalid_argument(
                    "the lattice vectors are so skewed that their shortest combination is lost in rounding; give the "
                    "cell with shorter vectors");
            }
        }
    }
    return change;
}

Mat3 changed(const Mat3& cell, const BasisChange& change) {
    Mat3 out{};
    for (std::size_t i = 0; i < 3; ++i) {
        for (std::size_t j = 0; j < 3; ++j) {
            for (std::size_t x = 0; x < 3; ++x) out[i][x] += change[i][j] * cell[j][x];
        }
    }
    return out;
}

}  // namespace mlcalc
