// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include "lmptype.h"

namespace LAMMPS_NS {
class LAMMPS;
}

namespace mlcalc_lammps {

/// The largest of per-atom values on all ranks, and whose it is. Collective.
class LargestValue {
public:
    /// `values` (nlocal); `absent` is what there is without atoms.
    LargestValue(LAMMPS_NS::LAMMPS*, const double* values, double absent);
    double value() const { return value_; }
    /// The atom, known on the rank that owns it until `share` has told the others. Collective.
    void share();
    LAMMPS_NS::tagint atom() const { return place_.atom; }
    int type() const { return place_.type; }

private:
    struct Place {
        LAMMPS_NS::tagint atom = 0;  ///< 0 where atoms have no IDs
        int type = 0;
    };
    LAMMPS_NS::LAMMPS* lammps_;
    double value_;
    int owner_;
    Place place_;
};

}  // namespace mlcalc_lammps
