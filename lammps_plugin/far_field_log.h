// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "atom_views.h"
#include "lmptype.h"
#include "style_settings.h"

namespace mlcalc_lammps {

/// Watches the evaluator of the far field and tells the log: what was chosen, its measured error, and when the system
/// has drifted away from what it was chosen for. Ranks decide by what is the same on all of them.
class FarFieldLog {
public:
    using SendHome = std::function<void(mlcalc::Vec3*)>;  ///< adds what ghosts hold to their owners' atoms

    FarFieldLog(LAMMPS_NS::LAMMPS* lammps, mlcalc::Communicator& ranks) : lammps_(lammps), ranks_(&ranks) {}
    /// A new run chooses mesh and k list anew where cell or number of atoms are no longer those they were chosen for.
    void start_run(mlcalc::Potential&, const mlcalc::Atoms&);
    /// After a step. True, on every rank, if an evaluator was chosen and its error is to be measured. Collective.
    bool step(const mlcalc::Potential&, const StyleSettings&, const mlcalc::Atoms&);
    /// The energies (n_local) and forces (n_all) of this step once more by a k-sum of a hundred times the accuracy.
    /// Collective.
    void measure(const std::shared_ptr<const mlcalc::Model>&, const StyleSettings&, const AtomViews&,
                 mlcalc::MeshBackendFactory&, const std::vector<double>& energies,
                 const std::vector<mlcalc::Vec3>& forces, const SendHome&) const;
    void forget() { last_choice_.clear(); }

private:
    void warn_of_drift(const mlcalc::Mat3& chosen_for, const mlcalc::Atoms&);
    void warn_of_growth();
    void warn_of_boundaries(const mlcalc::Model&) const;

    LAMMPS_NS::LAMMPS* lammps_;
    mlcalc::Communicator* ranks_;
    std::string last_choice_;
    LAMMPS_NS::bigint natoms_chosen_for_ = 0;
    bool warned_of_drift_ = false, warned_of_growth_ = false;
};

}  // namespace mlcalc_lammps
