// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include "lmptype.h"
#include "style_settings.h"

namespace LAMMPS_NS {
class LAMMPS;
}

namespace mlcalc_lammps {

/// Looks now and then how far the atoms are from the training set of the model, and says when they have left it.
class ExtrapolationWatch {
public:
    explicit ExtrapolationWatch(LAMMPS_NS::LAMMPS* lammps) : lammps_(lammps) {}
    void start_run();
    /// Is the measure to be computed on this step? The same on all ranks.
    bool is_due(const mlcalc::Model&, const StyleSettings&);
    /// Warns once, or ends the run after the output of this step, if it was due. `values` (nlocal), 0 of atoms that the
    /// model does not see. Collective.
    void check(const mlcalc::Model&, const double* values, const StyleSettings&);
    /// A line with the largest value of the run, if there is one.
    void report() const;

private:
    struct Place {
        double value = -1.0;
        LAMMPS_NS::bigint step = 0;
        LAMMPS_NS::tagint atom = 0;
        int type = 0;
    };

    void check_largest(const double* values, const StyleSettings&);
    void check_mean(const mlcalc::Model&, const double* values);

    LAMMPS_NS::LAMMPS* lammps_;
    Place largest_;
    double before_ = 0.0, ratio_ = 0.0;  ///< at the look before: largest of the atoms, mean beside that of the data
    bool due_ = false, warned_ = false;
};

}  // namespace mlcalc_lammps
