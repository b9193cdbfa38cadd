// SPDX-License-Identifier: BSD-3-Clause
#include "pairs/pair_geometry.hpp"

#include <algorithm>
#include <cmath>

#include "base/failure.hpp"
#include "simd/instruction_set.hpp"

namespace mlcalc {
namespace {

constexpr double closest2 = 1e-12;  // Angstrom^2

[[noreturn]] void refuse_pair(int i, int j, double r2) {
    if (!std::isfinite(r2)) {
        throw AtomFailure("the positions must be finite numbers; look at atoms {} and {}", {i, j});
    }
    throw AtomFailure("atoms {} and {} are at the same place", {i, j});
}

}  // namespace

PairGeometry::PairGeometry(const std::vector<double>& cutoffs, int n_species)
    : lanes_(simd_lanes()), n_species_(n_species), cutoffs_(cutoffs) {
    std::sort(cutoffs_.begin(), cutoffs_.end());
    cutoffs_.erase(std::unique(cutoffs_.begin(), cutoffs_.end()), cutoffs_.end());
    if (!cutoffs_.empty() && cutoffs_.front() == 0.0) cutoffs_.erase(cutoffs_.begin());
    accepted_.resize(static_cast<std::size_t>(n_species) * cutoffs_.size());
}

std::size_t PairGeometry::index(double cutoff) const {
    return static_cast<std::size_t>(std::lower_bound(cutoffs_.begin(), cutoffs_.end(), cutoff) - cutoffs_.begin());
}

void PairGeometry::fill(const System& system, Block block) {
    groups_.clear();
    counts_.clear();
    pairs_.clear();
    if (cutoffs_.empty()) return;
    for (int i = block.begin; i < block.end; ++i) {
        if (system.atoms.species[i] >= 0) collect(system, i);
    }
}

void PairGeometry::collect(const System& system, int center) {
    const std::size_t n_cutoffs = cutoffs_.size();
    const double largest2 = cutoffs_.back() * cutoffs_.back();
    for (std::vector<int>& pairs : accepted_) pairs.clear();
    const NeighborList& list = system.pairs;
    for (int p = list.first[center]; p < list.first[center + 1]; ++p) {
        const double r2 = dot(list.r_ij[p], list.r_ij[p]);
        const int species = system.atoms.species[list.j[p]];
        if (r2 > closest2 && r2 < largest2) {
            if (species < 0) continue;
            std::size_t within = 0;
            while (r2 >= cutoffs_[within] * cutoffs_[within]) ++within;
            accepted_[static_cast<std::size_t>(species) * n_cutoffs + within].push_back(p);
        } else if (!(r2 >= largest2 && std::isfinite(r2))) {
            refuse_pair(center, list.j[p], r2);
        }
    }
    for (int a = 0; a < n_species_; ++a) {
        const std::vector<int>* buckets = &accepted_[static_cast<std::size_t>(a) * n_cutoffs];
        if (n_cutoffs == 1) {
            add_group(system, center, a, buckets[0].data(), buckets[0].size());
            if (!buckets[0].empty()) counts_.push_back(static_cast<int>(buckets[0].size()));
            continue;
        }
        order_.clear();
        const std::size_t first_count = counts_.size();
        for (std::size_t c = 0; c < n_cutoffs; ++c) {
            order_.insert(order_.end(), buckets[c].begin(), buckets[c].end());
            counts_.push_back(static_cast<int>(order_.size()));
        }
        if (order_.empty()) {
            counts_.resize(first_count);
            continue;
        }
        add_group(system, center, a, order_.data(), order_.size());
        groups_.back().first_count = first_count;
    }
}

void PairGeometry::add_group(const System& system, int center, int species, const int* pairs, std::size_t n) {
    if (n == 0) return;
    const std::size_t lanes = static_cast<std::size_t>(lanes_), n_chunks = (n + lanes - 1) / lanes;
    const std::size_t first = pairs_.size();
    groups_.push_back({center, species, static_cast<int>(first / lanes), static_cast<int>(n_chunks), counts_.size()});
    pairs_.insert(pairs_.end(), pairs, pairs + n);
    pairs_.resize(first + n_chunks * lanes, -1);
    if (geometry_.size() < 5 * pairs_.size()) geometry_.resize(5 * pairs_.size());
    for (std::size_t k = 0; k < n_chunks * lanes; ++k) {
        const Vec3 r = k < n ? system.pairs.r_ij[pairs[k]] : Vec3{0.0, 0.0, cutoffs_.back()};
        const double distance = std::sqrt(dot(r, r)), inverse = 1.0 / distance;
        double* geometry = geometry_.data() + 5 * (first + k / lanes * lanes) + k % lanes;
        for (std::size_t x = 0; x < 3; ++x) geometry[x * lanes] = r[x] * inverse;
        geometry[3 * lanes] = distance;
        geometry[4 * lanes] = k < n ? 1.0 : 0.0;
    }
}

}  // namespace mlcalc
