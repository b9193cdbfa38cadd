// SPDX-License-Identifier: GPL-2.0-only
#include "pair_mlcalc.h"

#include <algorithm>
#include <cstring>
#include <fstream>

#include "atom.h"
#include "comm.h"
#include "domain.h"
#include "elements.h"
#include "error.h"
#include "force.h"
#include "memory.h"
#include "model.hpp"
#include "neigh_list.h"
#include "neighbor.h"
#include "update.h"

using namespace LAMMPS_NS;
using mlcalc::Vec3;

PairMLCalc::PairMLCalc(LAMMPS* instance) : Pair(instance), communicator_(world) {
    one_coeff = 1;
    manybody_flag = 1;
    single_enable = 0;
    restartinfo = 0;
    respa_enable = 0;
    no_virial_fdotr_compute = 1;  // the far field carries an explicit strain term
    centroidstressflag = CENTROID_NOTAVAIL;
}

PairMLCalc::~PairMLCalc() {
    if (allocated) {
        memory->destroy(setflag);
        memory->destroy(cutsq);
    }
}

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
    options_ = {};
    for (int i = 0; i < narg;) {
        const std::string keyword = arg[i];
        const auto need = [&](int n) {
            if (i + n >= narg) error->all(FLERR, "pair_style mlcalc: {} needs {} value(s)", keyword, n);
        };
        if (keyword == "accuracy") {
            need(1);
            options_.far_field.accuracy = utils::numeric(FLERR, arg[i + 1], false, lmp);
            i += 2;
        } else if (keyword == "lode") {
            need(1);
            const std::string method = arg[i + 1];
            if (method == "auto")
                options_.far_field.method = mlcalc::FarFieldMethod::automatic;
            else if (method == "ksum")
                options_.far_field.method = mlcalc::FarFieldMethod::ksum;
            else if (method == "mesh")
                options_.far_field.method = mlcalc::FarFieldMethod::mesh;
            else if (method == "free")
                options_.far_field.method = mlcalc::FarFieldMethod::free;
            else
                error->all(FLERR, "pair_style mlcalc: lode must be auto, ksum, mesh or free, got {}", method);
            i += 2;
        } else if (keyword == "mesh") {
            need(3);
            for (int axis = 0; axis < 3; axis++)
                options_.far_field.mesh[axis] = utils::inumeric(FLERR, arg[i + 1 + axis], false, lmp);
            i += 4;
        } else if (keyword == "order") {
            need(1);
            options_.far_field.order = utils::inumeric(FLERR, arg[i + 1], false, lmp);
            i += 2;
        } else if (keyword == "threads") {
            need(1);
            options_.n_threads = utils::inumeric(FLERR, arg[i + 1], false, lmp);
            if (options_.n_threads < 1) error->all(FLERR, "pair_style mlcalc: threads must be at least 1");
            i += 2;
        } else {
            error->all(FLERR, "pair_style mlcalc: unknown keyword {}", keyword);
        }
    }
}

void PairMLCalc::coeff(int narg, char** arg) {
    if (!allocated) allocate();
    if (narg != 3 + atom->ntypes)
        error->all(FLERR,
                   "pair_coeff of mlcalc needs \"* * model.mlcalc\" and one element (or NULL) for each of the {} atom "
                   "types, got {} elements",
                   atom->ntypes, std::max(0, narg - 3));
    if (std::strcmp(arg[0], "*") != 0 || std::strcmp(arg[1], "*") != 0)
        error->all(FLERR, "pair_coeff of mlcalc must begin with * *, got {} {}", arg[0], arg[1]);
    load(arg[2]);
    map_types(narg - 3, arg + 3);
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
        potential_ = std::make_unique<mlcalc::Potential>(std::move(model), options_);
    } catch (const std::exception& e) {
        problem = e.what();
    }
    if (!problem.empty()) error->all(FLERR, problem);
    path_ = path;
}

void PairMLCalc::map_types(int narg, char** arg) {
    const auto& species = potential_->model().species;
    type_species_.assign(atom->ntypes + 1, -1);
    for (int k = 0; k < narg; k++) {
        const std::string element = arg[k];
        if (element == "NULL") continue;
        const int number = mlcalc_lammps::atomic_number(element);
        const auto found = std::find(species.begin(), species.end(), number);
        if (number == 0 || found == species.end()) {
            std::string known;
            for (int z : species) known += std::string(known.empty() ? "" : " ") + mlcalc_lammps::chemical_symbol(z);
            error->all(FLERR, "pair_coeff of mlcalc: the model {} knows the elements {}, not {}", path_, known,
                       element);
        }
        type_species_[k + 1] = static_cast<int>(found - species.begin());
    }
    for (int i = 1; i <= atom->ntypes; i++)
        for (int j = i; j <= atom->ntypes; j++) setflag[i][j] = type_species_[i] >= 0 && type_species_[j] >= 0;
}

void PairMLCalc::init_style() {
    if (force->newton_pair == 0) error->all(FLERR, "pair_style mlcalc needs newton pair on");
    const std::string units = update->unit_style;
    if (units == "metal")
        energy_unit_ = 1.0;
    else if (units == "real")
        energy_unit_ = 23.060548;  // kcal/mol per eV, the value that LAMMPS itself uses
    else
        error->all(FLERR, "pair_style mlcalc works with units metal or real, not {}", units);
    neighbor->add_request(this, NeighConst::REQ_FULL);
}

double PairMLCalc::init_one(int i, int j) {
    if (setflag[i][j] == 0) error->all(FLERR, "All pair coeffs are not set");
    return potential_->cutoff();
}

void PairMLCalc::fill_species() {
    const int n_all = atom->nlocal + atom->nghost;
    species_.resize(n_all);
    for (int i = 0; i < n_all; i++) species_[i] = type_species_[atom->type[i]];
}

/// Keeps the pairs of LAMMPS's list (cutoff + skin) that lie within the model's cutoff.
void PairMLCalc::fill_neighbors() {
    const int n_local = atom->nlocal;
    const double cutoff_squared = potential_->cutoff() * potential_->cutoff();
    first_.assign(n_local + 1, 0);
    std::size_t n_pairs = 0;
    for (int ii = 0; ii < list->inum; ii++) {
        first_[list->ilist[ii] + 1] = list->numneigh[list->ilist[ii]];
        n_pairs += list->numneigh[list->ilist[ii]];
    }
    if (j_.size() < n_pairs) {
        j_.resize(n_pairs);
        r_ij_.resize(n_pairs);
    }
    const auto* x = reinterpret_cast<const Vec3*>(n_local > 0 ? atom->x[0] : nullptr);
    int n = 0;
    for (int i = 0; i < n_local; i++) {
        const int listed = first_[i + 1];
        first_[i] = n;
        const int* neighbors = list->firstneigh[i];
        if (species_[i] < 0) continue;
        for (int k = 0; k < listed; k++) {
            const int j = neighbors[k] & NEIGHMASK;
            const Vec3 r = {x[j][0] - x[i][0], x[j][1] - x[i][1], x[j][2] - x[i][2]};
            const double r_squared = r[0] * r[0] + r[1] * r[1] + r[2] * r[2];
            // written so that a distance that is not a number is kept, and refused by the core
            if (r_squared >= cutoff_squared || species_[j] < 0) continue;
            j_[n] = j;
            r_ij_[n] = r;
            n++;
        }
    }
    first_[n_local] = n;
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

void PairMLCalc::prepare_results(mlcalc::Results& results) {
    energies_.assign(atom->nlocal, 0.0);
    forces_.assign(atom->nlocal + atom->nghost, Vec3{});
    results.energies = energies_.data();
    results.forces = forces_.data();
    if (vflag_atom) {
        atom_virials_.assign(atom->nlocal, {});
        results.atom_virials = atom_virials_.data();
    }
}

void PairMLCalc::compute(int eflag, int vflag) {
    ev_init(eflag, vflag);
    fill_species();
    fill_neighbors();
    mlcalc::Results results;
    prepare_results(results);
    const mlcalc::NeighborList neighbors = {first_.data(), j_.data(), r_ij_.data()};
    std::string problem;
    try {
        potential_->compute(atoms_view(), neighbors, communicator_, *mesh_factory_, results);
    } catch (const std::exception& e) {
        problem = e.what();
    }
    if (!problem.empty()) error->one(FLERR, problem);
    add_results(results);
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
    const double unit = energy_unit_;
    const int n_all = atom->nlocal + atom->nghost;
    for (int i = 0; i < n_all; i++)
        for (int a = 0; a < 3; a++) atom->f[i][a] += unit * forces_[i][a];
    if (eflag_global)
        for (double energy : energies_) eng_vdwl += unit * energy;
    if (eflag_atom)
        for (int i = 0; i < atom->nlocal; i++) eatom[i] += unit * energies_[i];
    if (vflag_global) add_symmetric(results.virial, unit, virial);
    if (vflag_atom)
        for (int i = 0; i < atom->nlocal; i++) add_symmetric(atom_virials_[i], unit, vatom[i]);
}

double PairMLCalc::memory_usage() {
    double bytes = Pair::memory_usage();
    bytes += static_cast<double>(species_.capacity() + first_.capacity() + j_.capacity()) * sizeof(int);
    bytes += static_cast<double>(r_ij_.capacity() + forces_.capacity()) * sizeof(Vec3);
    bytes += static_cast<double>(energies_.capacity()) * sizeof(double);
    bytes += static_cast<double>(atom_virials_.capacity()) * sizeof(mlcalc::Mat3);
    return bytes;
}
