// SPDX-License-Identifier: GPL-2.0-only
/// Per-atom virials for heat fluxes. Of a many-body energy they are not those of centers: the heat flux
/// J = sum_i e_i v_i + sum_i W_i v_i needs W_i = sum_j r_ji (x) F_i,j, the force on i by the energy of j
/// [Fan et al., PRB 92, 094301 (2015); Surblys et al., PRE 99, 051301 (2019)].
#pragma once

#include "atom_views.h"
#include "potential.hpp"

namespace mlcalc_lammps {

/// The plain per-atom stress of a many-body style gives a wrong heat flux without a word: ends the run with a sentence
/// if a compute heat/flux uses one, or asks for what a far field cannot give.
/// Before a run has been set up, computes do not know each other; then only the far field is checked.
void check_heat_flux(LAMMPS_NS::LAMMPS*, const mlcalc::Model&, bool set_up);

/// Adds unit times the nine numbers of each atom (xx yy zz xy xz yz yx zx zy) to `virials` of local and ghost atoms.
void add_centroid_virials(const AtomViews&, mlcalc::Potential&, mlcalc::Communicator&, mlcalc::MeshBackendFactory&,
                          double unit, double** virials);

}  // namespace mlcalc_lammps
