// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/types.hpp"
#include "style_settings.h"

namespace LAMMPS_NS {
class LAMMPS;
}

namespace mlcalc_lammps {

/// The spread of the committee per atom, for fix pair, and what happens when it is too large. What was not computed on
/// the present step reads 0.
class CommitteeWatch {
public:
    using SendHome = std::function<void(mlcalc::Vec3*)>;  ///< adds what ghosts hold to their owners' atoms

    explicit CommitteeWatch(LAMMPS_NS::LAMMPS* lammps) : lammps_(lammps) {}
    /// The flag that fix pair sets before a step on which it wants a field, and the field after it. Null: no such.
    int* flag(const std::string& field);
    double* values(const std::string& field);

    void start_run() { warned_ = false; }
    /// Before a step: asks the core for what is wanted, with `extrapolation` for that, too. `n_all` atoms with ghosts.
    void ask(const mlcalc::Model&, const StyleSettings&, std::size_t n_all, bool extrapolation, mlcalc::Results&);
    /// After it: per-atom values in units of `unit` eV. Collective where forces are asked for.
    void take(const mlcalc::Model&, double unit, const SendHome&);
    /// The spread of the total energy if member energies were computed on this step, else 0. Collective in that case.
    double of_total(const mlcalc::Model&, double unit, mlcalc::Communicator&) const;
    /// Warns once, or ends the run after the output of this step. Collective.
    void check_maximum(const StyleSettings&);
    double bytes() const;

private:
    LAMMPS_NS::LAMMPS* lammps_;
    int energy_flag_ = 0, force_flag_ = 0, extrapolation_flag_ = 0;
    bool has_energies_ = false, has_forces_ = false;
    std::size_t n_all_ = 0;
    std::vector<double> member_energies_, uncertainty_, force_uncertainty_, extrapolation_;
    std::vector<mlcalc::Vec3> member_forces_;
    bool warned_ = false;
};

}  // namespace mlcalc_lammps
