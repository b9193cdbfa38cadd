// SPDX-License-Identifier: BSD-3-Clause
#include "free.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "threads.hpp"

namespace mlcalc {

FreeSum::FreeSum(const PotentialDescription& description, int n_threads, Communicator& communicator)
    : description_(description),
      channels_(description),
      shape_(description.shape()),
      solid_(description.l_max),
      n_threads_(n_threads),
      communicator_(&communicator),
      n_lm_(static_cast<std::size_t>(shape_.n_lm())),
      n_max_(static_cast<std::size_t>(shape_.n_max)),
      n_radial_(description.real.n_functions),
      work_(static_cast<std::size_t>(n_threads)) {
    if (description.real.n_knots < 2) throw std::invalid_argument("the model has no tables for free boundaries");
}

FreeSum::Work& FreeSum::work(std::size_t thread) {
    Work& out = work_[thread];
    out.value.resize(n_radial_);
    out.slope.resize(n_radial_);
    out.y.resize(n_lm_);
    out.dy.resize(3 * n_lm_);
    out.of_species.resize(static_cast<std::size_t>(channels_.n_species()) * n_lm_ * n_max_);
    return out;
}

void FreeSum::radial(double r, double* value, double* slope) const {
    if (r <= description_.real.x_max()) {
        description_.real.evaluate(r, value, slope);
        for (std::size_t f = 0; f < n_radial_; ++f) slope[f] /= r;
        return;
    }
    const double inverse = 1.0 / (r * r);
    double power = description_.exponent % 2 == 0 ? 1.0 : 1.0 / r;  // r^-(p + 2l)
    for (int k = 0; k < description_.exponent / 2; ++k) power *= inverse;
    for (std::size_t f = 0; f < n_radial_; ++f) {
        if (f > 0 && f % n_max_ == 0) power *= inverse;
        const int p_l = description_.exponent + 2 * static_cast<int>(f / n_max_);
        double sum = 0.0, derivative = 0.0;
        for (int q = description_.n_far - 1; q >= 0; --q) {
            const double term = description_.far[static_cast<std::size_t>(q) * n_radial_ + f];
            sum = sum * inverse + term;
            derivative = derivative * inverse - (p_l + 2 * q) * term;
        }
        value[f] = sum * power;
        slope[f] = derivative * power * inverse;
    }
}

void FreeSum::source(const Vec3& r, bool gradient, Work& mine) const {
    const double distance = std::sqrt(r[0] * r[0] + r[1] * r[1] + r[2] * r[2]);
    solid_.evaluate(r, mine.y.data(), gradient ? mine.dy.data() : nullptr);
    if (distance > 1e-8) {
        radial(distance, mine.value.data(), mine.slope.data());
    } else {  // the atom itself: G is even in r
        const auto knot = description_.real.data.begin();
        std::copy_n(knot, n_radial_, mine.value.data());
        std::copy_n(knot + static_cast<std::ptrdiff_t>(2 * n_radial_), n_radial_, mine.slope.data());
    }
}

Vec3 FreeSum::separation(std::size_t i, std::size_t j) const {
    const double *r_i = &all_[4 * i], *r_j = &all_[4 * j];
    return {r_j[0] - r_i[0], r_j[1] - r_i[1], r_j[2] - r_i[2]};
}

/// Positions and species of the atoms of all ranks.
void FreeSum::gather(const Atoms& atoms) {
    const auto n_local = static_cast<std::size_t>(atoms.n_local);
    std::vector<double> counts(static_cast<std::size_t>(communicator_->size()), 0.0);
    counts[static_cast<std::size_t>(communicator_->rank())] = atoms.n_local;
    communicator_->sum(counts.data(), counts.size());
    first_ = 0;
    std::size_t total = 0;
    for (std::size_t rank = 0; rank < counts.size(); ++rank) {
        if (rank == static_cast<std::size_t>(communicator_->rank())) first_ = total;
        total += static_cast<std::size_t>(counts[rank]);
    }
    all_.assign(4 * total, 0.0);
    for (std::size_t i = 0; i < n_local; ++i) {
        std::copy_n(atoms.positions[i].begin(), 3, &all_[4 * (first_ + i)]);
        all_[4 * (first_ + i) + 3] = atoms.species[i];
    }
    communicator_->sum(all_.data(), all_.size());
}

void FreeSum::compute(const Atoms& atoms, double* v) {
    gather(atoms);
    std::fill_n(v, static_cast<std::size_t>(atoms.n_local) * shape_.size(), 0.0);
    const auto n = static_cast<std::size_t>(atoms.n_local);
    for_shares(n_threads_, n, [&](std::size_t begin, std::size_t end, std::size_t share) {
        for (std::size_t i = begin; i < end; ++i) {
            if (atoms.species[i] >= 0) field_at(first_ + i, v + i * shape_.size(), work(share));
        }
    });
    correct_centers(description_, channels_, atoms, v);
}

void FreeSum::field_at(std::size_t i, double* v_i, Work& mine) const {
    const std::size_t n_pair = n_lm_ * n_max_;
    std::fill(mine.of_species.begin(), mine.of_species.end(), 0.0);
    for (std::size_t j = 0; j < all_.size() / 4; ++j) {
        if (species_of(j) < 0) continue;
        source(separation(i, j), false, mine);
        double* out = &mine.of_species[static_cast<std::size_t>(species_of(j)) * n_pair];
        const double* g = mine.value.data();
        for (std::size_t l = 0, lm = 0; l <= static_cast<std::size_t>(shape_.l_max); ++l, g += n_max_) {
            for (std::size_t m = 0; m <= 2 * l; ++m, ++lm) {
                for (std::size_t n = 0; n < n_max_; ++n) *out++ += g[n] * mine.y[lm];
            }
        }
    }
    for (int channel = 0; channel < channels_.size(); ++channel) {
        for (int a = 0; a < channels_.n_species(); ++a) {
            const double weight = channels_.weight(channel, a);
            const double* field = &mine.of_species[static_cast<std::size_t>(a) * n_pair];
            for (std::size_t k = 0; k < n_pair && weight != 0.0; ++k) {
                v_i[k / n_max_ * static_cast<std::size_t>(shape_.stride()) +
                    static_cast<std::size_t>(channel) * n_max_ + k % n_max_] += weight * field[k];
            }
        }
    }
}

/// dE/d(field of each species) from dE/dV.
void FreeSum::mix_adjoint(const double* v_adj_i, Work& mine) const {
    const std::size_t n_pair = n_lm_ * n_max_;
    std::fill(mine.of_species.begin(), mine.of_species.end(), 0.0);
    for (int channel = 0; channel < channels_.size(); ++channel) {
        for (int a = 0; a < channels_.n_species(); ++a) {
            const double weight = channels_.weight(channel, a);
            double* w = &mine.of_species[static_cast<std::size_t>(a) * n_pair];
            for (std::size_t k = 0; k < n_pair && weight != 0.0; ++k) {
                w[k] += weight * v_adj_i[k / n_max_ * static_cast<std::size_t>(shape_.stride()) +
                                         static_cast<std::size_t>(channel) * n_max_ + k % n_max_];
            }
        }
    }
}

/// dE/dr of sum_lmn w_lmn G_nl S_lm for one source at `r`.
Vec3 FreeSum::pair_gradient(const Vec3& r, int species, Work& mine) const {
    source(r, true, mine);
    const double* w = &mine.of_species[static_cast<std::size_t>(species) * n_lm_ * n_max_];
    Vec3 out{};
    double along = 0.0;
    for (std::size_t l = 0, lm = 0; l <= static_cast<std::size_t>(shape_.l_max); ++l) {
        const double *g = &mine.value[l * n_max_], *slope = &mine.slope[l * n_max_];
        for (std::size_t m = 0; m <= 2 * l; ++m, ++lm, w += n_max_) {
            double value = 0.0, derivative = 0.0;
            for (std::size_t n = 0; n < n_max_; ++n) {
                value += w[n] * g[n];
                derivative += w[n] * slope[n];
            }
            along += derivative * mine.y[lm];
            for (std::size_t x = 0; x < 3; ++x) out[x] += value * mine.dy[x * n_lm_ + lm];
        }
    }
    for (std::size_t x = 0; x < 3; ++x) out[x] += along * r[x];
    return out;
}

void FreeSum::backward(const Atoms& atoms, const double* v_adj, Vec3* gradient, Mat3& strain, Mat3* atom_strain) {
    const std::size_t total = all_.size() / 4, n_local = static_cast<std::size_t>(atoms.n_local);
    for (Work& mine : work_) {
        mine.gradient.assign(3 * total, 0.0);
        mine.strain = Mat3{};
    }
    for_shares(n_threads_, n_local, [&](std::size_t begin, std::size_t end, std::size_t share) {
        Work& mine = work(share);
        for (std::size_t i = begin; i < end; ++i) {
            if (atoms.species[i] < 0) continue;
            mix_adjoint(v_adj + i * shape_.size(), mine);
            Mat3 of_i{};
            for (std::size_t j = 0; j < total; ++j) {
                if (species_of(j) < 0 || j == first_ + i) continue;
                const Vec3 r = separation(first_ + i, j), slope = pair_gradient(r, species_of(j), mine);
                for (std::size_t a = 0; a < 3; ++a) {
                    mine.gradient[3 * j + a] += slope[a];
                    mine.gradient[3 * (first_ + i) + a] -= slope[a];
                    for (std::size_t b = 0; b < 3; ++b) of_i[a][b] += slope[b] * r[a];
                }
            }
            for (std::size_t ab = 0; ab < 9; ++ab) {
                mine.strain[ab / 3][ab % 3] += of_i[ab / 3][ab % 3];
                if (atom_strain != nullptr) atom_strain[i][ab / 3][ab % 3] += of_i[ab / 3][ab % 3];
            }
        }
    });
    std::vector<double>& sum = work_[0].gradient;
    for (std::size_t t = 0; t < work_.size(); ++t) {
        for (std::size_t ab = 0; ab < 9; ++ab) strain[ab / 3][ab % 3] += work_[t].strain[ab / 3][ab % 3];
        for (std::size_t k = 0; k < sum.size() && t > 0; ++k) sum[k] += work_[t].gradient[k];
    }
    communicator_->sum(sum.data(), sum.size());
    for (std::size_t i = 0; i < n_local; ++i) {
        for (std::size_t x = 0; x < 3; ++x) gradient[i][x] += sum[3 * (first_ + i) + x];
    }
}

void FreeSum::jacobian(const Atoms& atoms, double* jacobian, double* strain) {
    gather(atoms);
    const std::size_t n = static_cast<std::size_t>(atoms.n_local), n_all = static_cast<std::size_t>(atoms.n_all);
    std::fill_n(jacobian, n * n_all * 3 * shape_.size(), 0.0);
    std::fill_n(strain, n * 9 * shape_.size(), 0.0);
    for_shares(n_threads_, n, [&](std::size_t begin, std::size_t end, std::size_t share) {
        for (std::size_t i = begin; i < end; ++i) {
            if (atoms.species[i] >= 0) jacobian_at(atoms, i, jacobian, strain, work(share));
        }
    });
}

void FreeSum::jacobian_at(const Atoms& atoms, std::size_t i, double* jacobian, double* strain, Work& mine) const {
    const std::size_t n_atoms = static_cast<std::size_t>(atoms.n_local), n_all = static_cast<std::size_t>(atoms.n_all);
    const std::size_t size = shape_.size(), stride = static_cast<std::size_t>(shape_.stride());
    for (std::size_t j = 0; j < n_atoms; ++j) {
        if (i == j || atoms.species[j] < 0) continue;
        const Vec3 r = separation(i, j);
        source(r, true, mine);
        for (std::size_t l = 0, lm = 0; l <= static_cast<std::size_t>(shape_.l_max); ++l) {
            const double *g = &mine.value[l * n_max_], *slopes = &mine.slope[l * n_max_];
            for (std::size_t m = 0; m <= 2 * l; ++m, ++lm) {
                for (std::size_t q = 0; q < static_cast<std::size_t>(shape_.n_q()); ++q) {
                    const double weight = channels_.weight(static_cast<int>(q / n_max_), atoms.species[j]);
                    const std::size_t at = lm * stride + q, n = q % n_max_;
                    for (std::size_t x = 0; x < 3 && weight != 0.0; ++x) {
                        const double slope = weight * (g[n] * mine.dy[x * n_lm_ + lm] + slopes[n] * mine.y[lm] * r[x]);
                        jacobian[((i * n_all + j) * 3 + x) * size + at] += slope;
                        jacobian[((i * n_all + i) * 3 + x) * size + at] -= slope;
                        for (std::size_t a = 0; a < 3; ++a) strain[(i * 9 + 3 * a + x) * size + at] += slope * r[a];
                    }
                }
            }
        }
    }
}

FarField::Memory FreeSum::memory() const {
    Memory out;
    for (const Work& mine : work_) out.atoms += 8 * mine.gradient.capacity();
    out.atoms += 8 * all_.capacity();
    return out;
}

std::string FreeSum::summary() const {
    return "free boundaries, pair sum over all atoms, table to " + std::to_string(description_.real.x_max()) +
           " Angstrom and multipole series beyond";
}

}  // namespace mlcalc
