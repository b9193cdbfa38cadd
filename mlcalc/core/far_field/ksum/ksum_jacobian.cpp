// SPDX-License-Identifier: BSD-3-Clause
/// Derivatives of every coefficient for training: matrices, not vectors.
#include <algorithm>
#include <cmath>

#include "base/blas.hpp"
#include "far_field/ksum/ksum.hpp"

namespace mlcalc {
namespace {

constexpr double two_sqrt_pi = 3.54490770181103205460;
constexpr std::size_t columns_at_once = 768;  // of the matrix products

}  // namespace

/// dV_i/dr_j: V_i depends on r_i - r_j alone, and its derivative is even or odd in it, so half of the pairs are enough.
void KSum::jacobian(const Atoms& atoms, double* jacobian, double* strain) {
    set_cell(atoms.cell);
    structure_factors(atoms);
    const std::size_t n_atoms = static_cast<std::size_t>(atoms.n_local), n_all = static_cast<std::size_t>(atoms.n_all);
    const std::size_t size = shape_.size(), n_columns = 3 * n_lm_ * static_cast<std::size_t>(shape_.n_max);
    std::fill_n(jacobian, n_atoms * n_all * 3 * size, 0.0);
    AlignedVector<double> all(n_atoms * 2 * integers_.size());  // [block of k][atom][cos, sin]
    for_shares(n_threads_, n_blocks(), [&](std::size_t begin, std::size_t end, std::size_t) {
        for (std::size_t b = begin; b < end; ++b) {
            phases(atoms, 0, atoms.n_local, block(b), &all[n_atoms * 2 * block(b).begin]);
        }
    });
    const std::size_t rows = std::max<std::size_t>(1, columns_at_once / n_columns);
    const auto n_parts = static_cast<int>((n_atoms + rows - 1) / rows);
    for_parts(n_threads_, n_parts, [&](int part) {  // the first have the most pairs
        const std::size_t begin = static_cast<std::size_t>(part) * rows;
        jacobian_rows(atoms, all.data(), begin, std::min(begin + rows, n_atoms), jacobian);
    });
    for_shares(n_threads_, n_atoms, [&](std::size_t begin, std::size_t end, std::size_t) {
        for (std::size_t i = begin; i < end; ++i) {
            double* own = jacobian + (i * n_all + i) * 3 * size;
            for (std::size_t j = 0; j < n_atoms; ++j) {
                const double* other = jacobian + (i * n_all + j) * 3 * size;
                for (std::size_t c = 0; c < 3 * size && i != j; ++c) own[c] -= other[c];
            }
        }
    });
    strain_jacobian(atoms, strain);
}

/// The pairs of begin <= i < end with all j > i.
void KSum::jacobian_rows(const Atoms& atoms, const double* phases_of_all, std::size_t begin, std::size_t end,
                         double* jacobian) const {
    const std::size_t n_atoms = static_cast<std::size_t>(atoms.n_local);
    const std::size_t per_atom = 3 * n_lm_ * static_cast<std::size_t>(shape_.n_max);
    const std::size_t n_columns = (end - begin) * per_atom, n_rows = n_atoms - begin;
    AlignedVector<double> matrix(2 * k_block * n_columns), product(n_rows * n_columns, 0.0);
    for (std::size_t b = 0; b < n_blocks(); ++b) {
        const Range range = block(b);
        const double* of_block = phases_of_all + n_atoms * 2 * range.begin;
        slope_matrix(range, of_block, begin, end, matrix.data());
        blas::gemm(blas::Op::none, blas::Op::none, n_rows, n_columns, 2 * range.size, 1.0,
                   of_block + begin * 2 * range.size, 2 * range.size, matrix.data(), n_columns, 1.0, product.data(),
                   n_columns);
    }
    for (std::size_t i = begin; i < end; ++i) {
        for (std::size_t j = i + 1; j < n_atoms; ++j) {
            const double* slope = &product[(j - begin) * n_columns + (i - begin) * per_atom];
            if (atoms.species[i] >= 0 && atoms.species[j] >= 0) scatter_slopes(atoms, i, j, slope, jacobian);
        }
    }
}

/// Rows cos(k.r_j), then sin(k.r_j); columns (i, axis, lm, n): the derivative of Re[i^l e^(ik.(r_i - r_j))].
void KSum::slope_matrix(Range range, const double* phases_of_block, std::size_t begin, std::size_t end,
                        double* matrix) const {
    const std::size_t n_max = static_cast<std::size_t>(shape_.n_max), per_atom = 3 * n_lm_ * n_max;
    const std::size_t n_columns = (end - begin) * per_atom, n_radial = description_.reciprocal.n_functions;
    for (std::size_t k = 0; k < range.size; ++k) {
        const std::size_t at_k = range.begin + k;
        for (std::size_t i = begin; i < end; ++i) {
            const double c = phases_of_block[i * 2 * range.size + k],
                         s = phases_of_block[i * 2 * range.size + range.size + k];
            double* cos_row = matrix + k * n_columns + (i - begin) * per_atom;
            double* sin_row = cos_row + range.size * n_columns;
            for (std::size_t x = 0; x < 3; ++x) {
                for (int l = 0, lm = 0; l <= shape_.l_max; ++l) {
                    // -sin of k.(r_i - r_j) for even l, -cos for odd l
                    const double of_cos = -sign_of(l) * (l % 2 == 0 ? s : c) * k_[at_k][x];
                    const double of_sin = -sign_of(l) * (l % 2 == 0 ? -c : s) * k_[at_k][x];
                    const double* radial = &radial_[at_k * 3 * n_radial + static_cast<std::size_t>(l) * n_max];
                    for (int m = -l; m <= l; ++m, ++lm) {
                        const double y = harmonics_[at_k * n_lm_ + static_cast<std::size_t>(lm)];
                        for (std::size_t n = 0; n < n_max; ++n) {
                            *cos_row++ = of_cos * y * radial[n];
                            *sin_row++ = of_sin * y * radial[n];
                        }
                    }
                }
            }
        }
    }
}

/// slope[axis][lm][n] = d/dr_i of what j adds to V_i; that of i to V_j follows by symmetry.
void KSum::scatter_slopes(const Atoms& atoms, std::size_t i, std::size_t j, const double* slope,
                          double* jacobian) const {
    const std::size_t n_all = static_cast<std::size_t>(atoms.n_all), size = shape_.size();
    const std::size_t n_max = static_cast<std::size_t>(shape_.n_max);
    double* of_i = jacobian + (i * n_all + j) * 3 * size;
    double* of_j = jacobian + (j * n_all + i) * 3 * size;
    for (std::size_t x = 0; x < 3; ++x) {
        for (int l = 0, lm = 0; l <= shape_.l_max; ++l) {
            const double parity = l % 2 == 0 ? -1.0 : 1.0;
            for (int m = -l; m <= l; ++m, ++lm, slope += n_max) {
                for (std::size_t q = 0; q < n_q_; ++q) {
                    const int channel = static_cast<int>(q / n_max);
                    const std::size_t at = x * size + static_cast<std::size_t>(lm * shape_.stride()) + q;
                    of_i[at] = -channels_.weight(channel, atoms.species[j]) * slope[q % n_max];
                    of_j[at] = -parity * channels_.weight(channel, atoms.species[i]) * slope[q % n_max];
                }
            }
        }
    }
}

void KSum::strain_jacobian(const Atoms& atoms, double* strain) {
    const std::size_t n_atoms = static_cast<std::size_t>(atoms.n_local), size = shape_.size();
    const double zero = two_sqrt_pi / lattice_.volume;
    const double* counts = &structure_[static_cast<std::size_t>(channels_.size()) * 2 * integers_.size()];
    const std::size_t n_max = static_cast<std::size_t>(shape_.n_max);
    std::fill_n(strain, n_atoms * 9 * size, 0.0);
    AlignedVector<double> slope;
    for (std::size_t ab = 0; ab < 9; ++ab) {
        slope.assign(n_atoms * n_columns_, 0.0);
        for_atom_blocks(atoms.n_local, [&](int begin, int end, Work& mine) {
            contract_strain(atoms, begin, end, static_cast<int>(ab / 3), static_cast<int>(ab % 3), mine,
                            &slope[static_cast<std::size_t>(begin) * n_columns_]);
        });
        for (std::size_t i = 0; i < n_atoms; ++i) {
            if (atoms.species[i] < 0) continue;
            double* row = strain + (i * 9 + ab) * size;
            std::copy_n(&slope[i * n_columns_], n_columns_, row);
            for (std::size_t q = 0; q < n_q_; ++q) {
                row[q] -=
                    zero * counts[q / n_max] *
                    ((ab % 4 == 0 ? zero_[q % n_max] : 0.0) + turned_zero_[ab / 3][ab % 3] * zero_[n_max + q % n_max]);
            }
        }
    }
}

}  // namespace mlcalc
