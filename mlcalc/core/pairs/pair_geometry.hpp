// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <vector>

#include "base/aligned.hpp"
#include "base/system.hpp"

namespace mlcalc {

/// The pairs of a block of centers, made once for all that sum over them: sorted by the species of the neighbor, nearer
/// ones first where expansions have different cutoffs, in chunks of SIMD lanes. Grows to the largest block and is then
/// reused.
class PairGeometry {
public:
    /// The neighbors of one species of one center: chunks chunk .. chunk + n_chunks, the last one filled up.
    struct Group {
        int center, species;
        int chunk, n_chunks;
        std::size_t first_count;  ///< into the counts per cutoff
    };
    /// `cutoffs` of all that will ask; zeros are left out.
    PairGeometry(const std::vector<double>& cutoffs, int n_species);

    /// Throws std::invalid_argument for coincident atoms and distances that are not finite. Atoms without a species are
    /// neither centers nor neighbors.
    void fill(const System&, Block);

    int lanes() const { return lanes_; }
    const std::vector<Group>& groups() const { return groups_; }
    std::size_t n_chunks() const { return pairs_.size() / static_cast<std::size_t>(lanes_); }
    /// Position of a cutoff among those of the constructor.
    std::size_t index(double cutoff) const;
    /// Pairs of a group within the cutoff of that index: they come first.
    int n_pairs(const Group& group, std::size_t cutoff) const { return counts_[group.first_count + cutoff]; }
    int n_chunks(const Group& group, std::size_t cutoff) const {
        return (n_pairs(group, cutoff) + lanes_ - 1) / lanes_;
    }
    /// Of the chunks of a group: indices into the neighbor list, -1 fills a chunk up.
    const int* pairs(const Group& group) const { return pairs_.data() + at(group); }
    /// [chunk][5][lane]: unit vector x, y, z, distance, and 1 or 0 for what fills a chunk up.
    const double* geometry(const Group& group) const { return geometry_.data() + 5 * at(group); }

private:
    std::size_t at(const Group& group) const {
        return static_cast<std::size_t>(group.chunk) * static_cast<std::size_t>(lanes_);
    }
    void collect(const System&, int center);
    void add_group(const System&, int center, int species, const int* pairs, std::size_t n);

    int lanes_, n_species_;
    std::vector<double> cutoffs_;             ///< ascending
    std::vector<std::vector<int>> accepted_;  ///< pairs of one center per species and cutoff
    std::vector<int> order_;
    std::vector<Group> groups_;
    std::vector<int> counts_, pairs_;
    AlignedVector<double> geometry_;
};

}  // namespace mlcalc
