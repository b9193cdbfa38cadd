// SPDX-License-Identifier: GPL-2.0-only
/// Per-atom virials for heat fluxes. Of a many-body energy they are not those of centers: the heat flux
/// J = sum_i e_i v_i + sum_i W_i v_i needs W_i = sum_j r_ji (x) F_i,j, the force on i by the energy of j
/// [Fan et al., PRB 92, 094301 (2015); Surblys et al., PRE 99, 051301 (2019)].
#include "atom.h"
#include "compute.h"
#include "error.h"
#include "model/description.hpp"
#include "modify.h"
#include "pair_mlcalc.h"

using namespace LAMMPS_NS;
using mlcalc::Vec3;

/// The plain per-atom stress of a many-body style gives a wrong heat flux without a word.
void PairMLCalc::check_heat_flux() const {
    if (modify->get_compute_by_style("heat/flux").empty()) return;
    if (potential_->model().has_far_field())
        error->all(FLERR, "pair_style mlcalc has no heat flux for a model with a far field");
    if (modify->get_compute_by_style("centroid/stress/atom").empty())
        error->all(FLERR,
                   "compute heat/flux needs centroid/stress/atom instead of stress/atom with pair_style mlcalc, whose "
                   "energies depend on many atoms");
}

/// Every pair becomes a neighbor of its own, so that the force on it is what the one center does to the one neighbor.
void PairMLCalc::add_centroid_virials() {
    const auto n_local = static_cast<std::size_t>(atom->nlocal);
    const auto n_pairs = static_cast<std::size_t>(first_[n_local]);
    std::vector<int> species(species_.begin(), species_.begin() + static_cast<std::ptrdiff_t>(n_local));
    std::vector<int> own(n_pairs);
    for (std::size_t pair = 0; pair < n_pairs; pair++) {
        own[pair] = static_cast<int>(n_local + pair);
        species.push_back(species_[static_cast<std::size_t>(j_[pair])]);
    }
    mlcalc::Atoms atoms = atoms_view();
    atoms.n_all = static_cast<int>(n_local + n_pairs);
    atoms.species = species.data();
    std::vector<Vec3> forces(n_local + n_pairs + 1, Vec3{});
    mlcalc::Results results;
    results.forces = forces.data();
    const mlcalc::NeighborList neighbors = {first_.data(), own.data(), r_ij_.data()};
    potential_->compute(atoms, neighbors, communicator_, *mesh_factory_, results);

    constexpr int row[9] = {0, 1, 2, 0, 0, 1, 1, 2, 2}, column[9] = {0, 1, 2, 1, 2, 2, 0, 0, 1};
    const double unit = energy_unit_ * scale_;
    for (std::size_t pair = 0; pair < n_pairs; pair++)
        for (int k = 0; k < 9; k++)
            cvatom[j_[pair]][k] += unit * r_ij_[pair][static_cast<std::size_t>(row[k])] *
                                   forces[n_local + pair][static_cast<std::size_t>(column[k])];
}
