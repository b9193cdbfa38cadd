// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstddef>
#include <vector>

#include "lmptype.h"
#include "potential.hpp"

namespace LAMMPS_NS {
class LAMMPS;
}

namespace mlcalc_lammps {

/// Tensors of the centers, for the steps on which a compute mlcalc/tensor asks.
class TensorTally {
public:
    explicit TensorTally(LAMMPS_NS::LAMMPS* lammps) : lammps_(lammps) {}
    /// Forgets what it has, for a model with so many outputs.
    void start(std::size_t n_outputs);
    /// Asks for the outputs that computes want on this step.
    void ask(const mlcalc::Model&, mlcalc::Results&);
    /// Asks for one output.
    void ask(int output, const mlcalc::Model&, mlcalc::Results&);
    /// What was asked for has come.
    void take(const mlcalc::Results&);
    /// Are the values those of this step?
    bool has(int output) const;
    /// (n_local, n_components)
    const double* values(int output) const { return values_[static_cast<std::size_t>(output)].data(); }
    double bytes() const;

private:
    LAMMPS_NS::LAMMPS* lammps_;
    std::vector<std::vector<double>> values_;  ///< per output
    std::vector<LAMMPS_NS::bigint> step_;      ///< of the values, -1: none
};

}  // namespace mlcalc_lammps
