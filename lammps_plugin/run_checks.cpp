// SPDX-License-Identifier: GPL-2.0-only
#include "run_checks.h"

#include <mpi.h>

#include <algorithm>

#include "atom.h"
#include "comm.h"
#include "domain.h"
#include "error.h"
#include "fix.h"
#include "force.h"
#include "lammps.h"
#include "modify.h"
#include "neigh_list.h"
#include "neighbor.h"
#include "update.h"
#include "utils.h"

using namespace LAMMPS_NS;

namespace mlcalc_lammps {

namespace {

/// The group whose atoms alone become ghosts, which LAMMPS tells its own classes only.
class GhostGroup : public Comm {
public:
    static int of(Comm* comm) { return comm->*(&GhostGroup::bordergroup); }
};

}  // namespace

void RunChecks::start(bool far_field) const {
    if (far_field && lammps_->domain->dimension == 2)
        lammps_->error->all(FLERR,
                            "pair_style mlcalc has no far field in two dimensions, where the box repeats along z for a "
                            "far field but not for the neighbors; use dimension 3 with boundary p p f");
    if (lammps_->force->newton_pair == 0) lammps_->error->all(FLERR, "pair_style mlcalc needs newton pair on");
    if (utils::strmatch(lammps_->update->integrate_style, "^respa"))
        lammps_->error->all(FLERR, "pair_style mlcalc has no inner and outer forces for run_style respa");
    if (GhostGroup::of(lammps_->comm) != 0)
        lammps_->error->all(FLERR,
                            "pair_style mlcalc needs all neighbors, but comm_modify group leaves some out; use "
                            "comm_modify group all");
}

void RunChecks::new_list(const NeighList& list, const std::vector<int>& type_species) const {
    exclusions(type_species);
    special_bonds();
    other_styles(list, type_species);
}

/// A group that is excluded from all pairs is absent, see AtomViews; any other exclusion takes neighbors from atoms
/// that stay. Fixes add theirs after init_style.
void RunChecks::exclusions(const std::vector<int>& type_species) const {
    const Neighbor& neighbor = *lammps_->neighbor;
    Error* error = lammps_->error;
    constexpr int all = 1;
    if (neighbor.includegroup != 0)
        error->all(FLERR, "pair_style mlcalc needs all neighbors, but neigh_modify include leaves some out");
    bool away = neighbor.nex_mol > 0;
    for (int k = 0; k < neighbor.nex_group; k++)
        away = away || (neighbor.ex1_bit[k] != all && neighbor.ex2_bit[k] != all);
    if (away) error->all(FLERR, "pair_style mlcalc needs all neighbors, but neigh_modify exclude takes pairs away");
    for (int k = 0; k < neighbor.nex_type; k++)
        if (type_species[static_cast<std::size_t>(neighbor.ex1_type[k])] >= 0 &&
            type_species[static_cast<std::size_t>(neighbor.ex2_type[k])] >= 0)
            error->all(FLERR,
                       "pair_style mlcalc needs all neighbors, but neigh_modify exclude takes pairs of type {} "
                       "and {} away",
                       neighbor.ex1_type[k], neighbor.ex2_type[k]);
}

/// Bonds may appear during a run: what counts is whether an atom has special neighbors now.
void RunChecks::special_bonds() const {
    const Atom& atom = *lammps_->atom;
    if (atom.molecular == Atom::ATOMIC) return;
    bool kept = true;
    for (int k = 1; k <= 3; k++) kept = kept && lammps_->force->special_lj[k] == 1.0;
    if (kept) return;
    int found = atom.molecular == Atom::TEMPLATE && atom.nlocal > 0 ? 1 : 0;
    for (int i = 0; i < atom.nlocal && found == 0 && atom.nspecial != nullptr; i++) {
        int before = 0;  // nspecial is cumulative over 1-2, 1-3 and 1-4 neighbors
        for (int k = 0; k < 3; k++) {
            if (atom.nspecial[i][k] > before && lammps_->force->special_lj[k + 1] != 1.0) found = 1;
            before = atom.nspecial[i][k];
        }
    }
    MPI_Allreduce(MPI_IN_PLACE, &found, 1, MPI_INT, MPI_MAX, lammps_->world);
    if (found != 0)
        lammps_->error->all(FLERR, "pair_style mlcalc needs all neighbors: set special_bonds lj/coul 1.0 1.0 1.0");
}

/// pair_style hybrid may give single pairs of types to another style; an environment cannot lack them.
void RunChecks::other_styles(const NeighList& list, const std::vector<int>& type_species) const {
    if (list.ijskip == nullptr) return;
    for (int i = 1; i <= lammps_->atom->ntypes; i++)
        for (int j = 1; j <= lammps_->atom->ntypes; j++)
            if (type_species[static_cast<std::size_t>(i)] >= 0 && type_species[static_cast<std::size_t>(j)] >= 0 &&
                (list.ijskip[i][j] != 0 || list.iskip[i] != 0))
                lammps_->error->all(
                    FLERR,
                    "pair_style mlcalc describes types {} and {}, but another pair_coeff has taken this "
                    "pair away; use hybrid/overlay, or NULL for one of them",
                    i, j);
}

/// Fixes that try something ask for the energy alone, before the neighbor lists that they have forced on this step.
bool RunChecks::is_trial(int eflag, int vflag) const {
    if (eflag != 1 || vflag != 0) return false;
    const Modify& modify = *lammps_->modify;
    return std::any_of(modify.fix, modify.fix + modify.nfix, [this](const Fix* fix) {
        return fix->force_reneighbor != 0 && fix->next_reneighbor == lammps_->update->ntimestep;
    });
}

}  // namespace mlcalc_lammps
