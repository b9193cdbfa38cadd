// SPDX-License-Identifier: GPL-2.0-only
#include "extrapolation_watch.h"

#include <mpi.h>

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "lammps.h"
#include "model/description.hpp"
#include "timer.h"
#include "update.h"
#include "utils.h"

using namespace LAMMPS_NS;

namespace mlcalc_lammps {

namespace {

/// Steps between two looks; a limit of the user's own is looked at more often.
constexpr int seldom = 100, often = 10;

}  // namespace

void ExtrapolationWatch::start_run() {
    largest_ = Place{};
    before_ = 0.0;
    warned_ = false;
}

bool ExtrapolationWatch::is_due(const mlcalc::Model& model, const StyleSettings& settings) {
    const bool own_limit = settings.on_extrapolation != StyleSettings::OnMaximum::nothing;
    const bool watched = own_limit ? model.has_extrapolation() : settings.extrapolation && model.knows_its_edge();
    const bool setup = lammps_->update->setupflag != 0;
    return due_ = watched && (setup || lammps_->update->ntimestep % (own_limit ? often : seldom) == 0);
}

ExtrapolationWatch::Place ExtrapolationWatch::find_largest(const double* values,
                                                           const std::vector<int>& type_species) const {
    const Atom& atom = *lammps_->atom;
    Place mine;
    mine.step = lammps_->update->ntimestep;
    for (int i = 0; i < atom.nlocal; i++) {
        if (type_species[static_cast<std::size_t>(atom.type[i])] < 0 || !(values[i] > mine.value)) continue;
        mine.value = values[i];
        mine.atom = atom.tag_enable ? atom.tag[i] : 0;
        mine.type = atom.type[i];
    }
    struct {
        double value;
        int rank;
    } local = {mine.value, lammps_->comm->me}, all;
    MPI_Allreduce(&local, &all, 1, MPI_DOUBLE_INT, MPI_MAXLOC, lammps_->world);
    MPI_Bcast(&mine, sizeof(Place), MPI_BYTE, all.rank, lammps_->world);
    return mine;
}

void ExtrapolationWatch::check(const double* values, const StyleSettings& settings,
                               const std::vector<int>& type_species) {
    if (!due_) return;
    due_ = false;
    const Place found = find_largest(values, type_species);
    if (found.value > largest_.value) largest_ = found;
    const bool own_limit = settings.on_extrapolation != StyleSettings::OnMaximum::nothing;
    const bool stop = settings.on_extrapolation == StyleSettings::OnMaximum::stop;
    const bool again = before_ > mlcalc::extrapolation_limit;
    const double usual = again ? mlcalc::extrapolation_limit : mlcalc::extrapolation_alarm;
    const double limit = own_limit ? settings.max_extrapolation : usual;
    before_ = found.value;
    if (!(found.value > limit) || (warned_ && !stop)) return;
    if (lammps_->comm->me == 0 && !warned_)
        lammps_->error->warning(
            FLERR,
            "mlcalc: the run has left what the model was trained on: on step {} atom {} of type {} has an "
            "extrapolation of {:.4g}, above {:.4g} (1 is the edge of the training set){}",
            found.step, found.atom, found.type, found.value, limit, stop ? "; the run stops here" : "");
    warned_ = true;
    if (stop) lammps_->timer->force_timeout();  // as in CommitteeWatch::check_maximum
}

void ExtrapolationWatch::report() const {
    if (largest_.value < 0.0 || lammps_->comm->me != 0) return;
    utils::logmesg(lammps_,
                   "mlcalc extrapolation, largest of the run: {:.4g} on step {}, atom {} of type {} (1 is the edge of "
                   "the training set)\n",
                   largest_.value, largest_.step, largest_.atom, largest_.type);
}

}  // namespace mlcalc_lammps
