// SPDX-License-Identifier: BSD-3-Clause
#include "ksum.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "blas.hpp"

namespace mlcalc {
namespace {

using blas::gemm;
using blas::Op;

constexpr double pi = 3.14159265358979323846;
constexpr int atom_block = 96;
constexpr std::size_t k_block = 512;

/// i^l = sign for even l, i * sign for odd l
double sign_of(int l) {
    return l % 4 < 2 ? 1.0 : -1.0;
}

int n_blocks_of(int n) {
    return (n + atom_block - 1) / atom_block;
}

}  // namespace

KSum::KSum(const PotentialDescription& description, double k_cutoff, const Mat3& cell, Communicator& communicator)
    : description_(description),
      channels_(description),
      shape_(description.shape()),
      power_(description.exponent, description.smearing),
      solid_(description.l_max),
      communicator_(&communicator),
      k_cutoff_(k_cutoff),
      n_lm_(static_cast<std::size_t>(shape_.n_lm())),
      n_q_(static_cast<std::size_t>(shape_.n_q())),
      n_columns_(n_lm_ * n_q_) {
    const Lattice lattice(cell);
    int most[3];
    for (int a = 0; a < 3; ++a) most[a] = static_cast<int>(k_cutoff * lattice.length(a) / (2 * pi)) + 1;
    for (int n1 = 0; n1 <= most[0]; ++n1) {
        for (int n2 = n1 == 0 ? 0 : -most[1]; n2 <= most[1]; ++n2) {
            for (int n3 = n1 == 0 && n2 == 0 ? 1 : -most[2]; n3 <= most[2]; ++n3) {
                const Vec3 k = lattice.wave_vector(n1, n2, n3);
                if (std::hypot(k[0], k[1], k[2]) < k_cutoff) integers_.push_back({n1, n2, n3});
            }
        }
    }
    for (const auto& n : integers_) {
        for (std::size_t a = 0; a < 3; ++a) largest_[a] = std::max(largest_[a], std::abs(n[a]));
    }
    set_cell(cell);
}

KSum::Range KSum::block(std::size_t k) const {
    return {k, std::min(k_block, integers_.size() - k)};
}

void KSum::set_cell(const Mat3& cell) {
    if (cell == lattice_.cell) return;
    lattice_ = Lattice(cell);
    const std::size_t n_k = integers_.size(), n_radial = description_.reciprocal.n_functions;
    k_.resize(n_k);
    radial_.assign(n_k * 2 * n_radial, 0.0);
    harmonics_.resize(n_k * n_lm_);
    harmonics_gradient_.resize(n_k * 3 * n_lm_);
    std::vector<double> f(n_radial), df(n_radial);
    for (std::size_t k = 0; k < n_k; ++k) {
        k_[k] = lattice_.wave_vector(integers_[k][0], integers_[k][1], integers_[k][2]);
        const double norm = std::hypot(k_[k][0], k_[k][1], k_[k][2]);
        solid_.evaluate(k_[k], &harmonics_[k * n_lm_], &harmonics_gradient_[k * 3 * n_lm_]);
        if (norm > description_.reciprocal.x_max()) continue;  // a much compressed cell; the term has decayed
        double g, dg;
        power_.evaluate(norm, g, dg);
        description_.reciprocal.evaluate(norm, f.data(), df.data());
        const double prefactor = 8.0 * pi / lattice_.volume;  // k and -k
        double* radial = &radial_[k * 2 * n_radial];
        for (std::size_t q = 0; q < n_radial; ++q) {
            radial[q] = prefactor * g * f[q];
            radial[n_radial + q] = prefactor * (dg * f[q] + g * df[q]) / norm;
        }
    }
}

/// cos(k.r_i), then sin(k.r_i), of the wave vectors of a block: rows of 2 * k.size.
void KSum::phases(const Atoms& atoms, int begin, int end, Range range, double* out) const {
    std::array<std::vector<double>, 3> c, s;  // e^(2 pi i n x), n = -largest .. largest
    for (std::size_t a = 0; a < 3; ++a) {
        c[a].resize(static_cast<std::size_t>(2 * largest_[a] + 1));
        s[a].resize(c[a].size());
    }
    for (int i = begin; i < end; ++i) {
        const Vec3 fractional = lattice_.fractional(atoms.positions[i]);
        for (std::size_t a = 0; a < 3; ++a) {
            const double angle = 2.0 * pi * (fractional[a] - std::floor(fractional[a]));
            const double cos1 = std::cos(angle), sin1 = std::sin(angle);
            const auto middle = static_cast<std::size_t>(largest_[a]);
            c[a][middle] = 1.0;
            s[a][middle] = 0.0;
            for (std::size_t n = 1; n <= middle; ++n) {
                const double cn = c[a][middle + n - 1], sn = s[a][middle + n - 1];
                c[a][middle + n] = c[a][middle - n] = cn * cos1 - sn * sin1;
                s[a][middle + n] = sn * cos1 + cn * sin1;
                s[a][middle - n] = -s[a][middle + n];
            }
        }
        double* cos_row = out + static_cast<std::size_t>(i - begin) * 2 * range.size;
        double* sin_row = cos_row + range.size;
        for (std::size_t k = 0; k < range.size;) {
            const auto& n = integers_[range.begin + k];
            std::size_t run = 1;
            while (k + run < range.size && integers_[range.begin + k + run][0] == n[0] &&
                   integers_[range.begin + k + run][1] == n[1]) {
                ++run;
            }
            const auto x = static_cast<std::size_t>(n[0] + largest_[0]),
                       y = static_cast<std::size_t>(n[1] + largest_[1]);
            const double cxy = c[0][x] * c[1][y] - s[0][x] * s[1][y], sxy = s[0][x] * c[1][y] + c[0][x] * s[1][y];
            const double* cz = &c[2][static_cast<std::size_t>(n[2] + largest_[2])];
            const double* sz = &s[2][static_cast<std::size_t>(n[2] + largest_[2])];
            for (std::size_t t = 0; t < run; ++t) {  // n3 is contiguous: the list is a convex ball
                cos_row[k + t] = cxy * cz[t] - sxy * sz[t];
                sin_row[k + t] = sxy * cz[t] + cxy * sz[t];
            }
            k += run;
        }
    }
}

void KSum::structure_factors(const Atoms& atoms) {
    const std::size_t n_k = integers_.size(), n_channels = static_cast<std::size_t>(channels_.size());
    const std::size_t n_species = static_cast<std::size_t>(channels_.n_species());
    std::vector<double> of_species(n_species * (2 * n_k + 1), 0.0);
    double* counts = of_species.data() + n_species * 2 * n_k;
    for (int i = 0; i < atoms.n_local; ++i) {
        if (atoms.species[i] >= 0) counts[atoms.species[i]] += 1.0;
    }
    phases_.resize(static_cast<std::size_t>(atom_block) * 2 * k_block);
    for (std::size_t first = 0; first < n_k; first += k_block) {
        const Range range = block(first);
        for (int begin = 0; begin < atoms.n_local; begin += atom_block) {
            const int end = std::min(begin + atom_block, atoms.n_local);
            phases(atoms, begin, end, range, phases_.data());
            for (int i = begin; i < end; ++i) {
                if (atoms.species[i] < 0) continue;
                const double* row = &phases_[static_cast<std::size_t>(i - begin) * 2 * range.size];
                double* sum = &of_species[static_cast<std::size_t>(atoms.species[i]) * 2 * n_k + range.begin];
                for (std::size_t k = 0; k < range.size; ++k) sum[k] += row[k];
                for (std::size_t k = 0; k < range.size; ++k) sum[n_k + k] += row[range.size + k];
            }
        }
    }
    communicator_->sum(of_species.data(), of_species.size());
    structure_.assign(n_channels * (2 * n_k + 1), 0.0);
    for (std::size_t channel = 0; channel < n_channels; ++channel) {
        for (std::size_t a = 0; a < n_species; ++a) {
            const double weight = channels_.weight(static_cast<int>(channel), static_cast<int>(a));
            if (weight == 0.0) continue;
            for (std::size_t k = 0; k < 2 * n_k; ++k) {
                structure_[channel * 2 * n_k + k] += weight * of_species[a * 2 * n_k + k];
            }
            structure_[n_channels * 2 * n_k + channel] += weight * counts[a];
        }
    }
}

/// M with V = (cos, sin) M: column lm * n_q + q, q = channel * n_max + n.
void KSum::field_matrix(Range range, double* matrix) const {
    const std::size_t n_k = integers_.size(), n_max = static_cast<std::size_t>(shape_.n_max);
    const std::size_t n_radial = description_.reciprocal.n_functions;
    for (std::size_t k = 0; k < range.size; ++k) {
        const double* radial = &radial_[(range.begin + k) * 2 * n_radial];
        const double* harmonics = &harmonics_[(range.begin + k) * n_lm_];
        double* cos_row = matrix + k * n_columns_;
        double* sin_row = matrix + (range.size + k) * n_columns_;
        for (int l = 0, lm = 0; l <= shape_.l_max; ++l) {
            const double sign = sign_of(l);
            for (int m = -l; m <= l; ++m, ++lm) {
                const std::size_t at = static_cast<std::size_t>(lm) * n_q_;
                for (std::size_t channel = 0, q = at; channel * n_max < n_q_; ++channel) {
                    const double c = structure_[channel * 2 * n_k + range.begin + k];
                    const double s = structure_[(channel * 2 + 1) * n_k + range.begin + k];
                    for (std::size_t n = 0; n < n_max; ++n, ++q) {
                        const double b = sign * radial[static_cast<std::size_t>(l) * n_max + n] * harmonics[lm];
                        cos_row[q] = b * (l % 2 == 0 ? c : s);
                        sin_row[q] = b * (l % 2 == 0 ? s : -c);
                    }
                }
            }
        }
    }
}

/// The same with the strain derivative of the prefactor: d k_a / d eps_ab = -k_b.
void KSum::strain_matrix(Range range, int a, int b, double* matrix) const {
    const std::size_t n_k = integers_.size(), n_max = static_cast<std::size_t>(shape_.n_max);
    const std::size_t n_radial = description_.reciprocal.n_functions;
    for (std::size_t k = 0; k < range.size; ++k) {
        const std::size_t at_k = range.begin + k;
        const double* radial = &radial_[at_k * 2 * n_radial];
        const Vec3& wave = k_[at_k];
        for (int l = 0, lm = 0; l <= shape_.l_max; ++l) {
            for (int m = -l; m <= l; ++m, ++lm) {
                const double y = harmonics_[at_k * n_lm_ + static_cast<std::size_t>(lm)];
                const double dy = harmonic_derivative(at_k, a, lm);
                for (std::size_t q = 0; q < n_q_; ++q) {
                    const std::size_t f = static_cast<std::size_t>(l) * n_max + q % n_max, channel = q / n_max;
                    const double db =
                        -wave[static_cast<std::size_t>(b)] *
                            (radial[n_radial + f] * wave[static_cast<std::size_t>(a)] * y + radial[f] * dy) -
                        (a == b ? radial[f] * y : 0.0);
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

/// Coefficients of a block of atoms without the padding, zero for atoms that are no centres.
void KSum::fold(const double* v, int begin, int end, double* compact) const {
    const std::size_t stride = static_cast<std::size_t>(shape_.stride());
    for (int i = begin; i < end; ++i) {
        const double* v_i = v + static_cast<std::size_t>(i) * shape_.size();
        double* row = compact + static_cast<std::size_t>(i - begin) * n_columns_;
        for (std::size_t lm = 0; lm < n_lm_; ++lm) std::copy_n(v_i + lm * stride, n_q_, row + lm * n_q_);
    }
}

void KSum::compute(const Atoms& atoms, double* v) {
    set_cell(atoms.cell);
    structure_factors(atoms);
    const std::size_t stride = static_cast<std::size_t>(shape_.stride());
    std::fill_n(v, static_cast<std::size_t>(atoms.n_local) * shape_.size(), 0.0);
    matrix_.resize(2 * k_block * n_columns_);
    product_.assign(static_cast<std::size_t>(atoms.n_local) * n_columns_, 0.0);
    for (std::size_t first = 0; first < integers_.size(); first += k_block) {
        const Range range = block(first);
        field_matrix(range, matrix_.data());
        for (int begin = 0; begin < atoms.n_local; begin += atom_block) {
            const int end = std::min(begin + atom_block, atoms.n_local);
            phases(atoms, begin, end, range, phases_.data());
            gemm(Op::none, Op::none, static_cast<std::size_t>(end - begin), n_columns_, 2 * range.size, 1.0,
                 phases_.data(), 2 * range.size, matrix_.data(), n_columns_, 1.0,
                 &product_[static_cast<std::size_t>(begin) * n_columns_], n_columns_);
        }
    }
    for (int i = 0; i < atoms.n_local; ++i) {
        if (atoms.species[i] < 0) continue;
        const double* row = &product_[static_cast<std::size_t>(i) * n_columns_];
        double* v_i = v + static_cast<std::size_t>(i) * shape_.size();
        for (std::size_t lm = 0; lm < n_lm_; ++lm) std::copy_n(row + lm * n_q_, n_q_, v_i + lm * stride);
    }
    add_zero_wave_vector(atoms, v);
    correct_centers(description_, channels_, atoms, v);
}

/// The k = 0 term of l = 0; it survives for p = 0 and p > 3.
void KSum::add_zero_wave_vector(const Atoms& atoms, double* v) const {
    const double factor = std::sqrt(4.0 * pi) / lattice_.volume * power_.at_zero();
    const double* counts = &structure_[static_cast<std::size_t>(channels_.size()) * 2 * integers_.size()];
    for (int i = 0; factor != 0.0 && i < atoms.n_local; ++i) {
        if (atoms.species[i] < 0) continue;
        for (std::size_t q = 0; q < n_q_; ++q) {
            const std::size_t n_max = static_cast<std::size_t>(shape_.n_max);
            v[static_cast<std::size_t>(i) * shape_.size() + q] +=
                factor * counts[q / n_max] * description_.reciprocal.data[q % n_max];
        }
    }
}

void KSum::zero_wave_vector_strain(const Atoms& atoms, const double* v_adj, Mat3& strain, Mat3* atom_strain) const {
    const double factor = std::sqrt(4.0 * pi) / lattice_.volume * power_.at_zero();
    const double* counts = &structure_[static_cast<std::size_t>(channels_.size()) * 2 * integers_.size()];
    const std::size_t n_max = static_cast<std::size_t>(shape_.n_max);
    for (int i = 0; factor != 0.0 && i < atoms.n_local; ++i) {
        if (atoms.species[i] < 0) continue;
        double energy = 0.0;
        for (std::size_t q = 0; q < n_q_; ++q) {
            energy += v_adj[static_cast<std::size_t>(i) * shape_.size() + q] * factor * counts[q / n_max] *
                      description_.reciprocal.data[q % n_max];
        }
        for (std::size_t a = 0; a < 3; ++a) {
            strain[a][a] -= energy;
            if (atom_strain != nullptr) atom_strain[i][a][a] -= energy;
        }
    }
}

void KSum::backward(const Atoms& atoms, const double* v_adj, Vec3* gradient, Mat3& strain, Mat3* atom_strain) {
    compact_.resize(static_cast<std::size_t>(atoms.n_local) * n_columns_);
    fold(v_adj, 0, atoms.n_local, compact_.data());
    for (int i = 0; i < atoms.n_local; ++i) {
        if (atoms.species[i] < 0) std::fill_n(&compact_[static_cast<std::size_t>(i) * n_columns_], n_columns_, 0.0);
    }
    adjoint_of_structure(atoms, strain);
    communicator_->sum(structure_adjoint_.data(), structure_adjoint_.size());
    forces(atoms, gradient);
    zero_wave_vector_strain(atoms, v_adj, strain, atom_strain);
    if (atom_strain != nullptr) atom_strains(atoms, atom_strain);
}

/// dE/dC and dE/dS of every channel from the centres of this rank, and their share of the strain derivative.
void KSum::adjoint_of_structure(const Atoms& atoms, Mat3& strain) {
    const std::size_t n_k = integers_.size(), n_max = static_cast<std::size_t>(shape_.n_max);
    const std::size_t n_radial = description_.reciprocal.n_functions;
    structure_adjoint_.assign(static_cast<std::size_t>(channels_.size()) * 2 * n_k, 0.0);
    AlignedVector<double>& sums = product_;
    sums.resize(std::max(sums.size(), n_columns_ * 2 * k_block));
    for (std::size_t first = 0; first < n_k; first += k_block) {
        const Range range = block(first);
        for (int b = 0; b < n_blocks_of(atoms.n_local); ++b) {
            const int begin = b * atom_block, end = std::min(begin + atom_block, atoms.n_local);
            phases(atoms, begin, end, range, phases_.data());
            gemm(Op::transpose, Op::none, n_columns_, 2 * range.size, static_cast<std::size_t>(end - begin), 1.0,
                 &compact_[static_cast<std::size_t>(begin) * n_columns_], n_columns_, phases_.data(), 2 * range.size,
                 b == 0 ? 0.0 : 1.0, sums.data(), 2 * range.size);
        }
        if (atoms.n_local == 0) continue;
        for (std::size_t column = 0; column < n_columns_; ++column) {
            const std::size_t lm = column / n_q_, q = column % n_q_;
            const int l = static_cast<int>(std::sqrt(static_cast<double>(lm)));
            const std::size_t f = static_cast<std::size_t>(l) * n_max + q % n_max;
            const double* w_cos = &sums[column * 2 * range.size];
            const double* w_sin = w_cos + range.size;
            double* c_adj = &structure_adjoint_[q / n_max * 2 * n_k + range.begin];
            double* s_adj = c_adj + n_k;
            for (std::size_t k = 0; k < range.size; ++k) {
                const double value = sign_of(l) * radial_[(range.begin + k) * 2 * n_radial + f] *
                                     harmonics_[(range.begin + k) * n_lm_ + lm];
                c_adj[k] += value * (l % 2 == 0 ? w_cos[k] : -w_sin[k]);
                s_adj[k] += value * (l % 2 == 0 ? w_sin[k] : w_cos[k]);
            }
        }
        structure_strain(range, sums.data(), strain);
    }
}

/// sums: (n_columns, 2 k.size) sum_i w_i (cos, sin)
void KSum::structure_strain(Range range, const double* sums, Mat3& strain) const {
    const std::size_t n_k = integers_.size(), n_max = static_cast<std::size_t>(shape_.n_max);
    const std::size_t n_radial = description_.reciprocal.n_functions;
    for (std::size_t k = 0; k < range.size; ++k) {
        const std::size_t at_k = range.begin + k;
        const double* radial = &radial_[at_k * 2 * n_radial];
        double isotropic = 0.0;
        Vec3 along{};
        for (int l = 0, lm = 0; l <= shape_.l_max; ++l) {
            for (int m = -l; m <= l; ++m, ++lm) {
                double value = 0.0, slope = 0.0;
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
                }
                const double y = sign_of(l) * harmonics_[at_k * n_lm_ + static_cast<std::size_t>(lm)];
                isotropic += value * y;
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
    }
}

void KSum::forces(const Atoms& atoms, Vec3* gradient) const {
    const std::size_t n_k = integers_.size();
    std::vector<double> source(static_cast<std::size_t>(channels_.n_species()) * 2 * k_block);
    std::vector<double> k_x(3 * k_block);
    AlignedVector<double>& adjoint = product_;
    adjoint.resize(std::max(adjoint.size(), static_cast<std::size_t>(atom_block) * 2 * k_block));
    for (std::size_t first = 0; first < n_k; first += k_block) {
        const Range range = block(first);
        field_matrix(range, matrix_.data());
        for (std::size_t k = 0; k < range.size; ++k) {
            for (std::size_t x = 0; x < 3; ++x) k_x[x * k_block + k] = k_[range.begin + k][x];
        }
        std::fill(source.begin(), source.end(), 0.0);
        for (int a = 0; a < channels_.n_species(); ++a) {
            for (int channel = 0; channel < channels_.size(); ++channel) {
                const double weight = channels_.weight(channel, a);
                if (weight == 0.0) continue;
                const double* q = &structure_adjoint_[static_cast<std::size_t>(channel) * 2 * n_k + range.begin];
                double* out = &source[static_cast<std::size_t>(a) * 2 * k_block];
                for (std::size_t k = 0; k < range.size; ++k) out[k] += weight * q[k];
                for (std::size_t k = 0; k < range.size; ++k) out[range.size + k] += weight * q[n_k + k];
            }
        }
        for (int begin = 0; begin < atoms.n_local; begin += atom_block) {
            const int end = std::min(begin + atom_block, atoms.n_local);
            phases(atoms, begin, end, range, phases_.data());
            gemm(Op::none, Op::transpose, static_cast<std::size_t>(end - begin), 2 * range.size, n_columns_, 1.0,
                 &compact_[static_cast<std::size_t>(begin) * n_columns_], n_columns_, matrix_.data(), n_columns_, 0.0,
                 adjoint.data(), 2 * range.size);
            for (int i = begin; i < end; ++i) {
                if (atoms.species[i] < 0) continue;
                const double* c_adj = &adjoint[static_cast<std::size_t>(i - begin) * 2 * range.size];
                const double* s_adj = c_adj + range.size;
                const double* c_source = &source[static_cast<std::size_t>(atoms.species[i]) * 2 * k_block];
                const double* s_source = c_source + range.size;
                const double* c = &phases_[static_cast<std::size_t>(i - begin) * 2 * range.size];
                const double* s = c + range.size;
                double g[3] = {0.0, 0.0, 0.0};
#pragma omp simd reduction(+ : g[ : 3])
                for (std::size_t k = 0; k < range.size; ++k) {
                    const double turn = (s_adj[k] + s_source[k]) * c[k] - (c_adj[k] + c_source[k]) * s[k];
                    g[0] += turn * k_x[k];
                    g[1] += turn * k_x[k_block + k];
                    g[2] += turn * k_x[2 * k_block + k];
                }
                for (std::size_t x = 0; x < 3; ++x) gradient[i][x] += g[x];
            }
        }
    }
}

/// Adds dV/d eps_ab of a block of atoms, without the k = 0 term: rows of n_columns.
void KSum::contract_strain(const Atoms& atoms, int begin, int end, int a, int b, double* out) const {
    for (std::size_t first = 0; first < integers_.size(); first += k_block) {
        const Range range = block(first);
        strain_matrix(range, a, b, matrix_.data());
        phases(atoms, begin, end, range, phases_.data());
        gemm(Op::none, Op::none, static_cast<std::size_t>(end - begin), n_columns_, 2 * range.size, 1.0, phases_.data(),
             2 * range.size, matrix_.data(), n_columns_, 1.0, out, n_columns_);
    }
}

void KSum::atom_strains(const Atoms& atoms, Mat3* atom_strain) const {
    std::vector<double> slope(static_cast<std::size_t>(atom_block) * n_columns_);
    for (int begin = 0; begin < atoms.n_local; begin += atom_block) {
        const int end = std::min(begin + atom_block, atoms.n_local);
        for (int ab = 0; ab < 9; ++ab) {
            std::fill(slope.begin(), slope.end(), 0.0);
            contract_strain(atoms, begin, end, ab / 3, ab % 3, slope.data());
            for (int i = begin; i < end; ++i) {
                double sum = 0.0;
                for (std::size_t column = 0; column < n_columns_; ++column) {
                    sum += compact_[static_cast<std::size_t>(i) * n_columns_ + column] *
                           slope[static_cast<std::size_t>(i - begin) * n_columns_ + column];
                }
                atom_strain[i][static_cast<std::size_t>(ab / 3)][static_cast<std::size_t>(ab % 3)] += sum;
            }
        }
    }
}

std::string KSum::summary() const {
    char text[160];
    std::snprintf(text, sizeof text, "k-sum, %zu wave vectors, k_cutoff %.3f / Angstrom", integers_.size(), k_cutoff_);
    return text;
}

}  // namespace mlcalc
