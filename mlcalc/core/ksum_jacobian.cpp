// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <cmath>

#include "blas.hpp"
#include "ksum.hpp"

namespace mlcalc {
namespace {

constexpr double two_sqrt_pi = 3.54490770181103205460;

}  // namespace

/// dV_i/dr_j for training: V_i depends on r_i - r_j alone, so one table of pairs gives both ends.
void KSum::jacobian(const Atoms& atoms, double* jacobian, double* strain) {
    set_cell(atoms.cell);
    structure_factors(atoms);
    const std::size_t n_atoms = static_cast<std::size_t>(atoms.n_local), n_max = static_cast<std::size_t>(shape_.n_max);
    const std::size_t n_all = static_cast<std::size_t>(atoms.n_all), n_k = integers_.size();
    const std::size_t n_radial = description_.reciprocal.n_functions, n_pair = n_lm_ * n_max, size = shape_.size();
    std::fill_n(jacobian, n_atoms * n_all * 3 * size, 0.0);
    AlignedVector<double> all(n_atoms * 2 * n_k), slopes(2 * n_k * 3 * n_pair, 0.0), product(n_atoms * 3 * n_pair);
    phases(atoms, 0, atoms.n_local, {0, n_k}, all.data());
    for (std::size_t k = 0; k < n_k; ++k) {
        for (int l = 0, lm = 0; l <= shape_.l_max; ++l) {
            const double sign = l % 4 < 2 ? -1.0 : 1.0;  // d Re[i^l e^(ikr)]: -sin for even l, -cos for odd l
            for (int m = -l; m <= l; ++m, ++lm) {
                double* row = &slopes[(l % 2 == 0 ? n_k + k : k) * 3 * n_pair];
                for (std::size_t c = 0; c < 3 * n_max; ++c) {
                    const std::size_t x = c / n_max, n = c % n_max;
                    row[(x * n_lm_ + static_cast<std::size_t>(lm)) * n_max + n] =
                        sign * k_[k][x] * radial_[k * 2 * n_radial + static_cast<std::size_t>(l) * n_max + n] *
                        harmonics_[k * n_lm_ + static_cast<std::size_t>(lm)];
                }
            }
        }
    }
    AlignedVector<double> pairs(n_atoms * 2 * n_k);
    for (std::size_t i = 0; n_k > 0 && i < n_atoms; ++i) {
        const double* c_i = &all[i * 2 * n_k];
        for (std::size_t j = 0; j < n_atoms; ++j) {
            const double* c_j = &all[j * 2 * n_k];
            double* c = &pairs[j * 2 * n_k];
            for (std::size_t k = 0; k < n_k; ++k) {
                c[k] = c_i[k] * c_j[k] + c_i[n_k + k] * c_j[n_k + k];
                c[n_k + k] = c_i[n_k + k] * c_j[k] - c_i[k] * c_j[n_k + k];
            }
        }
        blas::gemm(blas::Op::none, blas::Op::none, n_atoms, 3 * n_pair, 2 * n_k, 1.0, pairs.data(), 2 * n_k,
                   slopes.data(), 3 * n_pair, 0.0, product.data(), 3 * n_pair);
        for (std::size_t j = 0; j < n_atoms; ++j) {
            if (atoms.species[i] < 0 || atoms.species[j] < 0 || i == j) continue;
            for (std::size_t c = 0; c < 3 * n_lm_ * n_q_; ++c) {
                const std::size_t x = c / (n_lm_ * n_q_), lm = c / n_q_ % n_lm_, q = c % n_q_;
                const double slope = channels_.weight(static_cast<int>(q / n_max), atoms.species[j]) *
                                     product[j * 3 * n_pair + (x * n_lm_ + lm) * n_max + q % n_max];
                const std::size_t at = x * size + lm * static_cast<std::size_t>(shape_.stride()) + q;
                jacobian[(i * n_all + i) * 3 * size + at] += slope;
                jacobian[(i * n_all + j) * 3 * size + at] -= slope;
            }
        }
    }
    strain_jacobian(atoms, strain);
}

void KSum::strain_jacobian(const Atoms& atoms, double* strain) {
    const std::size_t n_atoms = static_cast<std::size_t>(atoms.n_local), size = shape_.size();
    const double zero = two_sqrt_pi / lattice_.volume * power_.at_zero();
    const double* counts = &structure_[static_cast<std::size_t>(channels_.size()) * 2 * integers_.size()];
    const std::size_t n_max = static_cast<std::size_t>(shape_.n_max),
                      stride = static_cast<std::size_t>(shape_.stride());
    std::fill_n(strain, n_atoms * 9 * size, 0.0);
    matrix_.resize(2 * block(0).size * n_columns_);
    phases_.resize(std::max(phases_.size(), n_atoms * 2 * block(0).size));
    AlignedVector<double> slope;
    for (std::size_t ab = 0; ab < 9; ++ab) {
        slope.assign(n_atoms * n_columns_, 0.0);
        contract_strain(atoms, 0, atoms.n_local, static_cast<int>(ab / 3), static_cast<int>(ab % 3), slope.data());
        for (std::size_t i = 0; i < n_atoms; ++i) {
            if (atoms.species[i] < 0) continue;
            double* row = strain + (i * 9 + ab) * size;
            for (std::size_t lm = 0; lm < n_lm_; ++lm) {
                std::copy_n(&slope[i * n_columns_ + lm * n_q_], n_q_, row + lm * stride);
            }
            for (std::size_t q = 0; q < n_q_ && ab % 4 == 0; ++q) {
                row[q] -= zero * counts[q / n_max] * description_.reciprocal.data[q % n_max];
            }
        }
    }
}

}  // namespace mlcalc
