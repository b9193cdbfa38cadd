// SPDX-License-Identifier: GPL-2.0-only
#include "committee_watch.h"

#include <algorithm>
#include <cmath>

#include "atom.h"
#include "cleared.h"
#include "comm.h"
#include "error.h"
#include "lammps.h"
#include "largest_value.h"
#include "model/description.hpp"
#include "timer.h"
#include "update.h"

using namespace LAMMPS_NS;

namespace mlcalc_lammps {

namespace {

/// Calibrated standard deviation of the members [Musil et al., JCTC 15, 906 (2019)].
double spread(const double* members, std::size_t n, double scale) {
    double mean = 0.0, squares = 0.0;
    for (std::size_t k = 0; k < n; k++) mean += members[k] / static_cast<double>(n);
    for (std::size_t k = 0; k < n; k++) squares += (members[k] - mean) * (members[k] - mean);
    return scale * std::sqrt(squares / static_cast<double>(n - 1));
}

std::size_t room(const LAMMPS* lammps) {
    return static_cast<std::size_t>(std::max(1, lammps->atom->nmax));
}

}  // namespace

int* CommitteeWatch::flag(const std::string& field) {
    if (field == "uncertainty") return &energy_flag_;
    if (field == "force_uncertainty") return &force_flag_;
    if (field == "extrapolation") return &extrapolation_flag_;
    return nullptr;
}

double* CommitteeWatch::values(const std::string& field) {
    std::vector<double>* values = nullptr;
    if (field == "uncertainty") values = &uncertainty_;
    if (field == "force_uncertainty") values = &force_uncertainty_;
    if (field == "extrapolation") values = &extrapolation_;
    if (values == nullptr) return nullptr;
    if (values->size() < room(lammps_)) values->resize(room(lammps_), 0.0);
    return values->data();
}

void CommitteeWatch::ask(const mlcalc::Model& model, const StyleSettings& settings, std::size_t n_all,
                         bool extrapolation, mlcalc::Results& results) {
    const bool committee = model.has_committee && model.n_members > 1;
    const auto n_members = static_cast<std::size_t>(model.n_members);
    const auto n_local = static_cast<std::size_t>(lammps_->atom->nlocal);
    n_all_ = n_all;
    has_energies_ = committee && (settings.watches_uncertainty() || energy_flag_ != 0);
    has_forces_ = committee && (settings.has_maximum() || force_flag_ != 0);
    // nothing of an earlier step may look like one of this step
    std::fill(uncertainty_.begin(), uncertainty_.end(), 0.0);
    std::fill(force_uncertainty_.begin(), force_uncertainty_.end(), 0.0);
    std::fill(extrapolation_.begin(), extrapolation_.end(), 0.0);
    if (has_energies_) results.member_energies = cleared(member_energies_, n_local * n_members);
    if (has_forces_) results.member_forces = cleared(member_forces_, n_all * n_members);
    if (extrapolation || extrapolation_flag_ != 0) results.extrapolation = cleared(extrapolation_, room(lammps_));
}

/// Energies: the spread of each atom's. Forces: sigma_i = scale sqrt(sum_k |F_k,i - <F_i>|^2 / (K - 1)), after the
/// ghosts' shares have gone home.
void CommitteeWatch::take(const mlcalc::Model& model, double unit, const SendHome& send_home) {
    const auto n_members = static_cast<std::size_t>(model.n_members);
    const auto n_local = static_cast<std::size_t>(lammps_->atom->nlocal);
    if (has_energies_) {
        uncertainty_.assign(room(lammps_), 0.0);
        for (std::size_t i = 0; i < n_local; i++)
            uncertainty_[i] = unit * spread(&member_energies_[i * n_members], n_members, model.committee_scale);
    }
    if (!has_forces_) return;
    for (std::size_t k = 0; k < n_members; k++) send_home(member_forces_.data() + k * n_all_);
    force_uncertainty_.assign(room(lammps_), 0.0);
    std::vector<double> components(n_members);
    for (std::size_t i = 0; i < n_local; i++) {
        double squares = 0.0;
        for (std::size_t a = 0; a < 3; a++) {
            for (std::size_t k = 0; k < n_members; k++) components[k] = member_forces_[k * n_all_ + i][a];
            const double sigma = spread(components.data(), n_members, model.committee_scale);
            squares += sigma * sigma;
        }
        force_uncertainty_[i] = unit * std::sqrt(squares);
    }
}

double CommitteeWatch::of_total(const mlcalc::Model& model, double unit, mlcalc::Communicator& ranks) const {
    if (!has_energies_) return 0.0;
    const auto n_members = static_cast<std::size_t>(model.n_members);
    std::vector<double> totals(n_members, 0.0);
    for (std::size_t i = 0; i < static_cast<std::size_t>(lammps_->atom->nlocal); i++)
        for (std::size_t k = 0; k < n_members; k++) totals[k] += member_energies_[i * n_members + k];
    ranks.sum(totals.data(), totals.size());
    return unit * spread(totals.data(), n_members, model.committee_scale);
}

/// The same decision on every rank: the largest spread of the force on an atom is compared on all of them. Forces,
/// since the energy of an atom is hardly determined by the data (docs/uncertainty.md).
void CommitteeWatch::check_maximum(const StyleSettings& settings) {
    if (!settings.has_maximum() || !has_forces_) return;
    LargestValue largest(lammps_, force_uncertainty_.data(), 0.0);
    const bool stop = settings.on_maximum == StyleSettings::OnMaximum::stop;
    if (!(largest.value() > settings.max_uncertainty) || (warned_ && !stop)) return;
    largest.share();
    if (lammps_->comm->me == 0 && !warned_)
        lammps_->error->warning(FLERR,
                                "mlcalc: the force on atom {} has an uncertainty of {:.6g}, above {:.6g}, on step {}{}",
                                largest.atom(), largest.value(), settings.max_uncertainty, lammps_->update->ntimestep,
                                stop ? "; the run stops here" : "");
    warned_ = true;
    // the loop of run and minimize ends after the output of this step, on every rank, as with fix halt
    if (stop) lammps_->timer->force_timeout();
}

double CommitteeWatch::bytes() const {
    const std::size_t doubles = member_energies_.capacity() + uncertainty_.capacity() + force_uncertainty_.capacity() +
                                extrapolation_.capacity() + 3 * member_forces_.capacity();
    return static_cast<double>(sizeof(double) * doubles);
}

}  // namespace mlcalc_lammps
