// SPDX-License-Identifier: GPL-2.0-only
/// What happens between time steps: commands, restart files, the start of a run. Each either takes effect at once, or
/// ends with a sentence and leaves the style as it was.
#include <algorithm>
#include <cstring>

#include "atom.h"
#include "cite.h"
#include "comm.h"
#include "elements.h"
#include "error.h"
#include "force.h"
#include "heat_flux.h"
#include "memory.h"
#include "model/description.hpp"
#include "neighbor.h"
#include "pair_mlcalc.h"
#include "restart_file.h"
#include "update.h"

using namespace LAMMPS_NS;
using mlcalc_lammps::ModelFile;
using mlcalc_lammps::StyleSettings;

void PairMLCalc::allocate() {
    const int n = atom->ntypes + 1;
    memory->create(setflag, n, n, "pair:setflag");
    memory->create(cutsq, n, n, "pair:cutsq");
    memory->create(scale_, n, n, "pair:scale");
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            setflag[i][j] = 0;
            cutsq[i][j] = 0.0;
            scale_[i][j] = 1.0;
        }
    }
    allocated = 1;
}

/// LAMMPS calls this for the first pair_style command, and for each later one that names the same style: the model
/// then stays, and meets the new settings at once.
void PairMLCalc::settings(int narg, char** arg) {
    StyleSettings fresh = mlcalc_lammps::read_style_settings(lmp, narg, arg);
    if (potential_ != nullptr) {
        if (fresh.same_far_field(settings_)) {  // mesh or k list stay what they are
            fresh.potential.far_field.reference_cell = potential_->reference_cell();
        } else {
            fell_back_ = false;
        }
        potential_ = make_potential(file_, fresh);
        far_field_log_.forget();
    }
    settings_ = fresh;
}

void PairMLCalc::coeff(int narg, char** arg) {
    if (narg < 3 || std::strcmp(arg[0], "*") != 0 || std::strcmp(arg[1], "*") != 0)
        error->all(FLERR, "pair_coeff of mlcalc must read: * * model.mlcalc and one element or NULL per atom type");
    if (narg != 3 + atom->ntypes)
        error->all(FLERR, "pair_coeff of mlcalc needs one element or NULL for each of the {} atom types, got {}",
                   atom->ntypes, narg - 3);
    const std::string path = mlcalc_lammps::find_model_file(lmp, arg[2]);
    if (path.empty())
        error->all(FLERR,
                   "pair_style mlcalc cannot open the model file {}, neither here nor in a folder of LAMMPS_POTENTIALS",
                   arg[2]);
    adopt(mlcalc_lammps::read_model_file(lmp, path), Elements(arg + 3, arg + narg));
}

/// Everything that can fail comes before anything changes.
void PairMLCalc::adopt(ModelFile file, const Elements& names) {
    std::vector<int> type_species = map_types(file, names);
    fell_back_ = false;
    auto potential = make_potential(file, settings_);
    if (!allocated) allocate();
    const bool alone = force->pair == this;  // then NULL is refused by check_coefficients
    for (std::size_t i = 1; i < type_species.size(); i++)
        for (std::size_t j = i; j < type_species.size(); j++)
            setflag[i][j] = alone || (type_species[i] >= 0 && type_species[j] >= 0) ? 1 : 0;
    potential_ = std::move(potential);
    file_ = std::move(file);
    elements_ = names;
    type_species_ = std::move(type_species);
    restart_problem_.clear();
    ready_ = false;
    far_field_log_.forget();
    tensors_.start(file_.model->outputs.size());
    centroidstressflag = file_.model->has_far_field() ? CENTROID_NOTAVAIL : CENTROID_AVAIL;
    mlcalc_lammps::cite(lmp);
    log_model();
}

std::unique_ptr<mlcalc::Potential> PairMLCalc::make_potential(const ModelFile& file,
                                                              const StyleSettings& settings) const {
    std::unique_ptr<mlcalc::Potential> out;
    failures_.together([&] {
        mlcalc_lammps::check_style_settings(settings, *file.model, file.path);
        mlcalc::PotentialOptions options = settings.potential;
        if (fell_back_) options.far_field.method = mlcalc::FarFieldMethod::ksum;
        mesh_factory_->set_threads(settings.potential.n_threads);
        out = std::make_unique<mlcalc::Potential>(file.model, options);
    });
    return out;
}

std::vector<int> PairMLCalc::map_types(const ModelFile& file, const Elements& names) const {
    const auto& species = file.model->species;
    std::vector<int> out(names.size() + 1, -1);
    for (std::size_t k = 0; k < names.size(); k++) {
        const std::string& element = names[k];
        if (element == "NULL") continue;
        const int number = mlcalc_lammps::atomic_number(element);
        const auto found = std::find(species.begin(), species.end(), number);
        if (number == 0 || found == species.end()) {
            std::string known;
            for (int z : species) known += std::string(known.empty() ? "" : " ") + mlcalc_lammps::chemical_symbol(z);
            error->all(FLERR, "pair_coeff of mlcalc: {} knows the elements {}, not {}", file.path, known, element);
        }
        out[k + 1] = static_cast<int>(found - species.begin());
    }
    if (*std::max_element(out.begin(), out.end()) < 0)
        error->all(FLERR, "pair_coeff of mlcalc: every atom type is NULL");
    return out;
}

void PairMLCalc::log_model() const {
    if (comm->me != 0) return;
    const mlcalc::Model& model = *file_.model;
    std::string species, terms, outputs;
    for (int z : model.species) species += std::string(species.empty() ? "" : " ") + mlcalc_lammps::chemical_symbol(z);
    for (const mlcalc::Term& term : model.terms) terms += (terms.empty() ? "" : ", ") + term.name;
    for (const mlcalc::TensorOutput& tensor : model.outputs)
        outputs += (outputs.empty() ? "; tensors " : ", ") + tensor.name;
    const std::string committee =
        model.has_committee ? ", committee of " + std::to_string(model.n_members) : std::string();
    utils::logmesg(lmp, "mlcalc model {} ({}): {}; terms {}{}; cutoff {:.4g} Angstrom{}\n", file_.path, model.checksum,
                   species, terms.empty() ? "none" : terms, outputs, potential_->cutoff(), committee);
}

/// LAMMPS's own check says less.
void PairMLCalc::check_coefficients() const {
    if (potential_ == nullptr)
        error->all(FLERR,
                   "All pair coeffs are not set: pair_style mlcalc needs pair_coeff * * model.mlcalc and one element "
                   "per atom type{}",
                   restart_problem_.empty() ? "" : " (" + restart_problem_ + ")");
    for (std::size_t type = 1; type < type_species_.size(); type++)
        if (type_species_[type] < 0 && force->pair == this)
            error->all(FLERR,
                       "All pair coeffs are not set: pair_coeff of mlcalc has NULL for atom type {}, and there is no "
                       "other pair style for it; give an element, or use pair_style hybrid",
                       type);
}

void PairMLCalc::init_style() {
    check_coefficients();
    checks_.start(potential_->model().has_far_field());
    mlcalc_lammps::check_heat_flux(lmp, potential_->model(), false);
    const std::string units = update->unit_style;
    if (units == "metal")
        energy_unit_ = 1.0;
    else if (units == "real")
        energy_unit_ = 23.060548;  // kcal/mol per eV, the value that LAMMPS itself uses
    else
        error->all(FLERR, "pair_style mlcalc works with units metal or real, not {}", units);
    far_field_log_.start_run(*potential_, views_.atoms());
    committee_.start_run();
    extrapolation_.start_run();
    tensors_.start(file_.model->outputs.size());
    ready_ = true;
    seconds_[0] = seconds_[1] = 0.0;
    neighbor->add_request(this, NeighConst::REQ_FULL);
}

double PairMLCalc::init_one(int i, int j) {
    if (setflag[i][j] == 0) error->all(FLERR, "All pair coeffs are not set");
    return std::max(potential_->cutoff(), 0.1);  // to LAMMPS a cutoff of 0 means no communication at all
}

void PairMLCalc::write_restart_settings(FILE* file) {
    mlcalc_lammps::write_restart_settings(file, settings_);
}

void PairMLCalc::read_restart_settings(FILE* file) {
    settings_ = mlcalc_lammps::read_restart_settings(lmp, file);
}

void PairMLCalc::write_restart(FILE* file) {
    mlcalc_lammps::RestartRecord record;
    record.settings = settings_;
    if (potential_ != nullptr) {
        record.path = file_.path;
        record.checksum = file_.model->checksum;
        record.reference_cell = potential_->reference_cell();
        record.elements = elements_;
    }
    mlcalc_lammps::write_restart_record(file, record);
}

/// Where the model cannot be had as it was, positions and velocities still can: pair_coeff has to follow.
void PairMLCalc::read_restart(FILE* file) {
    const mlcalc_lammps::RestartRecord record = mlcalc_lammps::read_restart_record(lmp, file);
    settings_ = record.settings;
    // k list and mesh are chosen as in the run that is continued
    settings_.potential.far_field.reference_cell = record.reference_cell;
    if (record.path.empty()) return;  // no pair_coeff had been given
    if (!allocated) allocate();
    for (int i = 1; i <= atom->ntypes; i++)
        for (int j = i; j <= atom->ntypes; j++) setflag[i][j] = 1;  // init_style says what is missing
    const std::string path = mlcalc_lammps::find_model_file(
        lmp, record.path, {comm->me == 0 ? mlcalc_lammps::folder_of(file) : std::string()});
    if (path.empty()) {
        restart_problem_ = fmt::format("the model file {} of the restart file cannot be opened", record.path);
    } else {
        ModelFile found = mlcalc_lammps::read_model_file(lmp, path);
        if (found.model->checksum != record.checksum)
            restart_problem_ =
                fmt::format("The restart file was written with {} of checksum {}, but the file now has checksum {}",
                            record.path, record.checksum, found.model->checksum);
        else if (record.elements.size() != static_cast<std::size_t>(atom->ntypes))
            restart_problem_ = "The restart file's section of pair mlcalc is damaged";
        else
            adopt(std::move(found), record.elements);
    }
    if (!restart_problem_.empty() && comm->me == 0)
        error->warning(FLERR, "{}; put the old one back, or give pair_coeff before the next run", restart_problem_);
}
