// SPDX-License-Identifier: BSD-3-Clause
#include "free.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace mlcalc {

FreeSum::FreeSum(const PotentialDescription& description, Communicator& communicator)
    : description_(description),
      channels_(description),
      shape_(description.shape()),
      solid_(description.l_max),
      communicator_(&communicator),
      n_lm_(static_cast<std::size_t>(shape_.n_lm())),
      n_max_(static_cast<std::size_t>(shape_.n_max)),
      n_radial_(description.real.n_functions),
      radial_(2 * n_radial_),
      harmonics_(4 * n_lm_),
      t_(4 * n_lm_ * n_max_) {
    if (description.real.n_knots < 2) throw std::invalid_argument("the model has no tables for free boundaries");
}

void FreeSum::radial(double r, double* value, double* slope) const {
    if (r <= description_.real.x_max()) {
        description_.real.evaluate(r, value, slope);
        for (std::size_t f = 0; f < n_radial_; ++f) slope[f] /= r;
        return;
    }
    for (std::size_t f = 0; f < n_radial_; ++f) {
        const int p_l = description_.exponent + 2 * static_cast<int>(f / n_max_);
        double sum = 0.0, derivative = 0.0;
        for (int q = description_.n_far - 1; q >= 0; --q) {
            const double term = description_.far[static_cast<std::size_t>(q) * n_radial_ + f];
            sum = sum / (r * r) + term;
            derivative = derivative / (r * r) - (p_l + 2 * q) * term;
        }
        const double power = std::pow(r, -p_l);
        value[f] = sum * power;
        slope[f] = derivative * power / (r * r);
    }
}

void FreeSum::source(const Vec3& r, double* t, double* gradient) const {
    const double distance = std::hypot(r[0], r[1], r[2]);
    double *value = radial_.data(), *slope = value + n_radial_;
    double *y = harmonics_.data(), *dy = y + n_lm_;
    solid_.evaluate(r, y, dy);
    if (distance > 1e-8) {
        radial(distance, value, slope);
    } else {  // the atom itself: G is even in r
        std::copy_n(description_.real.data.begin(), n_radial_, value);
        std::copy_n(description_.real.data.begin() + static_cast<std::ptrdiff_t>(2 * n_radial_), n_radial_, slope);
    }
    for (int l = 0, lm = 0; l <= shape_.l_max; ++l) {
        for (int m = -l; m <= l; ++m, ++lm) {
            const std::size_t at = static_cast<std::size_t>(lm);
            for (std::size_t n = 0; n < n_max_; ++n) {
                const std::size_t f = static_cast<std::size_t>(l) * n_max_ + n;
                t[at * n_max_ + n] = value[f] * y[at];
                for (std::size_t x = 0; x < 3 && gradient != nullptr; ++x) {
                    gradient[(x * n_lm_ + at) * n_max_ + n] = value[f] * dy[x * n_lm_ + at] + slope[f] * y[at] * r[x];
                }
            }
        }
    }
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
    const std::size_t stride = static_cast<std::size_t>(shape_.stride()), total = all_.size() / 4;
    std::fill_n(v, static_cast<std::size_t>(atoms.n_local) * shape_.size(), 0.0);
    for (std::size_t i = 0; i < static_cast<std::size_t>(atoms.n_local); ++i) {
        if (atoms.species[i] < 0) continue;
        const double* r_i = &all_[4 * (first_ + i)];
        double* v_i = v + i * shape_.size();
        for (std::size_t j = 0; j < total; ++j) {
            const double* r_j = &all_[4 * j];
            const int species = static_cast<int>(r_j[3]);
            if (species < 0) continue;
            source({r_j[0] - r_i[0], r_j[1] - r_i[1], r_j[2] - r_i[2]}, t_.data(), nullptr);
            for (int channel = 0; channel < channels_.size(); ++channel) {
                const double weight = channels_.weight(channel, species);
                if (weight == 0.0) continue;
                double* out = v_i + static_cast<std::size_t>(channel) * n_max_;
                for (std::size_t lm = 0; lm < n_lm_; ++lm) {
                    for (std::size_t n = 0; n < n_max_; ++n) out[lm * stride + n] += weight * t_[lm * n_max_ + n];
                }
            }
        }
    }
    correct_centers(description_, channels_, atoms, v);
}

void FreeSum::backward(const Atoms& atoms, const double* v_adj, Vec3* gradient, Mat3& strain, Mat3* atom_strain) {
    const std::size_t stride = static_cast<std::size_t>(shape_.stride()), total = all_.size() / 4;
    const std::size_t n_pair = n_lm_ * n_max_;
    gradient_.assign(3 * total, 0.0);
    for (std::size_t i = 0; i < static_cast<std::size_t>(atoms.n_local); ++i) {
        if (atoms.species[i] < 0) continue;
        const double* r_i = &all_[4 * (first_ + i)];
        const double* w_i = v_adj + i * shape_.size();
        for (std::size_t j = 0; j < total; ++j) {
            const double* r_j = &all_[4 * j];
            const int species = static_cast<int>(r_j[3]);
            if (species < 0 || j == first_ + i) continue;
            const Vec3 r{r_j[0] - r_i[0], r_j[1] - r_i[1], r_j[2] - r_i[2]};
            source(r, t_.data(), t_.data() + n_pair);
            Vec3 slope{};
            for (int channel = 0; channel < channels_.size(); ++channel) {
                const double weight = channels_.weight(channel, species);
                if (weight == 0.0) continue;
                const double* w = w_i + static_cast<std::size_t>(channel) * n_max_;
                for (std::size_t x = 0; x < 3; ++x) {
                    const double* dt = &t_[(1 + x) * n_pair];
                    for (std::size_t lm = 0; lm < n_lm_; ++lm) {
                        for (std::size_t n = 0; n < n_max_; ++n) {
                            slope[x] += weight * w[lm * stride + n] * dt[lm * n_max_ + n];
                        }
                    }
                }
            }
            for (std::size_t a = 0; a < 3; ++a) {
                gradient_[3 * j + a] += slope[a];
                gradient_[3 * (first_ + i) + a] -= slope[a];
                for (std::size_t b = 0; b < 3; ++b) {
                    strain[a][b] += slope[b] * r[a];
                    if (atom_strain != nullptr) atom_strain[i][a][b] += slope[b] * r[a];
                }
            }
        }
    }
    communicator_->sum(gradient_.data(), gradient_.size());
    for (std::size_t i = 0; i < static_cast<std::size_t>(atoms.n_local); ++i) {
        for (std::size_t x = 0; x < 3; ++x) gradient[i][x] += gradient_[3 * (first_ + i) + x];
    }
}

void FreeSum::jacobian(const Atoms& atoms, double* jacobian, double* strain) {
    gather(atoms);
    const std::size_t n = static_cast<std::size_t>(atoms.n_local), n_all = static_cast<std::size_t>(atoms.n_all);
    const std::size_t size = shape_.size(), stride = static_cast<std::size_t>(shape_.stride()), n_pair = n_lm_ * n_max_;
    std::fill_n(jacobian, n * n_all * 3 * size, 0.0);
    std::fill_n(strain, n * 9 * size, 0.0);
    for (std::size_t ij = 0; ij < n * n; ++ij) {
        const std::size_t i = ij / n, j = ij % n;
        if (i == j || atoms.species[i] < 0 || atoms.species[j] < 0) continue;
        const Vec3 &r_i = atoms.positions[i], &r_j = atoms.positions[j];
        const Vec3 r{r_j[0] - r_i[0], r_j[1] - r_i[1], r_j[2] - r_i[2]};
        source(r, t_.data(), t_.data() + n_pair);
        for (std::size_t c = 0; c < n_lm_ * static_cast<std::size_t>(shape_.n_q()); ++c) {
            const std::size_t lm = c / static_cast<std::size_t>(shape_.n_q()),
                              q = c % static_cast<std::size_t>(shape_.n_q());
            const double weight = channels_.weight(static_cast<int>(q / n_max_), atoms.species[j]);
            for (std::size_t x = 0; x < 3 && weight != 0.0; ++x) {
                const double slope = weight * t_[(1 + x) * n_pair + lm * n_max_ + q % n_max_];
                const std::size_t at = lm * stride + q;
                jacobian[((i * n_all + j) * 3 + x) * size + at] += slope;
                jacobian[((i * n_all + i) * 3 + x) * size + at] -= slope;
                for (std::size_t a = 0; a < 3; ++a) strain[(i * 9 + 3 * a + x) * size + at] += slope * r[a];
            }
        }
    }
}

std::string FreeSum::summary() const {
    return "free boundaries, pair sum over all atoms, table to " + std::to_string(description_.real.x_max()) +
           " Angstrom and multipole series beyond";
}

}  // namespace mlcalc
