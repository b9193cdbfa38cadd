// SPDX-License-Identifier: GPL-2.0-only
/// The work of a time step.
#include "pair_mlcalc.h"

#include <cmath>

#include "atom.h"
#include "cleared.h"
#include "comm.h"
#include "error.h"
#include "force.h"
#include "heat_flux.h"
#include "memory.h"
#include "model/description.hpp"
#include "neighbor.h"
#include "update.h"

using namespace LAMMPS_NS;
using mlcalc::Vec3;
using mlcalc_lammps::cleared;

PairMLCalc::PairMLCalc(LAMMPS* instance)
    : Pair(instance),
      failures_(instance),
      checks_(instance),
      views_(instance),
      committee_(instance),
      extrapolation_(instance),
      tensors_(instance),
      communicator_(world),
      mesh_factory_(std::make_unique<mlcalc_lammps::LammpsMeshFactory>(instance)),
      far_field_log_(instance, communicator_) {
    one_coeff = 1;
    manybody_flag = 1;
    single_enable = 0;
    restartinfo = 1;
    respa_enable = 0;
    no_virial_fdotr_compute = 1;  // the far field carries an explicit strain term
    centroidstressflag = CENTROID_AVAIL;
    settings_.potential.far_field.keep_integers = true;
    comm_reverse = 3;
    nextra = 4;
    pvector = new double[4]();
}

PairMLCalc::~PairMLCalc() {
    delete[] pvector;
    if (allocated) {
        memory->destroy(setflag);
        memory->destroy(cutsq);
        memory->destroy(scale_);
    }
}

void PairMLCalc::compute(int eflag, int vflag) {
    ev_init(eflag, vflag);
    for (int k = 0; k < nextra; k++) pvector[k] = 0.0;
    if (potential_ == nullptr || !ready_)
        error->all(FLERR,
                   "pair_style mlcalc was given another model after the last setup of a run; the next run needs "
                   "'pre yes'");
    if (num_tally_compute > 0)
        error->all(FLERR, "pair_style mlcalc has no pairwise forces, so computes of package TALLY cannot be used");
    if (neighbor->ago == 0) {
        checks_.new_list(*list, type_species_);
        mlcalc_lammps::check_heat_flux(lmp, potential_->model(), true);
    }
    if (cvflag_atom && potential_->model().has_far_field())
        error->all(FLERR, "pair_style mlcalc has no compute centroid/stress/atom for a model with a far field");
    unit_ = energy_unit_ * common_scale();
    try {
        work(eflag, vflag);
    } catch (const std::exception& failure) {
        failures_.end(failure);
    }
}

/// The energy of an atom depends on all of its neighbors, so that single pairs of types cannot be scaled.
double PairMLCalc::common_scale() const {
    double out = 0.0;
    bool first = true;
    for (int i = 1; i <= atom->ntypes; i++)
        for (int j = i; j <= atom->ntypes; j++) {
            if (type_species_[static_cast<std::size_t>(i)] < 0 || type_species_[static_cast<std::size_t>(j)] < 0)
                continue;
            if (!first && scale_[i][j] != out)
                error->all(FLERR,
                           "pair_style mlcalc is scaled as a whole, but types {} and {} have a scale of {} and others "
                           "{}; give all pairs of types (* *) the same",
                           i, j, scale_[i][j], out);
            out = scale_[i][j];
            first = false;
        }
    return out;
}

void PairMLCalc::work(int eflag, int vflag) {
    mlcalc::Results results;
    std::exception_ptr failure;
    try {
        if (neighbor->ago == 0) views_.find_excluded();
        views_.fill(*list, type_species_, potential_->cutoff());
        results.energies = cleared(energies_, views_.n_local());
        results.forces = cleared(forces_, views_.n_all());
        if (vflag_atom) results.atom_virials = cleared(atom_virials_, views_.n_local());
        const bool look = extrapolation_.is_due(potential_->model(), settings_);
        committee_.ask(potential_->model(), settings_, views_.n_all(), look, results);
        tensors_.ask(potential_->model(), results);
    } catch (...) {
        failure = std::current_exception();  // the other ranks are told in the midst of compute
    }
    evaluate(results, failure);
    tensors_.take(results);
    if (cvflag_atom)
        mlcalc_lammps::add_centroid_virials(views_, *potential_, communicator_, *mesh_factory_, unit_, cvatom);
    add_results(results);
    take_uncertainty(checks_.is_trial(eflag, vflag));
    const auto send_home = [this](Vec3* forces) { send_ghosts_home(forces); };
    if (far_field_log_.step(*potential_, settings_, views_.atoms()))
        far_field_log_.measure(file_.model, settings_, views_, *mesh_factory_, energies_, forces_, send_home);
}

/// Where the mesh cannot be divided and no mesh was insisted on, the k-sum gives the same within the accuracy.
void PairMLCalc::evaluate(mlcalc::Results& results, const std::exception_ptr& failed_before) {
    const auto compute_it = [&] {
        potential_->compute(views_.atoms(), views_.neighbors(), communicator_, *mesh_factory_, results, failed_before);
    };
    try {
        mesh_factory_->update();
        compute_it();
    } catch (const mlcalc_lammps::MeshUnavailable& reason) {
        if (settings_.potential.far_field.method != mlcalc::FarFieldMethod::automatic) throw;
        if (comm->me == 0)
            error->warning(FLERR,
                           "mlcalc: {}; the far field falls back to the k-sum, whose cost per atom grows with "
                           "the system",
                           reason.what());
        fell_back_ = true;
        potential_ = make_potential(file_, settings_);
        compute_it();
    }
}

int PairMLCalc::n_components(const std::string& name) const {
    if (potential_ == nullptr)
        error->all(FLERR, "compute mlcalc/tensor needs the pair_coeff of pair_style mlcalc before it");
    const mlcalc::Model& model = potential_->model();
    const int index = model.output(name);
    if (index < 0) {
        std::string known;
        for (const auto& other : model.outputs) known += (known.empty() ? "" : ", ") + other.name;
        error->all(FLERR, "compute mlcalc/tensor: the model {} has no output {}; it has {}", file_.path, name,
                   known.empty() ? "none" : known);
    }
    return model.outputs[static_cast<std::size_t>(index)].n_components();
}

/// Values that came with the forces, or an evaluation of the tensor alone where no compute had announced the step.
const double* PairMLCalc::tensor(const std::string& name) {
    n_components(name);
    const int index = potential_->model().output(name);
    if (tensors_.has(index)) return tensors_.values(index);
    mlcalc::Results results;
    std::exception_ptr failure;
    try {
        views_.fill(*list, type_species_, potential_->cutoff());
        tensors_.ask(index, potential_->model(), results);
    } catch (...) {
        failure = std::current_exception();
    }
    try {
        evaluate(results, failure);
    } catch (const std::exception& problem) {
        failures_.end(problem);
    }
    tensors_.take(results);
    return tensors_.values(index);
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
    const double unit = unit_;
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

/// What a Monte Carlo fix tries and rejects neither warns nor stops the run.
void PairMLCalc::take_uncertainty(bool trial) {
    const mlcalc::Model& model = potential_->model();
    const double unit = std::fabs(unit_);
    committee_.take(model, unit, [this](Vec3* forces) { send_ghosts_home(forces); });
    if (eflag_global) {
        const double total = committee_.of_total(model, unit, communicator_);
        pvector[3] = comm->me == 0 ? total : 0.0;  // compute pair adds the values of all ranks
    }
    if (trial) return;
    committee_.check_maximum(settings_);
    extrapolation_.check(potential_->model(), committee_.values("extrapolation"), settings_);
}

void PairMLCalc::send_ghosts_home(Vec3* forces) {
    forces_in_flight_ = forces;
    comm->reverse_comm(this);
    forces_in_flight_ = nullptr;
}

int PairMLCalc::pack_reverse_comm(int n, int first, double* buffer) {
    int m = 0;
    for (int i = first; i < first + n; i++)
        for (double f : forces_in_flight_[i]) buffer[m++] = f;
    return m;
}

void PairMLCalc::unpack_reverse_comm(int n, int* atoms, double* buffer) {
    int m = 0;
    for (int k = 0; k < n; k++)
        for (double& f : forces_in_flight_[atoms[k]]) f += buffer[m++];
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
    extrapolation_.report();
}

double PairMLCalc::memory_usage() {
    const auto bytes = [](const auto& vector) { return static_cast<double>(vector.capacity() * sizeof(vector[0])); };
    return Pair::memory_usage() + views_.bytes() + committee_.bytes() + tensors_.bytes() + bytes(forces_) +
           bytes(energies_) + bytes(atom_virials_);
}

void* PairMLCalc::extract(const char* name, int& dimension) {
    dimension = 0;
    const std::string text = name, ending = "_flag";
    if (text == "scale") {
        dimension = 2;
        return scale_;
    }
    if (text.size() <= ending.size() || text.substr(text.size() - ending.size()) != ending) return nullptr;
    const std::string field = text.substr(0, text.size() - ending.size());
    const bool committee = file_.model != nullptr && file_.model->has_committee && file_.model->n_members > 1;
    return field == "extrapolation" || committee ? committee_.flag(field) : nullptr;
}

void* PairMLCalc::extract_peratom(const char* name, int& columns) {
    columns = 0;
    const std::string field = name;
    const bool committee = file_.model != nullptr && file_.model->has_committee && file_.model->n_members > 1;
    return field == "extrapolation" || committee ? committee_.values(field) : nullptr;
}

void PairMLCalc::reset_grid() {
    mesh_factory_->invalidate();
}
