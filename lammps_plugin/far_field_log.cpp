// SPDX-License-Identifier: GPL-2.0-only
#include "far_field_log.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "atom.h"
#include "cleared.h"
#include "comm.h"
#include "domain.h"
#include "error.h"
#include "lammps.h"
#include "model/description.hpp"
#include "neighbor.h"
#include "update.h"
#include "utils.h"

using namespace LAMMPS_NS;
using mlcalc::dot;
using mlcalc::Vec3;
using mlcalc::operator-=;

namespace mlcalc_lammps {

void FarFieldLog::start_run(mlcalc::Potential& potential, const mlcalc::Atoms& atoms) {
    if (potential.model().has_far_field() && potential.reference_cell() != mlcalc::Mat3{}) {
        const bool fits =
            lammps_->atom->natoms == natoms_chosen_for_ && mlcalc::spacing_fits(potential.reference_cell(), atoms);
        double renew = fits ? 0.0 : 1.0;
        ranks_->broadcast(&renew, 1);
        if (renew != 0.0) potential.reset();
    }
    natoms_chosen_for_ = lammps_->atom->natoms;
    warned_of_drift_ = warned_of_growth_ = false;
}

/// The evaluator is chosen at the first compute, so it is told after it; again when it has changed.
bool FarFieldLog::step(const mlcalc::Potential& potential, const StyleSettings& settings, const mlcalc::Atoms& system) {
    const bool far = potential.model().has_far_field();
    if (far) {
        warn_of_drift(potential.reference_cell(), system);
        warn_of_growth();
    }
    const std::string choice = far ? potential.far_field_choice() : "none";
    if (choice == last_choice_) return false;
    last_choice_ = choice;
    const mlcalc::FarField::Memory mine = far ? potential.far_field_memory() : mlcalc::FarField::Memory{};
    const double grids = far ? ranks_->max(static_cast<double>(mine.mesh)) : 0.0;
    const double atoms = far ? ranks_->max(static_cast<double>(mine.atoms)) : 0.0;
    if (lammps_->comm->me == 0) {
        utils::logmesg(lammps_, "mlcalc {}\n", potential.summary());
        if (far)
            utils::logmesg(lammps_, "mlcalc far field, most on one rank: grids {:.1f} MB, atoms {:.1f} MB\n",
                           1e-6 * grids, 1e-6 * atoms);
    }
    warn_of_boundaries(potential.model());
    return settings.check && choice.find("particle mesh") != std::string::npos;
}

/// The integers of mesh and k list hold for a whole run, so that the energy is a smooth function of the cell.
void FarFieldLog::warn_of_drift(const mlcalc::Mat3& chosen_for, const mlcalc::Atoms& atoms) {
    if (warned_of_drift_ || chosen_for == mlcalc::Mat3{} || mlcalc::spacing_fits(chosen_for, atoms)) return;
    warned_of_drift_ = true;
    if (lammps_->comm->me == 0)
        lammps_->error->warning(
            FLERR,
            "mlcalc: on step {} the cell has drifted by more than 10 % since the mesh or k list of the far "
            "field was chosen; both are kept until the run ends, and if the cell has grown the error may "
            "exceed the accuracy asked for: start a new run, which chooses anew, or ask for a higher "
            "accuracy or a finer mesh with the keywords accuracy or mesh",
            lammps_->update->ntimestep);
}

/// What is fast for few atoms may be slow for many.
void FarFieldLog::warn_of_growth() {
    const double before = static_cast<double>(natoms_chosen_for_), now = static_cast<double>(lammps_->atom->natoms);
    if (warned_of_growth_ || lammps_->neighbor->ago != 0 || now <= 4.0 * std::max(1.0, before)) return;
    warned_of_growth_ = true;
    if (lammps_->comm->me == 0)
        lammps_->error->warning(FLERR,
                                "mlcalc: on step {} there are {} atoms, and the evaluator of the far field was chosen "
                                "for {}; another one may be faster: start a new run, which chooses anew",
                                lammps_->update->ntimestep, lammps_->atom->natoms, natoms_chosen_for_);
}

/// Periodic and free far fields are different models.
void FarFieldLog::warn_of_boundaries(const mlcalc::Model& model) const {
    const Domain& domain = *lammps_->domain;
    const auto& trained = model.boundaries;
    const mlcalc::Boundaries here =
        mlcalc::boundaries_of({domain.xperiodic != 0, domain.yperiodic != 0, domain.zperiodic != 0});
    if (lammps_->comm->me != 0 || !model.has_far_field() || trained.empty() ||
        std::find(trained.begin(), trained.end(), here) != trained.end())
        return;
    lammps_->error->warning(
        FLERR,
        "mlcalc: this system has {} boundaries, but the model was trained with {} ones; its far field may "
        "mean something else here",
        mlcalc::name_of(here), mlcalc::name_of(trained.front()));
}

void FarFieldLog::measure(const std::shared_ptr<const mlcalc::Model>& model, const StyleSettings& settings,
                          const AtomViews& views, mlcalc::MeshBackendFactory& meshes,
                          const std::vector<double>& energies, const std::vector<Vec3>& forces,
                          const SendHome& send_home) const {
    mlcalc::PotentialOptions options = settings.potential;
    options.far_field = {};
    options.far_field.memory_limit = settings.potential.far_field.memory_limit;
    options.far_field.method = mlcalc::FarFieldMethod::ksum;
    options.far_field.split = 0.0;
    options.far_field.accuracy = std::max(1e-11, 0.01 * settings.potential.far_field.accuracy);
    mlcalc::Results results;
    std::vector<double> exact_energies;
    std::vector<Vec3> exact_forces;
    results.energies = cleared(exact_energies, energies.size());
    results.forces = cleared(exact_forces, forces.size());
    mlcalc::Potential reference(model, options);
    reference.compute(views.atoms(), views.neighbors(), *ranks_, meshes, results);
    std::vector<Vec3> difference(forces);
    difference.reserve(1);
    for (std::size_t i = 0; i < difference.size(); i++) difference[i] -= exact_forces[i];
    send_home(exact_forces.data());
    send_home(difference.data());
    double sums[4] = {0.0, 0.0, 0.0, 0.0};  // squared error, squared force, energy difference, atoms
    for (std::size_t i = 0; i < energies.size(); i++) {
        sums[0] += dot(difference[i], difference[i]);
        sums[1] += dot(exact_forces[i], exact_forces[i]);
        sums[2] += energies[i] - exact_energies[i];
        sums[3] += 1.0;
    }
    ranks_->sum(sums, 4);
    if (lammps_->comm->me == 0)
        utils::logmesg(lammps_,
                       "mlcalc check against the k-sum: rms force error {:.3g} eV/Angstrom, {:.3g} of the rms force; "
                       "energy error {:.3g} eV/atom\n",
                       std::sqrt(sums[0] / (3.0 * sums[3])), std::sqrt(sums[0] / std::max(sums[1], 1e-300)),
                       sums[2] / sums[3]);
}

}  // namespace mlcalc_lammps
