// SPDX-License-Identifier: GPL-2.0-only
#include "largest_value.h"

#include <mpi.h>

#include "atom.h"
#include "comm.h"
#include "lammps.h"

using namespace LAMMPS_NS;

namespace mlcalc_lammps {

LargestValue::LargestValue(LAMMPS* lammps, const double* values, double absent) : lammps_(lammps) {
    const Atom& atom = *lammps->atom;
    struct {
        double value;
        int rank;
    } mine = {absent, lammps->comm->me}, all;
    for (int i = 0; i < atom.nlocal; i++) {
        if (!(values[i] > mine.value)) continue;
        mine.value = values[i];
        place_ = {atom.tag_enable ? atom.tag[i] : 0, atom.type[i]};
    }
    MPI_Allreduce(&mine, &all, 1, MPI_DOUBLE_INT, MPI_MAXLOC, lammps->world);
    value_ = all.value;
    owner_ = all.rank;
}

void LargestValue::share() {
    MPI_Bcast(&place_, sizeof(Place), MPI_BYTE, owner_, lammps_->world);
}

}  // namespace mlcalc_lammps
