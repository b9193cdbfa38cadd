// SPDX-License-Identifier: GPL-2.0-only
/// The spread of the committee, per atom, and what happens when it is too large.
#include <algorithm>
#include <cmath>

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "model/description.hpp"
#include "pair_mlcalc.h"
#include "timer.h"
#include "update.h"

using namespace LAMMPS_NS;

namespace {

/// Calibrated standard deviation of the members [Musil et al., JCTC 15, 906 (2019)].
double spread(const double* members, std::size_t n, double scale) {
    double mean = 0.0, squares = 0.0;
    for (std::size_t k = 0; k < n; k++) mean += members[k] / static_cast<double>(n);
    for (std::size_t k = 0; k < n; k++) squares += (members[k] - mean) * (members[k] - mean);
    return scale * std::sqrt(squares / static_cast<double>(n - 1));
}

}  // namespace

bool PairMLCalc::wants_uncertainty() const {
    return potential_->model().has_committee && potential_->model().n_members > 1 &&
           (settings_.uncertainty || settings_.on_maximum != OnMaximum::nothing || uncertainty_flag_ != 0);
}

/// After compute: per-atom spread of the energies, and that of the total energy for compute pair.
void PairMLCalc::take_uncertainty() {
    const mlcalc::Model& model = potential_->model();
    const auto n_members = static_cast<std::size_t>(model.n_members);
    const auto n_local = static_cast<std::size_t>(atom->nlocal);
    const double unit = energy_unit_ * std::fabs(scale_);
    uncertainty_.assign(static_cast<std::size_t>(std::max(1, atom->nmax)), 0.0);
    for (std::size_t i = 0; i < n_local; i++)
        uncertainty_[i] = unit * spread(&member_energies_[i * n_members], n_members, model.committee_scale);
    if (!eflag_global) return;
    std::vector<double> totals(n_members, 0.0);
    for (std::size_t i = 0; i < n_local; i++)
        for (std::size_t k = 0; k < n_members; k++) totals[k] += member_energies_[i * n_members + k];
    communicator_.sum(totals.data(), totals.size());
    // compute pair adds the values of all ranks
    pvector[3] = comm->me == 0 ? unit * spread(totals.data(), n_members, model.committee_scale) : 0.0;
}

/// sigma_i = scale sqrt(sum_k |F_k,i - <F_i>|^2 / (K - 1)), after the ghosts' shares have gone home.
void PairMLCalc::take_force_uncertainty() {
    const mlcalc::Model& model = potential_->model();
    const auto n_members = static_cast<std::size_t>(model.n_members);
    const std::size_t n_all = forces_.size();
    for (std::size_t k = 0; k < n_members; k++) send_ghosts_home(member_forces_.data() + k * n_all);
    force_uncertainty_.assign(static_cast<std::size_t>(std::max(1, atom->nmax)), 0.0);
    for (std::size_t i = 0; i < static_cast<std::size_t>(atom->nlocal); i++) {
        double squares = 0.0;
        for (std::size_t a = 0; a < 3; a++) {
            double mean = 0.0;
            for (std::size_t k = 0; k < n_members; k++)
                mean += member_forces_[k * n_all + i][a] / static_cast<double>(n_members);
            for (std::size_t k = 0; k < n_members; k++) {
                const double difference = member_forces_[k * n_all + i][a] - mean;
                squares += difference * difference;
            }
        }
        force_uncertainty_[i] = energy_unit_ * std::fabs(scale_) * model.committee_scale *
                                std::sqrt(squares / static_cast<double>(n_members - 1));
    }
}

/// Adds the forces on ghosts to those on their owners' atoms.
void PairMLCalc::send_ghosts_home(mlcalc::Vec3* forces) {
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

/// The same decision on every rank: the largest spread of all atoms is compared on all of them.
void PairMLCalc::check_maximum() {
    const auto begin = uncertainty_.begin();
    const auto largest = std::max_element(begin, begin + atom->nlocal);
    struct {
        double value;
        int rank;
    } mine = {atom->nlocal > 0 ? *largest : 0.0, comm->me}, all;
    MPI_Allreduce(&mine, &all, 1, MPI_DOUBLE_INT, MPI_MAXLOC, world);
    const bool stop = settings_.on_maximum == OnMaximum::stop;
    if (!(all.value > settings_.max_uncertainty) || (warned_ && !stop)) return;
    tagint id = mine.rank == all.rank && atom->nlocal > 0 && atom->tag_enable ? atom->tag[largest - begin] : 0;
    MPI_Bcast(&id, 1, MPI_LMP_TAGINT, all.rank, world);
    if (comm->me == 0 && !warned_)
        error->warning(FLERR, "mlcalc: the energy of atom {} has an uncertainty of {:.6g}, above {:.6g}, on step {}{}",
                       id, all.value, settings_.max_uncertainty, update->ntimestep, stop ? "; the run stops here" : "");
    warned_ = true;
    // the loop of run and minimize ends after the output of this step, on every rank, as with fix halt
    if (stop) timer->force_timeout();
}

void* PairMLCalc::extract_peratom(const char* name, int& columns) {
    const std::string field = name;
    columns = 0;
    std::vector<double>* values = nullptr;
    if (field != "extrapolation" && (potential_ == nullptr || !potential_->model().has_committee)) return nullptr;
    if (field == "uncertainty") values = &uncertainty_;
    if (field == "force_uncertainty") values = &force_uncertainty_;
    if (field == "extrapolation") values = &extrapolation_;
    if (values == nullptr) return nullptr;
    if (values->size() < static_cast<std::size_t>(std::max(1, atom->nmax)))
        values->resize(static_cast<std::size_t>(std::max(1, atom->nmax)), 0.0);
    return values->data();
}
