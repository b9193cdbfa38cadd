// SPDX-License-Identifier: BSD-3-Clause
/// Forces and virial of the k-sum.
#include <algorithm>
#include <cmath>

#include "base/blas.hpp"
#include "base/threads.hpp"
#include "far_field/ksum/ksum.hpp"

namespace mlcalc {
namespace {

constexpr double pi = 3.14159265358979323846;

/// g_x += sum_k (the derivative of cos and sin of k.r) k_x
void add_force(std::size_t n, const double* c_adj, const double* c_source, const double* c, const double* k_x,
               Vec3& gradient) {
    const double *s_adj = c_adj + n, *s_source = c_source + n, *s = c + n;
    double g[3] = {0.0, 0.0, 0.0};
#pragma omp simd reduction(+ : g[ : 3])
    for (std::size_t k = 0; k < n; ++k) {
        const double turn = (s_adj[k] + s_source[k]) * c[k] - (c_adj[k] + c_source[k]) * s[k];
        g[0] += turn * k_x[k];
        g[1] += turn * k_x[KSum::k_block + k];
        g[2] += turn * k_x[2 * KSum::k_block + k];
    }
    for (std::size_t x = 0; x < 3; ++x) gradient[x] += g[x];
}

}  // namespace

/// The same with the strain derivative of the prefactor: d k_a / d eps_ab = -k_b.
void KSum::strain_matrix(Range range, int a, int b, double* matrix) const {
    const std::size_t n_k = integers_.size(), n_max = static_cast<std::size_t>(shape_.n_max);
    const std::size_t n_radial = description_.reciprocal.n_functions;
    for (std::size_t k = 0; k < range.size; ++k) {
        const std::size_t at_k = range.begin + k;
        const double* radial = &radial_[at_k * 3 * n_radial];
        const Vec3& wave = k_[at_k];
        const double turn =
            turned_.empty() ? 0.0 : turned_[at_k][static_cast<std::size_t>(a)][static_cast<std::size_t>(b)];
        for (int l = 0, lm = 0; l <= shape_.l_max; ++l) {
            for (int m = -l; m <= l; ++m, ++lm) {
                const double y = harmonics_[at_k * n_lm_ + static_cast<std::size_t>(lm)];
                const double dy = harmonic_derivative(at_k, a, lm);
                for (std::size_t q = 0; q < n_q_; ++q) {
                    const std::size_t f = static_cast<std::size_t>(l) * n_max + q % n_max, channel = q / n_max;
                    const double db =
                        -wave[static_cast<std::size_t>(b)] *
                            (radial[n_radial + f] * wave[static_cast<std::size_t>(a)] * y + radial[f] * dy) -
                        radial[2 * n_radial + f] * turn * y - (a == b ? radial[f] * y : 0.0);
                    const double c = structure_[channel * 2 * n_k + at_k],
                                 s = structure_[(channel * 2 + 1) * n_k + at_k];
                    const std::size_t column = static_cast<std::size_t>(lm) * n_q_ + q;
                    matrix[k * n_columns_ + column] = sign_of(l) * db * (l % 2 == 0 ? c : s);
                    matrix[(range.size + k) * n_columns_ + column] = sign_of(l) * db * (l % 2 == 0 ? s : -c);
                }
            }
        }
    }
}

void KSum::zero_wave_vector_strain(const Atoms& atoms, const double* v_adj, Mat3& strain, Mat3* atom_strain) const {
    const double factor = std::sqrt(4.0 * pi) / lattice_.volume;
    const double* counts = &structure_[static_cast<std::size_t>(channels_.size()) * 2 * integers_.size()];
    const std::size_t n_max = static_cast<std::size_t>(shape_.n_max);
    for (int i = 0; i < atoms.n_local; ++i) {
        if (atoms.species[i] < 0) continue;
        double energy = 0.0, turn = 0.0;
        for (std::size_t q = 0; q < n_q_; ++q) {
            const double weight = v_adj[static_cast<std::size_t>(i) * shape_.size() + q] * factor * counts[q / n_max];
            energy += weight * zero_[q % n_max];
            turn += weight * zero_[n_max + q % n_max];
        }
        Mat3 change = turn * turned_zero_;
        for (std::size_t a = 0; a < 3; ++a) change[a][a] += energy;
        strain -= change;
        if (atom_strain != nullptr) atom_strain[i] -= change;
    }
}

void KSum::backward(const Atoms& atoms, const double* v_adj, Vec3* gradient, Mat3& strain, Mat3* atom_strain) {
    adjoint_of_structure(atoms, v_adj, strain);
    communicator_->sum(structure_adjoint_.data(), structure_adjoint_.size());
    forces(atoms, v_adj, gradient);
    zero_wave_vector_strain(atoms, v_adj, strain, atom_strain);
    if (atom_strain != nullptr) atom_strains(atoms, v_adj, atom_strain);
}

/// dE/dC and dE/dS of every channel from the centers of this rank, and their share of the strain derivative.
void KSum::adjoint_of_structure(const Atoms& atoms, const double* v_adj, Mat3& strain) {
    structure_adjoint_.assign(static_cast<std::size_t>(channels_.size()) * 2 * integers_.size(), 0.0);
    if (atoms.n_local == 0) return;
    std::vector<Mat3> strains(static_cast<std::size_t>(n_threads_), Mat3{});
    for_shares(n_threads_, n_blocks(), [&](std::size_t begin, std::size_t end, std::size_t share) {
        for (std::size_t b = begin; b < end; ++b) adjoint_of_block(atoms, v_adj, block(b), work(share), strains[share]);
    });
    for (const Mat3& part : strains) {
        for (std::size_t ab = 0; ab < 9; ++ab) strain[ab / 3][ab % 3] += part[ab / 3][ab % 3];
    }
}

void KSum::adjoint_of_block(const Atoms& atoms, const double* v_adj, Range range, Work& mine, Mat3& strain) {
    const std::size_t n_k = integers_.size(), n_max = static_cast<std::size_t>(shape_.n_max);
    const std::size_t n_radial = description_.reciprocal.n_functions;
    AlignedVector<double>& sums = mine.product;
    sums.resize(n_columns_ * 2 * k_block);
    for (int begin = 0; begin < atoms.n_local; begin += atom_block) {
        const int end = std::min(begin + atom_block, atoms.n_local);
        phases(atoms, begin, end, range, mine.phases.data());
        blas::gemm(blas::Op::transpose, blas::Op::none, n_columns_, 2 * range.size,
                   static_cast<std::size_t>(end - begin), 1.0, v_adj + static_cast<std::size_t>(begin) * n_columns_,
                   n_columns_, mine.phases.data(), 2 * range.size, begin == 0 ? 0.0 : 1.0, sums.data(), 2 * range.size);
    }
    for (std::size_t column = 0; column < n_columns_; ++column) {
        const std::size_t lm = column / n_q_, q = column % n_q_;
        const int l = static_cast<int>(std::sqrt(static_cast<double>(lm)));
        const std::size_t f = static_cast<std::size_t>(l) * n_max + q % n_max;
        const double* w_cos = &sums[column * 2 * range.size];
        const double* w_sin = w_cos + range.size;
        double* c_adj = &structure_adjoint_[q / n_max * 2 * n_k + range.begin];
        double* s_adj = c_adj + n_k;
        for (std::size_t k = 0; k < range.size; ++k) {
            const double value =
                sign_of(l) * radial_[(range.begin + k) * 3 * n_radial + f] * harmonics_[(range.begin + k) * n_lm_ + lm];
            c_adj[k] += value * (l % 2 == 0 ? w_cos[k] : -w_sin[k]);
            s_adj[k] += value * (l % 2 == 0 ? w_sin[k] : w_cos[k]);
        }
    }
    structure_strain(range, sums.data(), strain);
}

/// sums: (n_columns, 2 k.size) sum_i w_i (cos, sin)
void KSum::structure_strain(Range range, const double* sums, Mat3& strain) const {
    const std::size_t n_k = integers_.size(), n_max = static_cast<std::size_t>(shape_.n_max);
    const std::size_t n_radial = description_.reciprocal.n_functions;
    for (std::size_t k = 0; k < range.size; ++k) {
        const std::size_t at_k = range.begin + k;
        const double* radial = &radial_[at_k * 3 * n_radial];
        double isotropic = 0.0, turned = 0.0;
        Vec3 along{};
        for (int l = 0, lm = 0; l <= shape_.l_max; ++l) {
            for (int m = -l; m <= l; ++m, ++lm) {
                double value = 0.0, slope = 0.0, turn = 0.0;
                for (std::size_t q = 0; q < n_q_; ++q) {
                    const std::size_t column = static_cast<std::size_t>(lm) * n_q_ + q, channel = q / n_max;
                    const double c = structure_[channel * 2 * n_k + at_k],
                                 s = structure_[(channel * 2 + 1) * n_k + at_k];
                    const double w_cos = sums[column * 2 * range.size + k];
                    const double w_sin = sums[(column * 2 + 1) * range.size + k];
                    const double energy = l % 2 == 0 ? w_cos * c + w_sin * s : w_cos * s - w_sin * c;
                    const std::size_t f = static_cast<std::size_t>(l) * n_max + q % n_max;
                    value += energy * radial[f];
                    slope += energy * radial[n_radial + f];
                    turn += energy * radial[2 * n_radial + f];
                }
                const double y = sign_of(l) * harmonics_[at_k * n_lm_ + static_cast<std::size_t>(lm)];
                isotropic += value * y;
                turned += turn * y;
                for (std::size_t a = 0; a < 3; ++a) {
                    along[a] += slope * y * k_[at_k][a] +
                                value * sign_of(l) * harmonic_derivative(at_k, static_cast<int>(a), lm);
                }
            }
        }
        for (std::size_t a = 0; a < 3; ++a) {
            strain[a][a] -= isotropic;
            for (std::size_t b = 0; b < 3; ++b) strain[a][b] -= along[a] * k_[at_k][b];
        }
        if (!turned_.empty()) strain -= turned * turned_[at_k];
    }
}

void KSum::forces(const Atoms& atoms, const double* v_adj, Vec3* gradient) {
    std::vector<double> source(static_cast<std::size_t>(channels_.n_species()) * 2 * k_block), k_x(3 * k_block);
    for (std::size_t b = 0; b < n_blocks(); ++b) {
        const Range range = block(b);
        field_matrix(range, matrix_.data());
        for (std::size_t k = 0; k < range.size; ++k) {
            for (std::size_t x = 0; x < 3; ++x) k_x[x * k_block + k] = k_[range.begin + k][x];
        }
        source_adjoint(range, source.data());
        for_atom_blocks(atoms.n_local, [&](int begin, int end, Work& mine) {
            mine.product.resize(std::max(mine.product.size(), static_cast<std::size_t>(atom_block) * 2 * k_block));
            phases(atoms, begin, end, range, mine.phases.data());
            blas::gemm(blas::Op::none, blas::Op::transpose, static_cast<std::size_t>(end - begin), 2 * range.size,
                       n_columns_, 1.0, v_adj + static_cast<std::size_t>(begin) * n_columns_, n_columns_,
                       matrix_.data(), n_columns_, 0.0, mine.product.data(), 2 * range.size);
            for (int i = begin; i < end; ++i) {
                if (atoms.species[i] < 0) continue;
                const std::size_t row = static_cast<std::size_t>(i - begin) * 2 * range.size;
                const double* c_adj = &mine.product[row];
                const double* c_source = &source[static_cast<std::size_t>(atoms.species[i]) * 2 * k_block];
                add_force(range.size, c_adj, c_source, &mine.phases[row], k_x.data(), gradient[i]);
            }
        });
    }
}

/// dE/d(C, S) of every species, from those of the channels.
void KSum::source_adjoint(Range range, double* source) const {
    const std::size_t n_k = integers_.size();
    std::fill_n(source, static_cast<std::size_t>(channels_.n_species()) * 2 * k_block, 0.0);
    for (int a = 0; a < channels_.n_species(); ++a) {
        for (int channel = 0; channel < channels_.size(); ++channel) {
            const double weight = channels_.weight(channel, a);
            if (weight == 0.0) continue;
            const double* q = &structure_adjoint_[static_cast<std::size_t>(channel) * 2 * n_k + range.begin];
            double* out = source + static_cast<std::size_t>(a) * 2 * k_block;
            for (std::size_t k = 0; k < range.size; ++k) out[k] += weight * q[k];
            for (std::size_t k = 0; k < range.size; ++k) out[range.size + k] += weight * q[n_k + k];
        }
    }
}

/// Adds dV/d eps_ab of a block of atoms, without the k = 0 term: rows of n_columns.
void KSum::contract_strain(const Atoms& atoms, int begin, int end, int a, int b, Work& mine, double* out) const {
    for (std::size_t n = 0; n < n_blocks(); ++n) {
        const Range range = block(n);
        strain_matrix(range, a, b, mine.matrix.data());
        phases(atoms, begin, end, range, mine.phases.data());
        blas::gemm(blas::Op::none, blas::Op::none, static_cast<std::size_t>(end - begin), n_columns_, 2 * range.size,
                   1.0, mine.phases.data(), 2 * range.size, mine.matrix.data(), n_columns_, 1.0, out, n_columns_);
    }
}

void KSum::atom_strains(const Atoms& atoms, const double* v_adj, Mat3* atom_strain) {
    for_atom_blocks(atoms.n_local, [&](int begin, int end, Work& mine) {
        std::vector<double> slope(static_cast<std::size_t>(atom_block) * n_columns_);
        for (int ab = 0; ab < 9; ++ab) {
            std::fill(slope.begin(), slope.end(), 0.0);
            contract_strain(atoms, begin, end, ab / 3, ab % 3, mine, slope.data());
            for (int i = begin; i < end; ++i) {
                double sum = 0.0;
                for (std::size_t column = 0; column < n_columns_; ++column) {
                    sum += v_adj[static_cast<std::size_t>(i) * n_columns_ + column] *
                           slope[static_cast<std::size_t>(i - begin) * n_columns_ + column];
                }
                atom_strain[i][static_cast<std::size_t>(ab / 3)][static_cast<std::size_t>(ab % 3)] += sum;
            }
        }
    });
}

}  // namespace mlcalc
