// SPDX-License-Identifier: BSD-3-Clause
#include "expansions/density.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>

#include "pairs/pair_geometry.hpp"
#include "simd/instruction_set.hpp"

namespace mlcalc {
namespace {

constexpr double pi = 3.14159265358979323846;
constexpr int max_l = 20;

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
    if (d.l_max > max_l)
        refuse(d, "l_max must be at most " + std::to_string(max_l) + ", got " + std::to_string(d.l_max));
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

constexpr double closest2 = 1e-12;  // Angstrom^2

std::size_t size(int n) {
    return static_cast<std::size_t>(n);
}

int padded(int n) {
    return (n + 7) / 8 * 8;
}

void grow(AlignedVector<double>& v, std::size_t n) {
    if (v.size() < n) v.resize(n);
}

const DensityKernels& density_kernels() {
#if defined(__x86_64__)
    switch (selected_instruction_set()) {
        case InstructionSet::avx512:
            return density_kernels_avx512;
        case InstructionSet::avx2:
            return density_kernels_avx2;
        case InstructionSet::baseline:
            break;
    }
#endif
    return density_kernels_baseline;
}

std::size_t legendre_size(int l_max) {
    return size((l_max + 1) * (l_max + 2) / 2 + 2 * (l_max + 1));
}

}  // namespace

DensityExpansion::DensityExpansion(DensityDescription description)
    : description_((check(description), std::move(description))),
      harmonics_(description_.l_max),
      kernels_(&density_kernels()) {
    const DensityDescription& d = description_;
    const int n_channels = d.mixing.empty() ? d.n_species : static_cast<int>(d.mixing.size()) / d.n_species;
    shape_ = {n_channels, d.n_max, d.l_max};
    const std::size_t n_functions = d.radial.n_functions, row = size(padded(static_cast<int>(n_functions)));
    table_.assign(3 * d.radial.n_knots * row, 0.0);
    for (std::size_t k = 0; k < 3 * d.radial.n_knots; ++k)
        std::copy_n(d.radial.data.data() + k * n_functions, n_functions, table_.data() + k * row);
    recurrence_ = harmonics_recurrence(d.l_max);
    for (int n = 0; n < d.n_max; ++n)
        center_.push_back(d.center_atom_weight * d.radial.data[size(n)] / std::sqrt(4 * pi));
}

DensityPlan DensityExpansion::plan() const {
    const DensityDescription& d = description_;
    const int n_functions = d.n_max * (d.l_max + 1);
    return {d.n_max,     d.l_max,  n_functions,       padded(n_functions), static_cast<int>(d.radial.n_knots),
            d.radial.dx, d.cutoff, d.smoothing_width, table_.data(),       recurrence_.data()};
}

/// Sorts the pairs of a block into groups and fills their geometry.
void DensityExpansion::collect(const Atoms& atoms, const NeighborList& list, int begin, int end, Workspace& w) const {
    const double cutoff2 = description_.cutoff * description_.cutoff;
    w.groups.clear();
    w.pairs.clear();
    for (int i = begin; i < end; ++i) {
        if (atoms.species[i] < 0) continue;
        w.accepted.clear();
        for (int p = list.first[i]; p < list.first[i + 1]; ++p) {
            const Vec3& r = list.r_ij[p];
            const double r2 = r[0] * r[0] + r[1] * r[1] + r[2] * r[2];
            if (r2 > closest2 && r2 < cutoff2) {
                if (atoms.species[list.j[p]] >= 0) w.accepted.push_back(p);
            } else if (!(r2 >= cutoff2 && r2 <= std::numeric_limits<double>::max())) {
                refuse_pair(i, list.j[p], r2);
            }
        }
        if (description_.n_species == 1) {
            add_group(list, i, 0, w.accepted, w);
            continue;
        }
        for (int a = 0; a < description_.n_species; ++a) {
            w.order.clear();
            for (const int p : w.accepted)
                if (atoms.species[list.j[p]] == a) w.order.push_back(p);
            add_group(list, i, a, w.order, w);
        }
    }
}

void DensityExpansion::add_group(const NeighborList& list, int center, int species, const std::vector<int>& pairs,
                                 Workspace& w) const {
    if (pairs.empty()) return;
    const std::size_t lanes = size(kernels_->lanes), n = pairs.size(), n_chunks = (n + lanes - 1) / lanes;
    const std::size_t first = w.pairs.size();
    w.groups.push_back({center, species, static_cast<int>(first / lanes), static_cast<int>(n_chunks)});
    w.pairs.insert(w.pairs.end(), pairs.begin(), pairs.end());
    w.pairs.resize(first + n_chunks * lanes, -1);
    grow(w.geometry, 5 * w.pairs.size());
    for (std::size_t k = 0; k < n_chunks * lanes; ++k) {
        const Vec3 r = k < n ? list.r_ij[pairs[k]] : Vec3{0.0, 0.0, description_.cutoff};
        const double distance = std::sqrt(r[0] * r[0] + r[1] * r[1] + r[2] * r[2]), inverse = 1.0 / distance;
        double* geometry = w.geometry.data() + 5 * (first + k / lanes * lanes) + k % lanes;
        geometry[0] = r[0] * inverse;
        geometry[lanes] = r[1] * inverse;
        geometry[2 * lanes] = r[2] * inverse;
        geometry[3 * lanes] = distance;
        geometry[4 * lanes] = k < n ? 1.0 : 0.0;
    }
}

void DensityExpansion::reserve(Workspace& w, bool gradients) const {
    const std::size_t lanes = size(kernels_->lanes), row = size(padded(shape_.n_max * (shape_.l_max + 1)));
    int n_chunks = 1;
    for (const Workspace::Group& group : w.groups) n_chunks = std::max(n_chunks, group.n_chunks);
    const std::size_t widest = size(n_chunks) * lanes, kept = gradients ? w.pairs.size() : 0;
    grow(w.radial, kept * row);
    grow(w.slope, kept * row);
    grow(w.legendre, std::max(kept, lanes) * legendre_size(shape_.l_max));
    grow(w.values, widest * (row + 8));
    grow(w.slopes, lanes * row);
    grow(w.harmonics, widest * size(shape_.n_lm()));
    grow(w.sums, size(shape_.n_lm() * padded(shape_.n_max)));
    grow(w.forces, 3 * widest);
}

DensityGroup DensityExpansion::view(const Workspace::Group& group, Workspace& w, bool gradients) const {
    const std::size_t first = size(group.chunk) * size(kernels_->lanes), kept = gradients ? first : 0;
    const std::size_t row = size(padded(shape_.n_max * (shape_.l_max + 1)));
    return {group.n_chunks, w.geometry.data() + 5 * first, w.radial.data() + kept * row, w.slope.data() + kept * row,
            w.legendre.data() + kept * legendre_size(shape_.l_max)};
}

void DensityExpansion::add_center(int species, double* c) const {
    if (species < 0) return;
    if (description_.mixing.empty()) {
        for (int n = 0; n < shape_.n_max; ++n) c[species * shape_.n_max + n] += center_[size(n)];
        return;
    }
    for (int channel = 0; channel < shape_.n_channels; ++channel)
        for (int n = 0; n < shape_.n_max; ++n)
            c[channel * shape_.n_max + n] += mixing(channel, species) * center_[size(n)];
}

/// c_J += u_Ja sums_a
void DensityExpansion::add_channels(int species, const double* sums, double* c) const {
    const int n_max = shape_.n_max, n_pad = padded(n_max), stride = shape_.stride();
    for (int channel = 0; channel < shape_.n_channels; ++channel) {
        const double u = mixing(channel, species);
        for (int lm = 0; lm < shape_.n_lm(); ++lm)
            for (int n = 0; n < n_max; ++n) c[lm * stride + channel * n_max + n] += u * sums[lm * n_pad + n];
    }
}

/// sums_adj_a = sum_J u_Ja c_adj_J
void DensityExpansion::mix_adjoint(int species, const double* c_adj, double* sums_adj) const {
    const int n_max = shape_.n_max, n_pad = padded(n_max), stride = shape_.stride();
    std::fill(sums_adj, sums_adj + shape_.n_lm() * n_pad, 0.0);
    for (int channel = 0; channel < shape_.n_channels; ++channel) {
        const double u = mixing(channel, species);
        for (int lm = 0; lm < shape_.n_lm(); ++lm)
            for (int n = 0; n < n_max; ++n) sums_adj[lm * n_pad + n] += u * c_adj[lm * stride + channel * n_max + n];
    }
}

void DensityExpansion::compute(const Atoms& atoms, const NeighborList& list, int begin, int end, double* c,
                               Workspace& w, bool gradients) const {
    collect(atoms, list, begin, end, w);
    reserve(w, gradients);
    const bool mixed = !description_.mixing.empty();
    const int n_pad = padded(shape_.n_max);
    std::fill(c, c + shape_.size() * size(end - begin), 0.0);
    const DensityScratch scratch{w.values.data(), w.slopes.data(), w.harmonics.data()};
    for (const Workspace::Group& group : w.groups) {
        double* center = c + shape_.size() * size(group.center - begin);
        if (mixed) {
            kernels_->forward(plan(), view(group, w, gradients), scratch, gradients, w.sums.data(), n_pad);
            add_channels(group.species, w.sums.data(), center);
        } else {
            kernels_->forward(plan(), view(group, w, gradients), scratch, gradients,
                              center + group.species * shape_.n_max, shape_.stride());
        }
    }
    for (int i = begin; i < end; ++i) add_center(atoms.species[i], c + shape_.size() * size(i - begin));
}

void DensityExpansion::backward(const Atoms&, const NeighborList& list, int begin, int, const double* c_adj,
                                Workspace& w, Vec3* gradient, Mat3& strain, Mat3* atom_strain) const {
    const std::size_t lanes = size(kernels_->lanes);
    for (const Workspace::Group& group : w.groups) {
        const double* adjoint = c_adj + shape_.size() * size(group.center - begin);
        int stride = shape_.stride();
        if (description_.mixing.empty()) {
            adjoint += group.species * shape_.n_max;
        } else {
            mix_adjoint(group.species, adjoint, w.sums.data());
            adjoint = w.sums.data();
            stride = padded(shape_.n_max);
        }
        double total[12] = {};
        kernels_->backward(plan(), view(group, w, true), adjoint, stride, w.forces.data(), total);
        const int* pairs = w.pairs.data() + size(group.chunk) * lanes;
        for (std::size_t k = 0; k < size(group.n_chunks) * lanes && pairs[k] >= 0; ++k) {
            const double* force = w.forces.data() + 3 * (k / lanes * lanes) + k % lanes;
            Vec3& g = gradient[list.j[pairs[k]]];
            for (std::size_t x = 0; x < 3; ++x) g[x] += force[x * lanes];
        }
        for (std::size_t x = 0; x < 3; ++x) {
            gradient[group.center][x] -= total[x];
            for (std::size_t a = 0; a < 3; ++a) {
                strain[a][x] += total[3 + 3 * a + x];
                if (atom_strain) atom_strain[group.center][a][x] += total[3 + 3 * a + x];
            }
        }
    }
}

}  // namespace mlcalc
