// SPDX-License-Identifier: BSD-3-Clause
#include "far_field/ksum/ksum.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/blas.hpp"
#include "base/threads.hpp"

namespace mlcalc {
namespace {

constexpr double pi = 3.14159265358979323846;

}  // namespace

KSum::WaveVectors KSum::wave_vectors(double k_cutoff, const Mat3& cell) {
    WaveVectors out;
    const Lattice lattice(cell);
    int most[3];
    for (int a = 0; a < 3; ++a) most[a] = static_cast<int>(k_cutoff * lattice.length(a) / (2 * pi)) + 1;
    for (int n1 = 0; n1 <= most[0]; ++n1) {
        for (int n2 = n1 == 0 ? 0 : -most[1]; n2 <= most[1]; ++n2) {
            for (int n3 = n1 == 0 && n2 == 0 ? 1 : -most[2]; n3 <= most[2]; ++n3) {
                const Vec3 k = lattice.wave_vector(n1, n2, n3);
                if (std::hypot(k[0], k[1], k[2]) < k_cutoff) out.push_back({n1, n2, n3});
            }
        }
    }
    return out;
}

KSum::KSum(const FieldDescription& description, std::shared_ptr<const NearPart> near, SlabPadding padding,
           double k_cutoff, WaveVectors wave_vectors, int n_threads, Communicator& communicator)
    : description_(description),
      spectrum_(description_, std::move(near), padding),
      channels_(description.n_species, description.mixing),
      shape_(description.shape()),
      solid_(description.l_max),
      communicator_(&communicator),
      k_cutoff_(k_cutoff),
      n_threads_(n_threads),
      integers_(std::move(wave_vectors)),
      n_lm_(static_cast<std::size_t>(shape_.n_lm())),
      n_q_(static_cast<std::size_t>(shape_.n_q())),
      n_columns_(n_lm_ * n_q_),
      work_(static_cast<std::size_t>(n_threads)) {
    for (const auto& n : integers_) {
        for (std::size_t a = 0; a < 3; ++a) largest_[a] = std::max(largest_[a], std::abs(n[a]));
    }
}

KSum::Range KSum::block(std::size_t b) const {
    return {b * k_block, std::min(k_block, integers_.size() - b * k_block)};
}

void KSum::set_cell(const Mat3& cell) {
    if (cell == lattice_.cell) return;
    lattice_ = Lattice(cell);
    const std::size_t n_k = integers_.size(), n_radial = description_.reciprocal.n_functions;
    k_.resize(n_k);
    radial_.assign(n_k * 3 * n_radial, 0.0);
    harmonics_.resize(n_k * n_lm_);
    harmonics_gradient_.resize(n_k * 3 * n_lm_);
    if (spectrum_.padding().there()) turned_.resize(n_k);
    for_shares(n_threads_, n_k, [&](std::size_t begin, std::size_t end, std::size_t) { set_wave_vectors(begin, end); });
    set_zero_wave_vector();
}

void KSum::set_wave_vectors(std::size_t begin, std::size_t end) {
    const std::size_t n_radial = description_.reciprocal.n_functions;
    const FilterBank& bank = spectrum_.bank();
    FieldSpectrum::Values f(bank.size());
    for (std::size_t k = begin; k < end; ++k) {
        k_[k] = lattice_.wave_vector(integers_[k][0], integers_[k][1], integers_[k][2]);
        solid_.evaluate(k_[k], &harmonics_[k * n_lm_], &harmonics_gradient_[k * 3 * n_lm_]);
        spectrum_.evaluate(k_[k], integers_[k], f);
        const double prefactor = 8.0 * pi / lattice_.volume;  // k and -k
        double* radial = &radial_[k * 3 * n_radial];
        for (std::size_t q = 0; q < bank.size(); ++q) {
            for (const FilterBank::Use& use : bank.uses[q]) {
                const auto at = static_cast<std::size_t>(use.l * shape_.n_max + use.n);
                radial[at] += prefactor * use.weight * f.value[q];
                radial[n_radial + at] += prefactor * use.weight * f.slope[q];
                radial[2 * n_radial + at] += prefactor * use.weight * f.turn[q];
            }
        }
        if (!turned_.empty()) turned_[k] = spectrum_.padding().turned(lattice_, k_[k]);
    }
}

void KSum::set_zero_wave_vector() {
    const FilterBank& bank = spectrum_.bank();
    const auto n_max = static_cast<std::size_t>(shape_.n_max);
    FieldSpectrum::Values f(bank.size());
    spectrum_.evaluate({}, {}, f);
    zero_.assign(2 * n_max, 0.0);
    for (std::size_t q = 0; q < bank.size(); ++q) {
        for (const FilterBank::Use& use : bank.uses[q]) {
            if (use.l != 0) continue;
            zero_[static_cast<std::size_t>(use.n)] += use.weight * f.value[q];
            zero_[n_max + static_cast<std::size_t>(use.n)] += use.weight * f.turn[q];
        }
    }
    if (spectrum_.padding().there()) turned_zero_ = spectrum_.padding().turned(lattice_, {});
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

KSum::Work& KSum::work(std::size_t thread) {
    Work& out = work_[thread];
    out.phases.resize(static_cast<std::size_t>(atom_block) * 2 * k_block);
    out.matrix.resize(2 * k_block * n_columns_);
    return out;
}

void KSum::structure_factors(const Atoms& atoms) {
    const std::size_t n_k = integers_.size(), n_channels = static_cast<std::size_t>(channels_.size());
    const std::size_t n_species = static_cast<std::size_t>(channels_.n_species());
    std::vector<double> of_species(n_species * (2 * n_k + 1), 0.0);
    double* counts = of_species.data() + n_species * 2 * n_k;
    for (int i = 0; i < atoms.n_local; ++i) {
        if (atoms.species[i] >= 0) counts[atoms.species[i]] += 1.0;
    }
    for_shares(n_threads_, n_blocks(), [&](std::size_t b_begin, std::size_t b_end, std::size_t share) {
        AlignedVector<double>& phases_of_block = work(share).phases;
        for (std::size_t b = b_begin; b < b_end; ++b) {
            const Range range = block(b);
            for (int begin = 0; begin < atoms.n_local; begin += atom_block) {
                const int end = std::min(begin + atom_block, atoms.n_local);
                phases(atoms, begin, end, range, phases_of_block.data());
                for (int i = begin; i < end; ++i) {
                    if (atoms.species[i] < 0) continue;
                    const double* row = &phases_of_block[static_cast<std::size_t>(i - begin) * 2 * range.size];
                    double* sum = &of_species[static_cast<std::size_t>(atoms.species[i]) * 2 * n_k + range.begin];
                    for (std::size_t k = 0; k < range.size; ++k) sum[k] += row[k];
                    for (std::size_t k = 0; k < range.size; ++k) sum[n_k + k] += row[range.size + k];
                }
            }
        }
    });
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
    for_shares(n_threads_, range.size,
               [&](std::size_t begin, std::size_t end, std::size_t) { field_rows(range, begin, end, matrix); });
}

void KSum::field_rows(Range range, std::size_t begin, std::size_t end, double* matrix) const {
    const std::size_t n_k = integers_.size(), n_max = static_cast<std::size_t>(shape_.n_max);
    const std::size_t n_radial = description_.reciprocal.n_functions;
    for (std::size_t k = begin; k < end; ++k) {
        const double* radial = &radial_[(range.begin + k) * 3 * n_radial];
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

void KSum::compute(const Atoms& atoms, double* v) {
    set_cell(atoms.cell);
    structure_factors(atoms);
    std::fill_n(v, static_cast<std::size_t>(atoms.n_local) * n_columns_, 0.0);
    matrix_.resize(2 * k_block * n_columns_);
    for (std::size_t b = 0; b < n_blocks(); ++b) {
        const Range range = block(b);
        field_matrix(range, matrix_.data());
        for_atom_blocks(atoms.n_local, [&](int begin, int end, Work& mine) {
            phases(atoms, begin, end, range, mine.phases.data());
            blas::gemm(blas::Op::none, blas::Op::none, static_cast<std::size_t>(end - begin), n_columns_,
                       2 * range.size, 1.0, mine.phases.data(), 2 * range.size, matrix_.data(), n_columns_, 1.0,
                       v + static_cast<std::size_t>(begin) * n_columns_, n_columns_);
        });
    }
    for (int i = 0; i < atoms.n_local; ++i) {
        if (atoms.species[i] < 0) std::fill_n(v + static_cast<std::size_t>(i) * n_columns_, n_columns_, 0.0);
    }
    add_zero_wave_vector(atoms, v);
}

/// The k = 0 term of l = 0.
void KSum::add_zero_wave_vector(const Atoms& atoms, double* v) const {
    const double factor = std::sqrt(4.0 * pi) / lattice_.volume;
    const double* counts = &structure_[static_cast<std::size_t>(channels_.size()) * 2 * integers_.size()];
    for (int i = 0; i < atoms.n_local; ++i) {
        if (atoms.species[i] < 0) continue;
        for (std::size_t q = 0; q < n_q_; ++q) {
            const std::size_t n_max = static_cast<std::size_t>(shape_.n_max);
            v[static_cast<std::size_t>(i) * shape_.size() + q] += factor * counts[q / n_max] * zero_[q % n_max];
        }
    }
}

FieldEvaluator::Memory KSum::memory() const {
    Memory out;
    out.mesh = 8 * (3 * k_.capacity() + radial_.capacity() + harmonics_.capacity() + harmonics_gradient_.capacity() +
                    9 * turned_.capacity() + structure_.capacity() + structure_adjoint_.capacity());
    return out;
}

std::string KSum::summary() const {
    char text[160];
    std::snprintf(text, sizeof text, "k-sum, %zu wave vectors, k_cutoff %.3f / Angstrom", integers_.size(), k_cutoff_);
    return text;
}

}  // namespace mlcalc
