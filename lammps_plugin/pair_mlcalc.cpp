// SPDX-License-Identifier: GPL-2.0-only
/// The work of a time step.
#include "pair_mlcalc.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <stdexcept>
#include <string>
#include <thread>

#include "atom.h"
#include "comm.h"
#include "domain.h"
#include "error.h"
#include "force.h"
#include "grid_mesh.h"
#include "memory.h"
#include "model/description.hpp"
#include "neigh_list.h"
#include "neighbor.h"
#include "update.h"

using namespace LAMMPS_NS;
using mlcalc::Vec3;

PairMLCalc::PairMLCalc(LAMMPS* instance)
    : Pair(instance),
      communicator_(world),
      mesh_factory_(std::make_unique<mlcalc_lammps::LammpsMeshFactory>(instance, this)) {
    one_coeff = 1;
    manybody_flag = 1;
    single_enable = 0;
    restartinfo = 1;
    respa_enable = 0;
    no_virial_fdotr_compute = 1;  // the far field carries an explicit strain term
    centroidstressflag = CENTROID_NOTAVAIL;
}

PairMLCalc::~PairMLCalc() {
    delete[] pvector;
    if (allocated) {
        memory->destroy(setflag);
        memory->destroy(cutsq);
    }
}

void PairMLCalc::init_style() {
    check_settings_of_run();
    const std::string units = update->unit_style;
    if (units == "metal")
        energy_unit_ = 1.0;
    else if (units == "real")
        energy_unit_ = 23.060548;  // kcal/mol per eV, the value that LAMMPS itself uses
    else
        error->all(FLERR, "pair_style mlcalc works with units metal or real, not {}", units);
    mesh_factory_->invalidate();
    renew_far_field();
    warned_ = false;
    seconds_[0] = seconds_[1] = 0.0;
    neighbor->add_request(this, NeighConst::REQ_FULL);
}

/// What would silently take pairs out of the list, or split the forces, is refused.
void PairMLCalc::check_settings_of_run() {
    if (force->newton_pair == 0) error->all(FLERR, "pair_style mlcalc needs newton pair on");
    if (utils::strmatch(update->integrate_style, "^respa"))
        error->all(FLERR, "pair_style mlcalc has no inner and outer forces for run_style respa");
    check_heat_flux();
    if (neighbor->includegroup != 0)
        error->all(FLERR, "pair_style mlcalc needs all neighbors, but neigh_modify include leaves some out");
    if (neighbor->nex_group > 0 || neighbor->nex_mol > 0)
        error->all(FLERR, "pair_style mlcalc needs all neighbors, but neigh_modify exclude takes pairs away");
    for (int k = 0; k < neighbor->nex_type; k++)
        if (type_species_[static_cast<std::size_t>(neighbor->ex1_type[k])] >= 0 &&
            type_species_[static_cast<std::size_t>(neighbor->ex2_type[k])] >= 0)
            error->all(FLERR,
                       "pair_style mlcalc needs all neighbors, but neigh_modify exclude takes pairs of type {} "
                       "and {} away",
                       neighbor->ex1_type[k], neighbor->ex2_type[k]);
    if (atom->molecular != Atom::ATOMIC && atom->nbonds > 0)
        for (int k = 1; k <= 3; k++)
            if (force->special_lj[k] != 1.0)
                error->all(FLERR, "pair_style mlcalc needs all neighbors: set special_bonds lj/coul 1.0 1.0 1.0");
}

double PairMLCalc::init_one(int i, int j) {
    if (setflag[i][j] == 0) error->all(FLERR, "All pair coeffs are not set");
    return std::max(potential_->cutoff(), 0.1);  // to LAMMPS a cutoff of 0 means no communication at all
}

/// pair_style hybrid may give single pairs of types to another style; an environment cannot lack them.
void PairMLCalc::check_pairs_of_hybrid() const {
    if (list->ijskip == nullptr) return;
    for (int i = 1; i <= atom->ntypes; i++)
        for (int j = 1; j <= atom->ntypes; j++)
            if (type_species_[static_cast<std::size_t>(i)] >= 0 && type_species_[static_cast<std::size_t>(j)] >= 0 &&
                (list->ijskip[i][j] != 0 || list->iskip[i] != 0))
                error->all(FLERR,
                           "pair_style mlcalc describes types {} and {}, but another pair_coeff has taken this pair "
                           "away; use hybrid/overlay, or NULL for one of them",
                           i, j);
}

void PairMLCalc::fill_species() {
    const int n_all = atom->nlocal + atom->nghost;
    species_.resize(static_cast<std::size_t>(n_all));
    for (int i = 0; i < n_all; i++)
        species_[static_cast<std::size_t>(i)] = type_species_[static_cast<std::size_t>(atom->type[i])];
}

/// Keeps the pairs of LAMMPS's list (cutoff + skin) that lie within the model's cutoff.
void PairMLCalc::fill_neighbors() {
    const auto n_local = static_cast<std::size_t>(atom->nlocal);
    const double cutoff_squared = potential_->cutoff() * potential_->cutoff();
    first_.assign(n_local + 1, 0);
    std::size_t n_listed = 0;
    for (int ii = 0; ii < list->inum; ii++) {
        const int i = list->ilist[ii];
        first_[static_cast<std::size_t>(i) + 1] = list->numneigh[i];
        n_listed += static_cast<std::size_t>(list->numneigh[i]);
    }
    if (j_.size() < n_listed) {
        j_.resize(n_listed + n_listed / 8);
        r_ij_.resize(j_.size());
    }
    const auto* x = reinterpret_cast<const Vec3*>(n_local > 0 ? atom->x[0] : nullptr);
    std::size_t n = 0;
    for (std::size_t i = 0; i < n_local; i++) {
        const int listed = first_[i + 1];
        first_[i] = static_cast<int>(n);
        if (species_[i] < 0) continue;
        const int* neighbors = list->firstneigh[i];
        const Vec3 center = x[i];
        // an infinite distance would look like one beyond the cutoff
        if (!std::isfinite(center[0] + center[1] + center[2]))
            stop_this_rank("A coordinate of atom " +
                           std::to_string(atom->tag_enable ? atom->tag[i] : static_cast<tagint>(i)) +
                           " is not a number; the dynamics has become unstable");
        for (int k = 0; k < listed; k++) {
            const int j = neighbors[k] & NEIGHMASK;
            const Vec3 r = {x[j][0] - center[0], x[j][1] - center[1], x[j][2] - center[2]};
            const double r_squared = r[0] * r[0] + r[1] * r[1] + r[2] * r[2];
            // written so that a distance that is not a number is kept, and refused by the core
            if (r_squared >= cutoff_squared || species_[static_cast<std::size_t>(j)] < 0) continue;
            j_[n] = j;
            r_ij_[n] = r;
            n++;
        }
    }
    first_[n_local] = static_cast<int>(n);
}

mlcalc::Atoms PairMLCalc::atoms_view() const {
    mlcalc::Atoms atoms;
    atoms.n_local = atom->nlocal;
    atoms.n_all = atom->nlocal + atom->nghost;
    atoms.species = species_.data();
    atoms.positions = reinterpret_cast<const Vec3*>(atoms.n_all > 0 ? atom->x[0] : nullptr);
    const double* h = domain->h;  // xx yy zz yz xz xy
    atoms.cell = {{{h[0], 0.0, 0.0}, {h[5], h[1], 0.0}, {h[4], h[3], h[2]}}};
    atoms.origin = {domain->boxlo[0], domain->boxlo[1], domain->boxlo[2]};
    atoms.pbc = {domain->xperiodic != 0, domain->yperiodic != 0, domain->zperiodic != 0};
    return atoms;
}

/// Zeros, and a pointer that is not null on a rank without atoms: null would mean "not wanted", and the ranks would no
/// longer do the same.
template <typename T>
static T* cleared(std::vector<T>& values, std::size_t n) {
    values.reserve(n + 1);
    values.assign(n, T{});
    return values.data();
}

void PairMLCalc::prepare_results(mlcalc::Results& results) {
    const auto n_local = static_cast<std::size_t>(atom->nlocal);
    const std::size_t n_all = species_.size();
    const auto n_members = static_cast<std::size_t>(potential_->model().n_members);
    results.energies = cleared(energies_, n_local);
    results.forces = cleared(forces_, n_all);
    if (vflag_atom) results.atom_virials = cleared(atom_virials_, n_local);
    if (wants_uncertainty()) results.member_energies = cleared(member_energies_, n_local * n_members);
    if (force_uncertainty_flag_) results.member_forces = cleared(member_forces_, n_all * n_members);
    if (extrapolation_flag_) results.extrapolation = cleared(extrapolation_, static_cast<std::size_t>(atom->nmax));
}

/// Where LAMMPS's grids or FFTs do not serve and no mesh was insisted on, the k-sum gives the same within the accuracy.
void PairMLCalc::evaluate(mlcalc::Results& results) {
    const mlcalc::NeighborList neighbors = {first_.data(), j_.data(), r_ij_.data()};
    try {
        mesh_factory_->update();
        potential_->compute(atoms_view(), neighbors, communicator_, *mesh_factory_, results);
    } catch (const mlcalc_lammps::MeshUnavailable& reason) {
        if (settings_.potential.far_field.method != mlcalc::FarFieldMethod::automatic) throw;
        if (comm->me == 0)
            error->warning(FLERR,
                           "mlcalc: {}; the far field falls back to the k-sum, whose cost per atom grows with "
                           "the system",
                           reason.what());
        settings_.potential.far_field.method = mlcalc::FarFieldMethod::ksum;
        potential_ = std::make_unique<mlcalc::Potential>(model_, settings_.potential);
        potential_->compute(atoms_view(), neighbors, communicator_, *mesh_factory_, results);
    }
}

void PairMLCalc::compute(int eflag, int vflag) {
    ev_init(eflag, vflag);
    fill_species();
    fill_neighbors();
    check_pairs_of_hybrid();
    mlcalc::Results results;
    prepare_results(results);
    std::string problem;
    try {
        evaluate(results);
        if (cvflag_atom) add_centroid_virials();
    } catch (const std::exception& e) {
        problem = e.what();
    }
    if (!problem.empty()) stop_all_ranks(problem, potential_->model().has_far_field());
    add_results(results);
    if (results.member_energies != nullptr) take_uncertainty();
    if (results.member_forces != nullptr) take_force_uncertainty();
    if (settings_.on_maximum != OnMaximum::nothing) check_maximum();
    log_far_field();
}

/// mpirun may lose what a rank printed right before it aborted, so the sentence gets a moment to arrive.
void PairMLCalc::stop_this_rank(const std::string& problem) {
    try {
        error->one(FLERR, problem);
    } catch (...) {
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
        throw;
    }
}

/// A problem that every rank met (or was told of) is reported once; one that only this rank knows of ends the run here.
void PairMLCalc::stop_all_ranks(const std::string& problem, bool everywhere) {
    if (!everywhere) stop_this_rank(problem);
    int speaker = problem.rfind("another rank", 0) == 0 ? comm->nprocs : comm->me;
    MPI_Allreduce(MPI_IN_PLACE, &speaker, 1, MPI_INT, MPI_MIN, world);
    speaker = std::min(speaker, comm->nprocs - 1);
    int size = static_cast<int>(problem.size());
    MPI_Bcast(&size, 1, MPI_INT, speaker, world);
    std::string sentence = problem;
    sentence.resize(static_cast<std::size_t>(size));
    MPI_Bcast(sentence.data(), size, MPI_CHAR, speaker, world);
    error->all(FLERR, sentence);
}

/// Six numbers in LAMMPS's order xx yy zz xy xz yz.
static void add_symmetric(const mlcalc::Mat3& w, double factor, double* v) {
    v[0] += factor * w[0][0];
    v[1] += factor * w[1][1];
    v[2] += factor * w[2][2];
    v[3] += 0.5 * factor * (w[0][1] + w[1][0]);
    v[4] += 0.5 * factor * (w[0][2] + w[2][0]);
    v[5] += 0.5 * factor * (w[1][2] + w[2][1]);
}

void PairMLCalc::add_results(const mlcalc::Results& results) {
    const double unit = energy_unit_ * scale_;
    for (std::size_t i = 0; i < forces_.size(); i++)
        for (std::size_t a = 0; a < 3; a++) atom->f[i][a] += unit * forces_[i][a];
    if (eflag_global) {
        for (double energy : energies_) eng_vdwl += unit * energy;
        for (int k = 0; k < 3; k++) pvector[k] = unit * results.components[k];
    }
    if (eflag_atom)
        for (std::size_t i = 0; i < energies_.size(); i++) eatom[i] += unit * energies_[i];
    if (vflag_global) add_symmetric(results.virial, unit, virial);
    if (vflag_atom)
        for (std::size_t i = 0; i < atom_virials_.size(); i++) add_symmetric(atom_virials_[i], unit, vatom[i]);
    if (update->setupflag != 0) return;  // LAMMPS's own timings begin after the setup
    for (int k = 0; k < 2; k++) seconds_[k] += results.seconds[k];
}

double PairMLCalc::memory_usage() {
    const auto bytes = [](const auto& vector) { return static_cast<double>(vector.capacity() * sizeof(vector[0])); };
    return Pair::memory_usage() + bytes(species_) + bytes(first_) + bytes(j_) + bytes(r_ij_) + bytes(forces_) +
           bytes(energies_) + bytes(atom_virials_) + bytes(member_energies_) + bytes(member_forces_) +
           bytes(uncertainty_) + bytes(force_uncertainty_) + bytes(extrapolation_);
}

void* PairMLCalc::extract(const char* name, int& dimension) {
    dimension = 0;
    const std::string field = name;
    const bool committee = potential_ != nullptr && potential_->model().has_committee;
    if (field == "scale") return &scale_;
    if (field == "uncertainty_flag" && committee) return &uncertainty_flag_;
    if (field == "force_uncertainty_flag" && committee) return &force_uncertainty_flag_;
    if (field == "extrapolation_flag") return &extrapolation_flag_;
    return nullptr;
}

void PairMLCalc::reset_grid() {
    mesh_factory_->invalidate();
}

void PairMLCalc::pack_forward_grid(int, void* buffer, int n, int* points) {
    mesh_factory_->active()->pack(static_cast<double*>(buffer), n, points);
}

void PairMLCalc::unpack_forward_grid(int, void* buffer, int n, int* points) {
    mesh_factory_->active()->unpack_forward(static_cast<const double*>(buffer), n, points);
}

void PairMLCalc::pack_reverse_grid(int, void* buffer, int n, int* points) {
    mesh_factory_->active()->pack(static_cast<double*>(buffer), n, points);
}

void PairMLCalc::unpack_reverse_grid(int, void* buffer, int n, int* points) {
    mesh_factory_->active()->unpack_reverse(static_cast<const double*>(buffer), n, points);
}
