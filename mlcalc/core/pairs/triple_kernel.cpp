// SPDX-License-Identifier: BSD-3-Clause
#include "pairs/triple_kernel.hpp"

#include <algorithm>
#include <cmath>

namespace mlcalc {
namespace {

using Shape = TripleDescription::Shape;

/// Triples that are evaluated together.
constexpr std::size_t most_triples = 256;

/// k(s) of a kernel and dk/ds, s the squared distance of two points.
void kernel_of(Shape shape, double s, double& k, double& slope) {
    if (shape == Shape::gaussian) {
        k = std::exp(-0.5 * s);
        slope = -0.5 * k;
        return;
    }
    const double q = std::sqrt(s), p = std::max(0.0, 1.0 - q), p3 = p * p * p;
    k = p3 * p * (4.0 * q + 1.0);
    slope = -10.0 * p3;
}

/// sum_P k(|P u - u|^2) over the permutations of three numbers, and its gradient: 1 for none, three exchanges of two,
/// and two rotations.
double own_kernel(Shape shape, const Vec3& u, Vec3& gradient) {
    double total = 1.0, squares = 0.0, k = 0.0, slope = 0.0;
    gradient = Vec3{};
    for (std::size_t a = 0; a < 3; ++a) {
        const std::size_t b = (a + 1) % 3;
        const double d = u[a] - u[b];
        squares += d * d;
        kernel_of(shape, 2.0 * d * d, k, slope);
        total += k;
        gradient[a] += 4.0 * slope * d;
        gradient[b] -= 4.0 * slope * d;
    }
    kernel_of(shape, squares, k, slope);
    for (std::size_t a = 0; a < 3; ++a) gradient[a] += 4.0 * slope * (2.0 * u[a] - u[(a + 1) % 3] - u[(a + 2) % 3]);
    return total + 2.0 * k;
}

constexpr std::size_t permutations[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

}  // namespace

TripleKernel::TripleKernel(const TripleDescription& description)
    : description_(description), kernels_(&triple_kernels()), lanes_(static_cast<std::size_t>(kernels_->lanes)) {
    for (std::size_t m = 0; m < description.weights.size(); ++m) {
        Vec3 v, unused;
        for (std::size_t d = 0; d < 3; ++d) v[d] = description.points[3 * m + d] / description.widths[d];
        const bool symmetric = description.sides;
        const double weight =
            description.weights[m] / (symmetric ? std::sqrt(own_kernel(description.shape, v, unused)) : 1.0);
        for (std::size_t p = 0; p < (symmetric ? 6 : 1); ++p) {
            for (const std::size_t d : permutations[p]) points_.push_back(v[d]);
            points_.push_back(weight);
        }
    }
}

void TripleKernel::add(const System& system, const PairGeometry& geometry, Block block, double* energies,
                       const Gradient* gradient, Scratch& scratch) const {
    const std::vector<PairGeometry::Group>& groups = geometry.groups();
    for (std::size_t first = 0, end = 0; first < groups.size(); first = end) {
        const int center = groups[first].center;
        for (end = first; end < groups.size() && groups[end].center == center; ++end) {
        }
        if (description_.center >= 0 && system.atoms.species[center] != description_.center) continue;
        gather(geometry, first, end, scratch);
        add_center(system, center, energies[center - block.begin], gradient, scratch);
    }
}

/// The neighbors of a center within the cutoff that can be in a triple.
void TripleKernel::gather(const PairGeometry& geometry, std::size_t first_group, std::size_t end_group,
                          Scratch& s) const {
    const std::size_t cutoff = geometry.index(description_.smoothing.cutoff);
    const auto lanes = static_cast<std::size_t>(geometry.lanes());
    s.neighbors.clear();
    for (std::size_t g = first_group; g < end_group; ++g) {
        const PairGeometry::Group& group = geometry.groups()[g];
        const int* wanted = description_.neighbors;
        if (wanted[0] >= 0 && wanted[1] >= 0 && group.species != wanted[0] && group.species != wanted[1]) continue;
        const auto n = static_cast<std::size_t>(geometry.n_pairs(group, cutoff));
        for (std::size_t k = 0; k < n; ++k) {
            const double* lane = geometry.geometry(group) + 5 * (k / lanes * lanes) + k % lanes;
            Scratch::Neighbor neighbor;
            neighbor.pair = geometry.pairs(group)[k];
            neighbor.species = group.species;
            neighbor.unit = {lane[0], lane[lanes], lane[2 * lanes]};
            neighbor.r = lane[3 * lanes];
            description_.smoothing.evaluate(neighbor.r, neighbor.f, neighbor.f_slope);
            s.neighbors.push_back(neighbor);
        }
    }
    s.slopes.assign(s.neighbors.size(), Vec3{});
}

/// Can neighbors of species a and b be in a triple? In any order.
bool TripleKernel::accepts(int a, int b) const {
    const int p = description_.neighbors[0], q = description_.neighbors[1];
    return ((p < 0 || p == a) && (q < 0 || q == b)) || ((p < 0 || p == b) && (q < 0 || q == a));
}

void TripleKernel::add_center(const System& system, int center, double& energy, const Gradient* gradient,
                              Scratch& s) const {
    const auto finish = [&] {
        evaluate(s);
        for (std::size_t t = 0; t < s.triples.size(); ++t) energy += backward(t, s);
        s.triples.clear();
    };
    s.triples.clear();
    s.u.resize(3 * (most_triples + lanes_));
    s.du.resize(s.u.size());
    s.values.resize(most_triples + lanes_);
    for (std::size_t j = 0; j < s.neighbors.size(); ++j) {
        for (std::size_t k = j + 1; k < s.neighbors.size(); ++k) {
            if (!accepts(s.neighbors[j].species, s.neighbors[k].species)) continue;
            s.triples.push_back({j, k, Vec3{}});
            coordinates(s.triples.size() - 1, s);
            if (s.triples.size() == most_triples) finish();
        }
    }
    if (!s.triples.empty()) finish();
    for (std::size_t j = 0; j < s.neighbors.size() && gradient != nullptr; ++j) {
        const int p = s.neighbors[j].pair;
        gradient->add_pair(center, system.pairs.j[p], system.pairs.r_ij[p], s.slopes[j]);
    }
}

/// x of a triple in units of the widths.
void TripleKernel::coordinates(std::size_t triple, Scratch& s) const {
    Scratch::Triple& t = s.triples[triple];
    const Scratch::Neighbor &j = s.neighbors[t.j], &k = s.neighbors[t.k];
    Vec3 r_kj = j.r * j.unit;
    r_kj -= k.r * k.unit;
    const double r = std::sqrt(dot(r_kj, r_kj));
    t.unit = (r > 0.0 ? 1.0 / r : 0.0) * r_kj;
    const double difference = j.r - k.r;
    const Vec3 x = description_.sides ? Vec3{j.r, k.r, r} : Vec3{j.r + k.r, difference * difference, r};
    double* u = &s.u[3 * (triple / lanes_ * lanes_) + triple % lanes_];
    for (std::size_t d = 0; d < 3; ++d) u[d * lanes_] = x[d] / description_.widths[d];
}

/// Kernel sums of all triples and their gradients.
void TripleKernel::evaluate(Scratch& s) const {
    const std::size_t n = s.triples.size(), n_chunks = (n + lanes_ - 1) / lanes_;
    for (std::size_t t = n; t < n_chunks * lanes_; ++t) {
        for (std::size_t d = 0; d < 3; ++d) s.u[3 * (t / lanes_ * lanes_) + d * lanes_ + t % lanes_] = 0.0;
    }
    const auto sum = description_.shape == Shape::gaussian ? kernels_->gaussian : kernels_->wendland;
    sum(static_cast<int>(points_.size() / 4), points_.data(), static_cast<int>(n_chunks), s.u.data(), s.values.data(),
        s.du.data());
    for (std::size_t t = 0; t < n && description_.sides; ++t) normalize(t, s);
}

/// k(x, x_M) / sqrt(k(x, x)) in place of k(x, x_M), of kernels that are sums over permutations.
void TripleKernel::normalize(std::size_t triple, Scratch& s) const {
    const std::size_t at = 3 * (triple / lanes_ * lanes_) + triple % lanes_;
    Vec3 own_gradient;
    const double own = own_kernel(description_.shape, {s.u[at], s.u[at + lanes_], s.u[at + 2 * lanes_]}, own_gradient);
    const double root = 1.0 / std::sqrt(own);
    double& value = s.values[triple];
    value *= root;
    for (std::size_t d = 0; d < 3; ++d) {
        s.du[at + d * lanes_] = s.du[at + d * lanes_] * root - 0.5 * value / own * own_gradient[d];
    }
}

/// The energy of a triple; its derivatives go to the slopes of its two neighbors.
double TripleKernel::backward(std::size_t triple, Scratch& s) const {
    const Scratch::Triple& t = s.triples[triple];
    const Scratch::Neighbor &j = s.neighbors[t.j], &k = s.neighbors[t.k];
    const double* du = &s.du[3 * (triple / lanes_ * lanes_) + triple % lanes_];
    Vec3 x_adj;
    const double f = j.f * k.f, value = description_.constant + s.values[triple];
    for (std::size_t d = 0; d < 3; ++d) x_adj[d] = f * du[d * lanes_] / description_.widths[d];
    double r_ij_adj = x_adj[0], r_ik_adj = x_adj[1];
    if (!description_.sides) {
        const double bend = 2.0 * (j.r - k.r) * x_adj[1];
        r_ij_adj = x_adj[0] + bend;
        r_ik_adj = x_adj[0] - bend;
    }
    const Vec3 across = x_adj[2] * t.unit;
    s.slopes[t.j] += (r_ij_adj + value * j.f_slope * k.f) * j.unit;
    s.slopes[t.j] += across;
    s.slopes[t.k] += (r_ik_adj + value * j.f * k.f_slope) * k.unit;
    s.slopes[t.k] -= across;
    return f * value;
}

}  // namespace mlcalc
