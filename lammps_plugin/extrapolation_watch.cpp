// SPDX-License-Identifier: GPL-2.0-only
#include "extrapolation_watch.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "lammps.h"
#include "largest_value.h"
#include "model/description.hpp"
#include "timer.h"
#include "update.h"
#include "utils.h"

using namespace LAMMPS_NS;

namespace mlcalc_lammps {

namespace {

/// Steps between two looks at a limit of the user's own.
constexpr int often = 10;

}  // namespace

void ExtrapolationWatch::start_run() {
    largest_ = Place{};
    before_ = ratio_ = 0.0;
    warned_ = false;
}

bool ExtrapolationWatch::is_due(const mlcalc::Model& model, const StyleSettings& settings) {
    const bool own_limit = settings.on_extrapolation != StyleSettings::OnMaximum::nothing;
    const bool watched = own_limit ? model.has_extrapolation() : settings.extrapolation && model.knows_its_edge();
    const bool setup = lammps_->update->setupflag != 0;
    return due_ = watched &&
                  (setup || lammps_->update->ntimestep % (own_limit ? often : mlcalc::extrapolation_interval) == 0);
}

void ExtrapolationWatch::check(const mlcalc::Model& model, const double* values, const StyleSettings& settings) {
    if (!due_) return;
    due_ = false;
    check_largest(values, settings);
    if (settings.on_extrapolation == StyleSettings::OnMaximum::nothing) check_mean(model, values);
}

void ExtrapolationWatch::check_largest(const double* values, const StyleSettings& settings) {
    LargestValue largest(lammps_, values, -1.0);
    const bool own_limit = settings.on_extrapolation != StyleSettings::OnMaximum::nothing;
    const bool stop = settings.on_extrapolation == StyleSettings::OnMaximum::stop;
    const double limit = own_limit ? settings.max_extrapolation : mlcalc::extrapolation_bound(before_);
    before_ = largest.value();
    const bool beyond = largest.value() > limit && (stop || !warned_);
    if (!beyond && !(largest.value() > largest_.value)) return;
    largest.share();
    const Place found = {largest.value(), lammps_->update->ntimestep, largest.atom(), largest.type()};
    if (found.value > largest_.value) largest_ = found;
    if (!beyond) return;
    if (lammps_->comm->me == 0 && !warned_)
        lammps_->error->warning(
            FLERR,
            "mlcalc: the run has left what the model was trained on: on step {} atom {} of type {} has an "
            "extrapolation of {:.4g}, above {:.4g} (1 is the edge of the training set){}",
            found.step, found.atom, found.type, found.value, limit, stop ? "; the run stops here" : "");
    warned_ = true;
    if (stop) lammps_->timer->force_timeout();  // as in CommitteeWatch::check_maximum
}

/// Of the atoms that the model sees, on all ranks.
void ExtrapolationWatch::check_mean(const mlcalc::Model& model, const double* values) {
    if (warned_ || model.outermost.mean <= 0.0) return;
    double sums[2] = {0.0, 0.0};  // of the measure, of the atoms
    for (int i = 0; i < lammps_->atom->nlocal; ++i) {
        sums[0] += values[i];
        sums[1] += values[i] > 0.0 ? 1.0 : 0.0;
    }
    MPI_Allreduce(MPI_IN_PLACE, sums, 2, MPI_DOUBLE, MPI_SUM, lammps_->world);
    const double before = ratio_;
    ratio_ = model.outermost.ratio(sums[0], static_cast<std::int64_t>(sums[1]));
    if (before <= mlcalc::structure_limit || ratio_ <= mlcalc::structure_limit) return;
    if (lammps_->comm->me == 0)
        lammps_->error->warning(FLERR,
                                "mlcalc: the run has left what the model was trained on: on step {} the mean "
                                "extrapolation of all atoms is {:.4g}, {:.3g} times that of the outermost structure of "
                                "the data",
                                lammps_->update->ntimestep, sums[0] / sums[1], ratio_);
    warned_ = true;
}

void ExtrapolationWatch::report() const {
    if (largest_.value < 0.0 || lammps_->comm->me != 0) return;
    utils::logmesg(lammps_,
                   "mlcalc extrapolation, largest of the run: {:.4g} on step {}, atom {} of type {} (1 is the edge of "
                   "the training set)\n",
                   largest_.value, largest_.step, largest_.atom, largest_.type);
}

}  // namespace mlcalc_lammps
