// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <string>

#include "potential.hpp"

namespace LAMMPS_NS {
class LAMMPS;
}

namespace mlcalc_lammps {

/// What the words of a pair_style command ask for.
struct StyleSettings {
    enum class OnMaximum { nothing, warn, stop };
    mlcalc::PotentialOptions potential;
    bool check = false;            ///< measure the error of the mesh when it has been chosen
    bool uncertainty = false;      ///< every step, not only when a fix pair asks
    double max_uncertainty = 0.0;  ///< norm of the spread of a force, in the force unit of the run
    OnMaximum on_maximum = OnMaximum::nothing;
    bool extrapolation = true;       ///< look now and then whether the run is where the model was trained
    double max_extrapolation = 0.0;  ///< a limit of the user's own
    OnMaximum on_extrapolation = OnMaximum::nothing;  ///< nothing: warn at the limit that every model has

    bool has_maximum() const { return on_maximum != OnMaximum::nothing; }
    bool watches_uncertainty() const { return uncertainty || has_maximum(); }
    /// Would another mesh or k list be chosen?
    bool same_far_field(const StyleSettings&) const;
};

/// Reads the words after "pair_style mlcalc"; ends the run with a sentence for what no model could be run with.
StyleSettings read_style_settings(LAMMPS_NS::LAMMPS*, int narg, char** arg);

/// Throws std::invalid_argument for settings that this model does not serve.
void check_style_settings(const StyleSettings&, const mlcalc::Model&, const std::string& path);

}  // namespace mlcalc_lammps
