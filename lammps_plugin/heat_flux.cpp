// SPDX-License-Identifier: GPL-2.0-only
#include "heat_flux.h"

#include <algorithm>
#include <string>

#include "base/counts.hpp"
#include "compute.h"
#include "error.h"
#include "lammps.h"
#include "model/description.hpp"
#include "modify.h"

using namespace LAMMPS_NS;
using mlcalc::Vec3;

namespace mlcalc_lammps {

namespace {

/// The members of LAMMPS's ComputeHeatFlux, whose header is not installed.
class HeatFluxMembers : public Compute {
public:
    char* names[3];     ///< IDs of the computes of kinetic energy, potential energy and stress
    Compute* parts[3];  ///< the computes themselves, since its init()
};

/// The stress that a heat flux uses; null if the compute does not look as expected.
const Compute* stress_of(const Compute* flux, const std::vector<Compute*>& all) {
    const auto* members = static_cast<const HeatFluxMembers*>(flux);
    for (const Compute* part : members->parts)
        if (std::find(all.begin(), all.end(), part) == all.end()) return nullptr;
    return members->parts[2];
}

}  // namespace

void check_heat_flux(LAMMPS* lammps, const mlcalc::Model& model, bool set_up) {
    const std::vector<Compute*> all(lammps->modify->compute, lammps->modify->compute + lammps->modify->ncompute);
    const auto is = [](const Compute* compute, const char* style) { return std::string(compute->style) == style; };
    const bool plain = std::any_of(all.begin(), all.end(), [&](Compute* c) { return is(c, "stress/atom"); });
    const bool centroid =
        std::any_of(all.begin(), all.end(), [&](Compute* c) { return is(c, "centroid/stress/atom"); });
    for (const Compute* flux : all) {
        if (!is(flux, "heat/flux")) continue;
        if (model.has_far_field())
            lammps->error->all(FLERR, "pair_style mlcalc has no heat flux for a model with a far field");
        if (!set_up) continue;
        const Compute* stress = stress_of(flux, all);
        if (stress != nullptr ? !is(stress, "centroid/stress/atom") : plain || !centroid)
            lammps->error->all(FLERR,
                               "compute heat/flux needs centroid/stress/atom instead of stress/atom with pair_style "
                               "mlcalc, whose energies depend on many atoms; change compute {}",
                               flux->id);
    }
}

/// Every pair becomes a neighbor of its own, so that the force on it is what the one center does to the one neighbor.
void add_centroid_virials(const AtomViews& views, mlcalc::Potential& potential, mlcalc::Communicator& ranks,
                          mlcalc::MeshBackendFactory& meshes, double unit, double** virials) {
    const std::size_t n_local = views.n_local(), n_pairs = views.n_pairs();
    const int n_all = mlcalc::counted(n_local + n_pairs, "pairs within the cutoff, each with a virial of its own");
    const mlcalc::NeighborList given = views.neighbors();
    std::vector<int> species(views.species().begin(), views.species().begin() + static_cast<std::ptrdiff_t>(n_local));
    std::vector<int> own(n_pairs);
    for (std::size_t pair = 0; pair < n_pairs; pair++) {
        own[pair] = static_cast<int>(n_local + pair);
        species.push_back(views.species()[static_cast<std::size_t>(given.j[pair])]);
    }
    mlcalc::Atoms atoms = views.atoms();
    atoms.n_all = n_all;
    atoms.species = species.data();
    std::vector<Vec3> forces(n_local + n_pairs + 1, Vec3{});
    mlcalc::Results results;
    results.forces = forces.data();
    potential.compute(atoms, {given.first, own.data(), given.r_ij}, ranks, meshes, results);

    constexpr int row[9] = {0, 1, 2, 0, 0, 1, 1, 2, 2}, column[9] = {0, 1, 2, 1, 2, 2, 0, 0, 1};
    for (std::size_t pair = 0; pair < n_pairs; pair++)
        for (int k = 0; k < 9; k++)
            virials[given.j[pair]][k] += unit * given.r_ij[pair][static_cast<std::size_t>(row[k])] *
                                         forces[n_local + pair][static_cast<std::size_t>(column[k])];
}

}  // namespace mlcalc_lammps
