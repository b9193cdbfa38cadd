// SPDX-License-Identifier: GPL-2.0-only
#include "tensor_tally.h"

#include "atom.h"
#include "cleared.h"
#include "compute_mlcalc_tensor.h"
#include "lammps.h"
#include "model/description.hpp"
#include "modify.h"
#include "update.h"

using namespace LAMMPS_NS;

namespace mlcalc_lammps {

void TensorTally::start(std::size_t n_outputs) {
    values_.assign(n_outputs, {});
    step_.assign(n_outputs, -1);
}

void TensorTally::ask(const mlcalc::Model& model, mlcalc::Results& results) {
    std::vector<bool> wanted(model.outputs.size());
    for (Compute* compute : lammps_->modify->get_compute_by_style("mlcalc/tensor")) {
        const auto* tensor = dynamic_cast<ComputeMLCalcTensor*>(compute);
        if (tensor == nullptr || compute->matchstep(lammps_->update->ntimestep) == 0) continue;
        const int output = model.output(tensor->name());
        if (output >= 0) wanted[static_cast<std::size_t>(output)] = true;
    }
    for (std::size_t k = 0; k < wanted.size(); k++)
        if (wanted[k]) ask(static_cast<int>(k), model, results);
}

void TensorTally::ask(int output, const mlcalc::Model& model, mlcalc::Results& results) {
    const auto k = static_cast<std::size_t>(output);
    const auto n_local = static_cast<std::size_t>(lammps_->atom->nlocal);
    mlcalc::TensorResults request;
    request.output = output;
    request.values = cleared(values_[k], n_local * static_cast<std::size_t>(model.outputs[k].n_components()));
    step_[k] = -1;
    results.tensors.push_back(request);
}

void TensorTally::take(const mlcalc::Results& results) {
    for (const auto& tensor : results.tensors)
        step_[static_cast<std::size_t>(tensor.output)] = lammps_->update->ntimestep;
}

bool TensorTally::has(int output) const {
    return step_[static_cast<std::size_t>(output)] == lammps_->update->ntimestep;
}

double TensorTally::bytes() const {
    std::size_t doubles = 0;
    for (const auto& values : values_) doubles += values.capacity();
    return static_cast<double>(sizeof(double) * doubles);
}

}  // namespace mlcalc_lammps
