// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <vector>

#include "base/types.hpp"

namespace LAMMPS_NS {
class LAMMPS;
class NeighList;
}  // namespace LAMMPS_NS

namespace mlcalc_lammps {

/// LAMMPS's atoms and full neighbor list as the core wants to see them.
class AtomViews {
public:
    explicit AtomViews(LAMMPS_NS::LAMMPS* lammps) : lammps_(lammps) {}
    /// At each new neighbor list: which atoms LAMMPS takes out of all pairs. They are absent for the model, too:
    /// neither centers nor sources of a field, as fix gcmc and its relatives mean it when they try a deletion.
    void find_excluded();
    /// At each step. `type_species` [type] is the index into the model's species, -1 for NULL. Throws AtomFailure for a
    /// center whose coordinates are not finite, std::length_error for more pairs than the core can count.
    void fill(const LAMMPS_NS::NeighList&, const std::vector<int>& type_species, double cutoff);

    mlcalc::Atoms atoms() const;
    mlcalc::NeighborList neighbors() const { return {first_.data(), j_.data(), r_ij_.data()}; }
    std::size_t n_local() const { return first_.empty() ? 0 : first_.size() - 1; }
    std::size_t n_all() const { return species_.size(); }
    std::size_t n_pairs() const { return first_.empty() ? 0 : static_cast<std::size_t>(first_.back()); }
    const std::vector<int>& species() const { return species_; }
    double bytes() const;

private:
    void add_neighbors(const LAMMPS_NS::NeighList&, int i, double cutoff_squared);

    LAMMPS_NS::LAMMPS* lammps_;
    std::vector<char> excluded_;  ///< per atom of the last list; empty: none is
    std::vector<int> species_, first_, j_;
    std::vector<mlcalc::Vec3> r_ij_;
    std::size_t n_ = 0;  ///< pairs so far
};

/// The bits of groups that neigh_modify exclude, or a fix, takes out of all pairs.
int bits_excluded_from_all(LAMMPS_NS::LAMMPS*);

}  // namespace mlcalc_lammps
