// SPDX-License-Identifier: BSD-3-Clause
#include "expansions/density.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "base/limits.hpp"

namespace mlcalc {
namespace {

constexpr double pi = 3.14159265358979323846;

std::size_t size(int n) {
    return static_cast<std::size_t>(n);
}

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
    if (d.l_max > largest_l)
        refuse(d, "l_max must be at most " + std::to_string(largest_l) + ", got " + std::to_string(d.l_max));
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
    if (!d.center_weights.empty() && d.center_weights.size() != size(d.n_channels()) * size(d.n_species))
        refuse(d, "the weights of the center atom must have one row per channel and one column per species");
}

int padded(int n) {
    return (n + 7) / 8 * 8;
}

void grow(AlignedVector<double>& v, std::size_t n) {
    if (v.size() < n) v.resize(n);
}

std::size_t legendre_size(int l_max) {
    return size((l_max + 1) * (l_max + 2) / 2 + 2 * (l_max + 1));
}

}  // namespace

DensityExpansion::DensityExpansion(const DensityDescription& description)
    : description_((check(description), description)),
      shape_(description.shape()),
      channels_(description.n_species, description.mixing),
      center_channels_(description.n_species,
                       description.center_weights.empty() ? description.mixing : description.center_weights),
      mixed_(!description.mixing.empty()),
      harmonics_(description.l_max),
      recurrence_(harmonics_recurrence(description.l_max)),
      kernels_(&density_kernels()) {
    const DensityDescription& d = description_;
    const std::size_t n_functions = d.radial.n_functions, row = size(padded(static_cast<int>(n_functions)));
    table_.assign(3 * d.radial.n_knots * row, 0.0);
    for (std::size_t k = 0; k < 3 * d.radial.n_knots; ++k)
        std::copy_n(d.radial.data.data() + k * n_functions, n_functions, table_.data() + k * row);
    for (int n = 0; n < d.n_max; ++n)
        center_.push_back(d.center_atom_weight * d.radial.data[size(n)] / std::sqrt(4 * pi));
}

DensityPlan DensityExpansion::plan() const {
    const DensityDescription& d = description_;
    const int n_functions = d.n_max * (d.l_max + 1);
    return {d.n_max,     d.l_max,  n_functions,       padded(n_functions), static_cast<int>(d.radial.n_knots),
            d.radial.dx, d.cutoff, d.smoothing_width, table_.data(),       recurrence_.data()};
}

std::string DensityExpansion::summary() const {
    return description_.name + ": density, n_max " + std::to_string(shape_.n_max) + ", l_max " +
           std::to_string(shape_.l_max);
}

void DensityExpansion::reserve(const PairGeometry& pairs, Work& w, bool keep) const {
    const std::size_t lanes = size(pairs.lanes()), row = size(padded(shape_.n_max * (shape_.l_max + 1)));
    int n_chunks = 1;
    for (const PairGeometry::Group& group : pairs.groups()) n_chunks = std::max(n_chunks, group.n_chunks);
    const std::size_t widest = size(n_chunks) * lanes, kept = keep ? pairs.n_chunks() * lanes : 0;
    grow(w.radial, kept * row);
    grow(w.slope, kept * row);
    grow(w.legendre, std::max(kept, lanes) * legendre_size(shape_.l_max));
    grow(w.values, widest * (row + 8));
    grow(w.slopes, lanes * row);
    grow(w.harmonics, widest * size(shape_.n_lm()));
    grow(w.sums, size(shape_.n_lm() * padded(shape_.n_max)));
    grow(w.forces, 3 * widest);
}

DensityGroup DensityExpansion::view(const PairGeometry& pairs, const PairGeometry::Group& group, Work& w,
                                    bool keep) const {
    const std::size_t kept = keep ? size(group.chunk) * size(pairs.lanes()) : 0;
    const std::size_t row = size(padded(shape_.n_max * (shape_.l_max + 1)));
    return {pairs.n_chunks(group, pairs.index(description_.cutoff)), pairs.geometry(group),
            w.radial.data() + kept * row, w.slope.data() + kept * row,
            w.legendre.data() + kept * legendre_size(shape_.l_max)};
}

void DensityExpansion::compute(const System& system, const PairGeometry& pairs, Block block, double* c,
                               Scratch& scratch, bool keep) {
    Work& w = static_cast<Work&>(scratch);
    reserve(pairs, w, keep);
    const int n_pad = padded(shape_.n_max);
    std::fill(c, c + shape_.size() * size(block.size()), 0.0);
    const DensityScratch buffers{w.values.data(), w.slopes.data(), w.harmonics.data()};
    for (const PairGeometry::Group& group : pairs.groups()) {
        double* center = c + shape_.size() * size(group.center - block.begin);
        const DensityGroup kept = view(pairs, group, w, keep);
        if (kept.n_chunks == 0) continue;
        if (mixed_) {
            kernels_->forward(plan(), kept, buffers, keep, w.sums.data(), n_pad);
            channels_.add(group.species, 1.0, shape_, w.sums.data(), n_pad, center);
        } else {
            kernels_->forward(plan(), kept, buffers, keep, center + group.species * shape_.n_max, shape_.stride());
        }
    }
    const CoefficientShape radial{shape_.n_channels, shape_.n_max, 0};
    for (int i = block.begin; i < block.end; ++i) {
        const int species = system.atoms.species[i];
        double* center = c + shape_.size() * size(i - block.begin);
        if (species >= 0) center_channels_.add(species, 1.0, radial, center_.data(), shape_.n_max, center);
    }
}

void DensityExpansion::backward(const System& system, const PairGeometry& pairs, Block block, int, const double* c_adj,
                                Scratch& scratch, const Gradient& gradient) {
    Work& w = static_cast<Work&>(scratch);
    const std::size_t lanes = size(pairs.lanes()), cutoff = pairs.index(description_.cutoff);
    for (const PairGeometry::Group& group : pairs.groups()) {
        const auto n = size(pairs.n_pairs(group, cutoff));
        if (n == 0) continue;
        const double* adjoint = c_adj + shape_.size() * size(group.center - block.begin);
        int stride = shape_.stride();
        if (mixed_) {
            stride = padded(shape_.n_max);
            channels_.adjoint(group.species, shape_, adjoint, w.sums.data(), stride);
            adjoint = w.sums.data();
        } else {
            adjoint += group.species * shape_.n_max;
        }
        double total[12] = {};
        kernels_->backward(plan(), view(pairs, group, w, true), adjoint, stride, w.forces.data(), total);
        const int* j = pairs.pairs(group);
        for (std::size_t k = 0; k < n; ++k) {
            const double* force = w.forces.data() + 3 * (k / lanes * lanes) + k % lanes;
            gradient.atoms[system.pairs.j[j[k]]] += Vec3{force[0], force[lanes], force[2 * lanes]};
        }
        const double* s = total + 3;
        gradient.add_center(group.center, {total[0], total[1], total[2]},
                            {Vec3{s[0], s[1], s[2]}, Vec3{s[3], s[4], s[5]}, Vec3{s[6], s[7], s[8]}});
    }
}

/// w.derivative: what pair k of a group adds to one channel, differentiated along the axes of its vector.
void DensityExpansion::pair_derivative(const PairGeometry& pairs, const PairGeometry::Group& group, std::size_t k,
                                       Work& w) const {
    const std::size_t n_lm = size(shape_.n_lm()), n_max = size(shape_.n_max), lanes = size(pairs.lanes());
    const std::size_t lane = k % lanes, in_group = k / lanes * lanes, chunk = size(group.chunk) * lanes + in_group;
    const std::size_t functions = chunk * size(plan().row) + lane;
    const double* geometry = pairs.geometry(group) + 5 * in_group + lane;
    w.derivative.resize(3 * n_lm * n_max);
    harmonics_.product_gradient({geometry[0], geometry[lanes], geometry[2 * lanes]}, w.radial.data() + functions,
                                1.0 / geometry[3 * lanes], w.slope.data() + functions, n_max, lanes,
                                w.derivative.data());
}

void DensityExpansion::tangents(const System& system, const PairGeometry& pairs, int, Scratch& scratch,
                                TangentSink& sink) {
    Work& w = static_cast<Work&>(scratch);
    const std::size_t cutoff = pairs.index(description_.cutoff), n_pair = size(shape_.n_lm() * shape_.n_max);
    const int columns = mixed_ ? shape_.n_q() : shape_.n_max, ld = padded(columns);
    w.change.assign(size(shape_.n_lm() * ld), 0.0);
    const CoefficientShape changed{columns / shape_.n_max, shape_.n_max, shape_.l_max};
    for (const PairGeometry::Group& group : pairs.groups()) {
        const auto n = size(pairs.n_pairs(group, cutoff));
        for (std::size_t k = 0; k < n; ++k) {
            const int p = pairs.pairs(group)[k];
            pair_derivative(pairs, group, k, w);
            for (int x = 0; x < 3; ++x) {
                const double* d = w.derivative.data() + size(x) * n_pair;
                if (mixed_) {
                    std::fill(w.change.begin(), w.change.end(), 0.0);
                    channels_.add(group.species, 1.0, changed, d, shape_.n_max, w.change.data());
                } else {
                    for (int lm = 0; lm < shape_.n_lm(); ++lm)
                        std::copy_n(d + lm * shape_.n_max, shape_.n_max, &w.change[size(lm * ld)]);
                }
                const int first = mixed_ ? 0 : group.species * shape_.n_max;
                sink.pair(system.pairs.j[p], system.pairs.r_ij[p], x, {first, columns, ld, w.change.data()});
            }
        }
    }
}

}  // namespace mlcalc
