// SPDX-License-Identifier: GPL-2.0-only
/// The input commands pair_style and pair_coeff.
#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>

#include "atom.h"
#include "citeme.h"
#include "comm.h"
#include "elements.h"
#include "error.h"
#include "force.h"
#include "memory.h"
#include "model/reader.hpp"
#include "pair_mlcalc.h"

using namespace LAMMPS_NS;
using mlcalc::FarFieldMethod;

namespace {

const char cite[] =
    "pair mlcalc command: SOAP [1] and LODE [2] machine-learned potentials\n\n"
    "@Article{Bartok2013,\n"
    " author = {Bart{\\'o}k, Albert P. and Kondor, Risi and Cs{\\'a}nyi, G{\\'a}bor},\n"
    " title = {On representing chemical environments},\n"
    " journal = {Phys.\\ Rev.\\ B}, year = 2013, volume = 87, pages = {184115}\n"
    "}\n\n"
    "@Article{Grisafi2019,\n"
    " author = {Grisafi, Andrea and Ceriotti, Michele},\n"
    " title = {Incorporating long-range physics in atomic-scale machine learning},\n"
    " journal = {J.\\ Chem.\\ Phys.}, year = 2019, volume = 151, pages = {204105}\n"
    "}\n\n";

}  // namespace

void PairMLCalc::allocate() {
    const int n = atom->ntypes + 1;
    memory->create(setflag, n, n, "pair:setflag");
    memory->create(cutsq, n, n, "pair:cutsq");
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            setflag[i][j] = 0;
            cutsq[i][j] = 0.0;
        }
    }
    allocated = 1;
}

void PairMLCalc::settings(int narg, char** arg) {
    settings_ = {};
    for (int i = 0; i < narg;) {
        const int used = read_keyword(arg[i], narg - i - 1, arg + i + 1);
        i += 1 + used;
    }
}

/// Reads the values of one keyword and returns how many there were.
int PairMLCalc::read_keyword(const std::string& keyword, int n_left, char** values) {
    const auto need = [&](int n) {
        if (n_left < n) error->all(FLERR, "pair_style mlcalc: {} needs {} value(s), got {}", keyword, n, n_left);
        return n;
    };
    auto& far = settings_.potential.far_field;
    if (keyword == "accuracy") {
        need(1);
        far.accuracy = utils::numeric(FLERR, values[0], false, lmp);
        if (!(far.accuracy > 0.0 && far.accuracy < 1.0))
            error->all(FLERR, "pair_style mlcalc: accuracy must lie between 0 and 1, got {}", values[0]);
        return 1;
    }
    if (keyword == "lode") {
        need(1);
        const std::string method = values[0];
        if (method == "auto")
            far.method = FarFieldMethod::automatic;
        else if (method == "ksum")
            far.method = FarFieldMethod::ksum;
        else if (method == "mesh")
            far.method = FarFieldMethod::mesh;
        else if (method == "free")
            far.method = FarFieldMethod::free;
        else if (method == "check")
            settings_.check = true;
        else
            error->all(FLERR, "pair_style mlcalc: lode must be auto, ksum, mesh, free or check, got {}", method);
        return 1;
    }
    if (keyword == "mesh") {
        need(3);
        for (std::size_t axis = 0; axis < 3; axis++) {
            far.mesh[axis] = utils::inumeric(FLERR, values[axis], false, lmp);
            if (far.mesh[axis] < 1) error->all(FLERR, "pair_style mlcalc: mesh needs three positive integers");
        }
        return 3;
    }
    if (keyword == "order") {
        need(1);
        far.order = utils::inumeric(FLERR, values[0], false, lmp);
        return 1;
    }
    if (keyword == "interlaced") {
        need(1);
        far.interlaced = utils::logical(FLERR, values[0], false, lmp) != 0;
        return 1;
    }
    if (keyword == "threads") {
        need(1);
        settings_.potential.n_threads = utils::inumeric(FLERR, values[0], false, lmp);
        if (settings_.potential.n_threads < 1)
            error->all(FLERR, "pair_style mlcalc: threads must be at least 1, got {}", values[0]);
        return 1;
    }
    if (keyword == "check") {
        need(1);
        settings_.check = utils::logical(FLERR, values[0], false, lmp) != 0;
        return 1;
    }
    if (keyword == "uncertainty") {
        need(1);
        settings_.uncertainty = utils::logical(FLERR, values[0], false, lmp) != 0;
        return 1;
    }
    if (keyword == "max_uncertainty") {
        need(2);
        settings_.max_uncertainty = utils::numeric(FLERR, values[0], false, lmp);
        if (!(settings_.max_uncertainty > 0.0))
            error->all(FLERR, "pair_style mlcalc: max_uncertainty must be positive, got {}", values[0]);
        const std::string action = values[1];
        if (action == "warn")
            settings_.on_maximum = OnMaximum::warn;
        else if (action == "stop")
            settings_.on_maximum = OnMaximum::stop;
        else
            error->all(FLERR, "pair_style mlcalc: max_uncertainty must end with warn or stop, got {}", action);
        return 2;
    }
    error->all(FLERR,
               "pair_style mlcalc: unknown keyword {}; known are accuracy, lode, mesh, order, interlaced, check, "
               "threads, uncertainty and max_uncertainty",
               keyword);
}

void PairMLCalc::coeff(int narg, char** arg) {
    if (!allocated) allocate();
    if (narg < 3 || std::strcmp(arg[0], "*") != 0 || std::strcmp(arg[1], "*") != 0)
        error->all(FLERR, "pair_coeff of mlcalc must read: * * model.mlcalc and one element or NULL per atom type");
    if (narg != 3 + atom->ntypes)
        error->all(FLERR, "pair_coeff of mlcalc needs one element or NULL for each of the {} atom types, got {}",
                   atom->ntypes, narg - 3);
    load(arg[2]);
    map_types(narg - 3, arg + 3);
    set_flags();
    log_model();
}

/// Rank 0 reads the file, every rank parses the same bytes.
void PairMLCalc::load(const std::string& path) {
    std::string bytes;
    bigint size = -1;
    if (comm->me == 0) {
        std::ifstream file(path, std::ios::binary);
        if (file) {
            bytes.assign(std::istreambuf_iterator<char>(file), {});
            size = static_cast<bigint>(bytes.size());
        }
    }
    MPI_Bcast(&size, 1, MPI_LMP_BIGINT, 0, world);
    if (size < 0) error->all(FLERR, "pair_style mlcalc cannot open the model file {}", path);
    bytes.resize(static_cast<std::size_t>(size));
    constexpr bigint chunk = bigint{1} << 30;  // MPI counts are ints
    for (bigint begin = 0; begin < size; begin += chunk)
        MPI_Bcast(bytes.data() + begin, static_cast<int>(std::min(chunk, size - begin)), MPI_CHAR, 0, world);

    std::string problem;
    try {
        auto model = mlcalc::parse_model(bytes.data(), bytes.size(), path);
        if (std::all_of(model->terms.begin(), model->terms.end(),
                        [](const mlcalc::Term& term) { return term.regressor.index() == 0; }))
            throw std::invalid_argument(path + " describes features only; it has no energy to compute");
        settings_.potential.far_field.keep_integers = true;
        potential_ = std::make_unique<mlcalc::Potential>(model, settings_.potential);
        model_ = std::move(model);
    } catch (const std::exception& e) {
        problem = e.what();
    }
    if (!problem.empty()) error->all(FLERR, problem);
    path_ = path;
    if (lmp->citeme != nullptr) lmp->citeme->add(cite);
}

void PairMLCalc::map_types(int narg, char** arg) {
    const auto& species = potential_->model().species;
    type_species_.assign(static_cast<std::size_t>(atom->ntypes) + 1, -1);
    elements_.assign(arg, arg + narg);
    for (std::size_t k = 0; k < elements_.size(); k++) {
        const std::string& element = elements_[k];
        if (element == "NULL") continue;
        const int number = mlcalc_lammps::atomic_number(element);
        const auto found = std::find(species.begin(), species.end(), number);
        if (number == 0 || found == species.end()) {
            std::string known;
            for (int z : species) known += std::string(known.empty() ? "" : " ") + mlcalc_lammps::chemical_symbol(z);
            error->all(FLERR, "pair_coeff of mlcalc: {} knows the elements {}, not {}", path_, known, element);
        }
        type_species_[k + 1] = static_cast<int>(found - species.begin());
    }
    int n_set = 0;
    for (int i = 1; i <= atom->ntypes; i++) {
        for (int j = i; j <= atom->ntypes; j++) {
            const bool both =
                type_species_[static_cast<std::size_t>(i)] >= 0 && type_species_[static_cast<std::size_t>(j)] >= 0;
            setflag[i][j] = both ? 1 : 0;
            n_set += setflag[i][j];
        }
    }
    if (n_set == 0) error->all(FLERR, "pair_coeff of mlcalc: every atom type is NULL");
}

/// What LAMMPS may ask of this style depends on the model.
void PairMLCalc::set_flags() {
    const mlcalc::Model& model = potential_->model();
    nextra = 4;
    delete[] pvector;
    pvector = new double[static_cast<std::size_t>(nextra)]();
    comm_reverse = 3;
    centroidstressflag = model.has_far_field() ? CENTROID_NOTAVAIL : CENTROID_AVAIL;
    const bool asks = settings_.uncertainty || settings_.on_maximum != OnMaximum::nothing;
    if (asks && !model.has_committee)
        error->all(FLERR, "pair_style mlcalc: {} has no committee, so there is no uncertainty to watch", path_);
}

void PairMLCalc::log_model() const {
    if (comm->me != 0) return;
    const mlcalc::Model& model = potential_->model();
    std::string species, terms;
    for (int z : model.species) species += std::string(species.empty() ? "" : " ") + mlcalc_lammps::chemical_symbol(z);
    for (const mlcalc::Term& term : model.terms) terms += (terms.empty() ? "" : ", ") + term.name;
    const std::string committee =
        model.has_committee ? ", committee of " + std::to_string(model.n_members) : std::string();
    utils::logmesg(lmp, "mlcalc model {} ({}): {}; terms {}; cutoff {:.4g} Angstrom{}\n", path_, model.checksum,
                   species, terms, potential_->cutoff(), committee);
}
