// SPDX-License-Identifier: BSD-3-Clause
#include "density.hpp"

#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

namespace mlcalc {
namespace {

constexpr double pi = 3.14159265358979323846;

[[noreturn]] void refuse(const DensityDescription& d, const std::string& what) {
    throw std::invalid_argument("expansion '" + d.name + "': " + what);
}

void check(const DensityDescription& d) {
    if (d.n_max < 1) refuse(d, "n_max must be at least 1, got " + std::to_string(d.n_max));
    if (d.l_max < 0) refuse(d, "l_max must be at least 0, got " + std::to_string(d.l_max));
    if (!(d.cutoff > 0) || !std::isfinite(d.cutoff))
        refuse(d, "cutoff must be positive, got " + std::to_string(d.cutoff));
    if (!(d.smoothing_width >= 0 && d.smoothing_width <= d.cutoff))
        refuse(d, "the smoothing width must be from 0 to the cutoff, got " + std::to_string(d.smoothing_width));
    if (d.n_species < 1) refuse(d, "there must be at least one species, got " + std::to_string(d.n_species));
    const auto n_functions = static_cast<std::size_t>(d.n_max) * static_cast<std::size_t>(d.l_max + 1);
    if (d.radial.n_functions != n_functions || d.radial.n_knots < 2 ||
        d.radial.data.size() != 3 * d.radial.n_knots * n_functions)
        refuse(d, "the radial table must hold n_max * (l_max + 1) functions at two or more knots");
    if (std::abs(d.radial.x_max() - d.cutoff) > 1e-9 * d.cutoff)
        refuse(d, "the radial table must end at the cutoff " + std::to_string(d.cutoff) + ", got " +
                      std::to_string(d.radial.x_max()));
    if (d.mixing.size() % static_cast<std::size_t>(d.n_species) != 0)
        refuse(d, "the mixing matrix must have one column per species");
}

/// Shifted cosine: 1 up to cutoff - width, 0 with zero slope at the cutoff [Behler & Parrinello, PRL 98, 146401
/// (2007)].
void cutoff_function(const DensityDescription& d, double r, double& value, double& slope) {
    value = 1.0;
    slope = 0.0;
    const double x = r - d.cutoff + d.smoothing_width;
    if (d.smoothing_width == 0.0 || x <= 0.0) return;
    const double angle = pi * x / d.smoothing_width;
    value = 0.5 * (1.0 + std::cos(angle));
    slope = -0.5 * pi / d.smoothing_width * std::sin(angle);
}

}  // namespace

DensityExpansion::DensityExpansion(DensityDescription description)
    : description_((check(description), std::move(description))), harmonics_(description_.l_max) {
    const DensityDescription& d = description_;
    const auto n_species = static_cast<std::size_t>(d.n_species);
    mixing_ = d.mixing;
    if (mixing_.empty()) {
        mixing_.assign(n_species * n_species, 0.0);
        for (std::size_t a = 0; a < n_species; ++a) mixing_[a * (n_species + 1)] = 1.0;
    }
    shape_ = {static_cast<int>(mixing_.size() / n_species), d.n_max, d.l_max};
    for (int n = 0; n < d.n_max; ++n)
        center_.push_back(d.center_atom_weight * d.radial.data[static_cast<std::size_t>(n)] / std::sqrt(4 * pi));
}

void DensityExpansion::compute(const Atoms& atoms, const NeighborList& list, int begin, int end, double* c,
                               Workspace& w) const {
    const DensityDescription& d = description_;
    const int n_lm = shape_.n_lm(), n_max = d.n_max, stride = shape_.stride(), n_functions = n_max * (d.l_max + 1);
    w.pair.clear();
    w.first.assign(1, 0);
    for (int i = begin; i < end; ++i) {
        for (int p = list.first[i]; p < list.first[i + 1]; ++p) {
            const Vec3& r = list.r_ij[p];
            const double r2 = r[0] * r[0] + r[1] * r[1] + r[2] * r[2];
            if (!std::isfinite(r2)) throw std::invalid_argument("the positions must be finite numbers");
            if (r2 < 1e-12)
                throw std::invalid_argument("atoms " + std::to_string(i) + " and " + std::to_string(list.j[p]) +
                                            " are at the same place");
            if (r2 < d.cutoff * d.cutoff && atoms.species[list.j[p]] >= 0) w.pair.push_back(p);
        }
        w.first.push_back(static_cast<int>(w.pair.size()));
    }
    w.radial.resize(w.pair.size() * static_cast<std::size_t>(n_functions));
    w.slope.resize(w.radial.size());
    w.y.resize(w.pair.size() * static_cast<std::size_t>(n_lm));
    w.gradient.resize(3 * w.y.size());
    std::fill(c, c + shape_.size() * static_cast<std::size_t>(end - begin), 0.0);
    for (int i = begin; i < end; ++i) {
        double* ci = c + shape_.size() * static_cast<std::size_t>(i - begin);
        const int own = atoms.species[i];
        if (own < 0) continue;
        for (int J = 0; J < shape_.n_channels; ++J)
            for (int n = 0; n < n_max; ++n)
                ci[J * n_max + n] +=
                    mixing_[static_cast<std::size_t>(J * d.n_species + own)] * center_[static_cast<std::size_t>(n)];
        for (int k = w.first[static_cast<std::size_t>(i - begin)]; k < w.first[static_cast<std::size_t>(i - begin) + 1];
             ++k) {
            const int p = w.pair[static_cast<std::size_t>(k)];
            const Vec3& r = list.r_ij[p];
            const double length = std::sqrt(r[0] * r[0] + r[1] * r[1] + r[2] * r[2]);
            double* radial = w.radial.data() + static_cast<std::size_t>(k) * static_cast<std::size_t>(n_functions);
            double* slope = w.slope.data() + static_cast<std::size_t>(k) * static_cast<std::size_t>(n_functions);
            double* y = w.y.data() + static_cast<std::size_t>(k) * static_cast<std::size_t>(n_lm);
            harmonics_.evaluate({r[0] / length, r[1] / length, r[2] / length}, y,
                                w.gradient.data() + 3 * (y - w.y.data()));
            d.radial.evaluate(length, radial, slope);
            double f, df;
            cutoff_function(d, length, f, df);
            for (int k2 = 0; k2 < n_functions; ++k2) {
                slope[k2] = f * slope[k2] + df * radial[k2];
                radial[k2] *= f;
            }
            for (int J = 0; J < shape_.n_channels; ++J) {
                const double u = mixing_[static_cast<std::size_t>(J * d.n_species + atoms.species[list.j[p]])];
                if (u == 0.0) continue;
                for (int l = 0; l <= d.l_max; ++l)
                    for (int lm = l * l; lm < (l + 1) * (l + 1); ++lm)
                        for (int n = 0; n < n_max; ++n)
                            ci[lm * stride + J * n_max + n] += u * y[lm] * radial[l * n_max + n];
            }
        }
    }
}

void DensityExpansion::backward(const Atoms& atoms, const NeighborList& list, int begin, int end, const double* c_adj,
                                Workspace& w, Vec3* gradient, Mat3& strain, Mat3* atom_strain) const {
    const DensityDescription& d = description_;
    const int n_lm = shape_.n_lm(), n_max = d.n_max, stride = shape_.stride(), n_functions = n_max * (d.l_max + 1);
    for (int i = begin; i < end; ++i) {
        const double* ci = c_adj + shape_.size() * static_cast<std::size_t>(i - begin);
        if (atoms.species[i] < 0) continue;
        for (int k = w.first[static_cast<std::size_t>(i - begin)]; k < w.first[static_cast<std::size_t>(i - begin) + 1];
             ++k) {
            const int p = w.pair[static_cast<std::size_t>(k)];
            const int j = list.j[p];
            const Vec3& r = list.r_ij[p];
            const double length = std::sqrt(r[0] * r[0] + r[1] * r[1] + r[2] * r[2]);
            const Vec3 unit{r[0] / length, r[1] / length, r[2] / length};
            const double* radial =
                w.radial.data() + static_cast<std::size_t>(k) * static_cast<std::size_t>(n_functions);
            const double* slope = w.slope.data() + static_cast<std::size_t>(k) * static_cast<std::size_t>(n_functions);
            const double* y = w.y.data() + static_cast<std::size_t>(k) * static_cast<std::size_t>(n_lm);
            const double* dy = w.gradient.data() + 3 * (y - w.y.data());
            double along = 0.0;
            Vec3 turn{};
            for (int J = 0; J < shape_.n_channels; ++J) {
                const double u = mixing_[static_cast<std::size_t>(J * d.n_species + atoms.species[j])];
                if (u == 0.0) continue;
                for (int l = 0; l <= d.l_max; ++l)
                    for (int lm = l * l; lm < (l + 1) * (l + 1); ++lm) {
                        double value = 0.0, derivative = 0.0;
                        for (int n = 0; n < n_max; ++n) {
                            value += u * ci[lm * stride + J * n_max + n] * radial[l * n_max + n];
                            derivative += u * ci[lm * stride + J * n_max + n] * slope[l * n_max + n];
                        }
                        along += derivative * y[lm];
                        for (int x = 0; x < 3; ++x) turn[static_cast<std::size_t>(x)] += value * dy[x * n_lm + lm];
                    }
            }
            const double radial_part = turn[0] * unit[0] + turn[1] * unit[1] + turn[2] * unit[2];
            for (std::size_t x = 0; x < 3; ++x) {
                const double g = along * unit[x] + (turn[x] - radial_part * unit[x]) / length;
                gradient[j][x] += g;
                gradient[i][x] -= g;
                for (std::size_t a = 0; a < 3; ++a) {
                    strain[a][x] += r[a] * g;
                    if (atom_strain) atom_strain[i][a][x] += r[a] * g;
                }
            }
        }
    }
}

bool DensityExpansion::pair_derivative(const Vec3& r, std::vector<double>& derivative) const {
    const DensityDescription& d = description_;
    const double length = std::sqrt(r[0] * r[0] + r[1] * r[1] + r[2] * r[2]);
    if (length >= d.cutoff) return false;
    const std::size_t n_lm = static_cast<std::size_t>(shape_.n_lm());
    const std::size_t n_max = static_cast<std::size_t>(d.n_max);
    const std::size_t n_functions = n_max * static_cast<std::size_t>(d.l_max + 1);
    derivative.resize(3 * n_lm * n_max + 2 * n_functions + 4 * n_lm);
    double* radial = derivative.data() + 3 * n_lm * n_max;
    double* slope = radial + n_functions;
    double* y = slope + n_functions;
    double* dy = y + n_lm;
    const Vec3 unit{r[0] / length, r[1] / length, r[2] / length};
    harmonics_.evaluate(unit, y, dy);
    d.radial.evaluate(length, radial, slope);
    double f, df;
    cutoff_function(d, length, f, df);
    for (int l = 0; l <= d.l_max; ++l) {
        for (std::size_t lm = static_cast<std::size_t>(l * l); lm < static_cast<std::size_t>((l + 1) * (l + 1)); ++lm) {
            const double turn = unit[0] * dy[lm] + unit[1] * dy[n_lm + lm] + unit[2] * dy[2 * n_lm + lm];
            for (std::size_t x = 0; x < 3; ++x) {
                const double d_y = (dy[x * n_lm + lm] - turn * unit[x]) / length;
                for (std::size_t n = 0; n < n_max; ++n) {
                    const std::size_t k = static_cast<std::size_t>(l) * n_max + n;
                    derivative[(x * n_lm + lm) * n_max + n] =
                        (f * slope[k] + df * radial[k]) * unit[x] * y[lm] + f * radial[k] * d_y;
                }
            }
        }
    }
    return true;
}

}  // namespace mlcalc
