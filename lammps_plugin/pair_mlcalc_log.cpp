// SPDX-License-Identifier: GPL-2.0-only
/// What the log tells: the evaluator of the far field, its measured error, where the time went.
#include <algorithm>
#include <cmath>

#include "atom.h"
#include "comm.h"
#include "domain.h"
#include "error.h"
#include "model/description.hpp"
#include "pair_mlcalc.h"
#include "update.h"

using namespace LAMMPS_NS;
using mlcalc::Vec3;

/// The evaluator is chosen at the first compute, so it is told after it; again when it has changed.
void PairMLCalc::log_far_field() {
    warn_of_drift();
    const std::string summary = potential_->summary();
    if (summary == last_summary_) return;
    last_summary_ = summary;
    if (comm->me == 0) utils::logmesg(lmp, "mlcalc {}\n", summary);
    warn_of_boundaries();
    if (settings_.check && summary.find("mesh") != std::string::npos) check_mesh();
}

/// The integers of mesh and k list hold for a whole run, so that the energy is a smooth function of the cell.
void PairMLCalc::warn_of_drift() {
    const mlcalc::Mat3 chosen_for = potential_->reference_cell();
    if (warned_of_drift_ || domain->xperiodic == 0 || chosen_for == mlcalc::Mat3{} ||
        mlcalc::spacing_fits(chosen_for, atoms_view().cell))
        return;
    warned_of_drift_ = true;
    if (comm->me == 0)
        error->warning(FLERR,
                       "mlcalc: on step {} the cell has drifted by more than 10 % since the mesh or k list of the far "
                       "field was chosen; both are kept until the run ends, and if the cell has grown the error may "
                       "exceed the accuracy asked for: start a new run, which chooses anew, or ask for a higher "
                       "accuracy or a finer mesh with the keywords accuracy or mesh",
                       update->ntimestep);
}

/// A new run chooses mesh and k list for its own cell where that is no longer the one they were chosen for.
void PairMLCalc::renew_far_field() {
    const bool fits =
        atom->natoms == natoms_chosen_for_ && mlcalc::spacing_fits(potential_->reference_cell(), atoms_view().cell);
    if (potential_->reference_cell() != mlcalc::Mat3{} && !fits) potential_->reset();
    natoms_chosen_for_ = atom->natoms;
    warned_of_drift_ = false;
}

/// Periodic and free far fields are different models.
void PairMLCalc::warn_of_boundaries() const {
    const auto& trained = potential_->model().boundaries;
    const int n_periodic = domain->xperiodic + domain->yperiodic + domain->zperiodic;
    const std::string kind = n_periodic == 3 ? "periodic" : n_periodic == 0 ? "free" : "";
    if (comm->me != 0 || kind.empty() || !potential_->model().has_far_field() || trained.empty() ||
        std::find(trained.begin(), trained.end(), kind) != trained.end())
        return;
    error->warning(FLERR,
                   "mlcalc: this system has {} boundaries, but the model was trained with {} ones; its far field may "
                   "mean something else here",
                   kind, trained.front());
}

/// The forces of this step once more by a k-sum of a hundred times the accuracy.
void PairMLCalc::check_mesh() {
    mlcalc::PotentialOptions options = settings_.potential;
    options.far_field = {};
    options.far_field.method = mlcalc::FarFieldMethod::ksum;
    options.far_field.accuracy = std::max(1e-11, 0.01 * settings_.potential.far_field.accuracy);
    mlcalc::Results results;
    // not empty on a rank without atoms: a null pointer would mean "not wanted"
    std::vector<double> energies(energies_.size() + 1, 0.0);
    std::vector<Vec3> forces(forces_.size() + 1, Vec3{});
    results.energies = energies.data();
    results.forces = forces.data();
    const mlcalc::NeighborList neighbors = {first_.data(), j_.data(), r_ij_.data()};
    std::string problem;
    try {
        mlcalc::Potential reference(model_, options);
        reference.compute(atoms_view(), neighbors, communicator_, *mesh_factory_, results);
    } catch (const std::exception& e) {
        problem = e.what();
    }
    if (!problem.empty()) stop_all_ranks(problem, true);
    std::vector<Vec3> difference(forces_);
    difference.reserve(1);
    for (std::size_t i = 0; i < difference.size(); i++)
        for (std::size_t a = 0; a < 3; a++) difference[i][a] -= forces[i][a];
    send_ghosts_home(forces.data());
    send_ghosts_home(difference.data());
    double sums[4] = {0.0, 0.0, 0.0, 0.0};  // squared error, squared force, energy difference, atoms
    for (std::size_t i = 0; i < energies_.size(); i++) {
        for (std::size_t a = 0; a < 3; a++) {
            sums[0] += difference[i][a] * difference[i][a];
            sums[1] += forces[i][a] * forces[i][a];
        }
        sums[2] += energies_[i] - energies[i];
        sums[3] += 1.0;
    }
    communicator_.sum(sums, 4);
    if (comm->me == 0)
        utils::logmesg(lmp,
                       "mlcalc check against the k-sum: rms force error {:.3g} eV/Angstrom, {:.3g} of the rms force; "
                       "energy error {:.3g} eV/atom\n",
                       std::sqrt(sums[0] / (3.0 * sums[3])), std::sqrt(sums[0] / std::max(sums[1], 1e-300)),
                       sums[2] / sums[3]);
}

/// Below LAMMPS's table of timings: what the pair time consists of.
void PairMLCalc::finish() {
    double average[2] = {seconds_[0], seconds_[1]}, largest[2];
    MPI_Allreduce(seconds_, largest, 2, MPI_DOUBLE, MPI_MAX, world);
    communicator_.sum(average, 2);
    if (comm->me == 0)
        utils::logmesg(lmp,
                       "\nmlcalc time of the ranks, average and maximum in s: short range {:.5g} {:.5g}, far field "
                       "{:.5g} {:.5g}\n",
                       average[0] / comm->nprocs, largest[0], average[1] / comm->nprocs, largest[1]);
}
