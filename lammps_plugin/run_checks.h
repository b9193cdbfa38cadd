// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <vector>

namespace LAMMPS_NS {
class LAMMPS;
class NeighList;
}  // namespace LAMMPS_NS

namespace mlcalc_lammps {

/// Settings of LAMMPS that would silently take pairs out of the neighbor list, or split the forces. Each ends the run
/// with a sentence. The table in docs/developer.md says which command meets which check.
class RunChecks {
public:
    explicit RunChecks(LAMMPS_NS::LAMMPS* lammps) : lammps_(lammps) {}
    /// In init_style: what stays for the run.
    void start(bool far_field) const;
    /// At each new neighbor list: what commands, fixes and reactions may have changed since the last one.
    /// `type_species` [type] is -1 for NULL. Collective.
    void new_list(const LAMMPS_NS::NeighList&, const std::vector<int>& type_species) const;
    /// Is this an evaluation of a Monte Carlo fix, of atoms that may be rejected, rather than one of the run?
    bool is_trial(int eflag, int vflag) const;

private:
    void exclusions(const std::vector<int>& type_species) const;
    void special_bonds() const;
    void other_styles(const LAMMPS_NS::NeighList&, const std::vector<int>& type_species) const;

    LAMMPS_NS::LAMMPS* lammps_;
};

}  // namespace mlcalc_lammps
