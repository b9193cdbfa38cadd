// SPDX-License-Identifier: GPL-2.0-only
#include "compute_mlcalc_tensor.h"

#include <mpi.h>

#include <vector>

#include "atom.h"
#include "error.h"
#include "force.h"
#include "memory.h"
#include "model/description.hpp"
#include "pair_mlcalc.h"
#include "update.h"

using namespace LAMMPS_NS;

namespace {

/// Components of the core that are columns of the result, for one, three or nine of them.
const std::vector<int>& columns(int n_components) {
    static const std::vector<int> scalar = {0}, vector = {0, 1, 2}, symmetric = {0, 4, 8, 1, 2, 5};
    return n_components == 1 ? scalar : (n_components == 3 ? vector : symmetric);
}

}  // namespace

ComputeMLCalcTensor::ComputeMLCalcTensor(LAMMPS* instance, int narg, char** arg) : Compute(instance, narg, arg) {
    if (narg != 4)
        error->all(FLERR, "compute mlcalc/tensor takes the name of an output of the model, and nothing else");
    name_ = arg[3];
    const int n_components = pair().n_components(name_);
    n_ = static_cast<int>(columns(n_components).size());
    timeflag = 1;  // the pair style looks at the steps that are asked for
    peratom_flag = 1;
    if (n_ == 1) {
        scalar_flag = 1;
        extscalar = 1;
        size_peratom_cols = 0;
    } else {
        vector_flag = 1;
        extvector = 1;
        size_vector = n_;
        size_peratom_cols = n_;
        vector = new double[static_cast<std::size_t>(n_)]();
    }
}

ComputeMLCalcTensor::~ComputeMLCalcTensor() {
    delete[] vector;
    memory->destroy(vector_atom);
    memory->destroy(array_atom);
}

PairMLCalc& ComputeMLCalcTensor::pair() const {
    auto* found = dynamic_cast<PairMLCalc*>(force->pair_match("mlcalc", 1));
    if (found == nullptr)
        error->all(
            FLERR,
            "compute mlcalc/tensor needs one pair_style mlcalc and its pair_coeff before it, also as a part of a "
            "hybrid style");
    return *found;
}

void ComputeMLCalcTensor::init() {
    if (static_cast<int>(columns(pair().n_components(name_)).size()) != n_)
        error->all(FLERR, "compute mlcalc/tensor: the output {} of the model has another shape now; define it anew",
                   name_);
}

template <class Use>
void ComputeMLCalcTensor::for_values(Use use) {
    PairMLCalc& source = pair();
    const auto n_components = static_cast<std::size_t>(source.n_components(name_));
    const double* values = source.tensor(name_);
    const std::vector<int>& of_core = columns(static_cast<int>(n_components));
    for (int i = 0; i < atom->nlocal; i++) {
        const bool mine = (atom->mask[i] & groupbit) != 0;
        const double* row = values + static_cast<std::size_t>(i) * n_components;
        for (int c = 0; c < n_; c++) use(i, c, mine ? row[of_core[static_cast<std::size_t>(c)]] : 0.0);
    }
}

void ComputeMLCalcTensor::sum(double* to) {
    std::vector<double> mine(static_cast<std::size_t>(n_), 0.0);
    for_values([&](int, int c, double value) { mine[static_cast<std::size_t>(c)] += value; });
    MPI_Allreduce(mine.data(), to, n_, MPI_DOUBLE, MPI_SUM, world);
}

double ComputeMLCalcTensor::compute_scalar() {
    invoked_scalar = update->ntimestep;
    sum(&scalar);
    return scalar;
}

void ComputeMLCalcTensor::compute_vector() {
    invoked_vector = update->ntimestep;
    sum(vector);
}

void ComputeMLCalcTensor::compute_peratom() {
    invoked_peratom = update->ntimestep;
    if (atom->nmax > nmax_) {
        nmax_ = atom->nmax;
        memory->destroy(vector_atom);
        memory->destroy(array_atom);
        if (n_ == 1)
            memory->create(vector_atom, nmax_, "mlcalc/tensor:vector_atom");
        else
            memory->create(array_atom, nmax_, n_, "mlcalc/tensor:array_atom");
    }
    for_values([&](int i, int c, double value) { (n_ == 1 ? vector_atom[i] : array_atom[i][c]) = value; });
}

double ComputeMLCalcTensor::memory_usage() {
    return static_cast<double>(nmax_) * n_ * static_cast<double>(sizeof(double));
}
