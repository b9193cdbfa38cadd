// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <string>

#include "compute.h"

namespace LAMMPS_NS {

class PairMLCalc;

/// compute ID group mlcalc/tensor NAME: an output of the model of pair_style mlcalc, summed over the atoms of the group
/// and atom by atom. A scalar is a global scalar and a per-atom vector; a vector has the columns x y z, a symmetric
/// matrix xx yy zz xy xz yz. It is evaluated together with the forces, on the steps that ask for it.
class ComputeMLCalcTensor : public Compute {
public:
    ComputeMLCalcTensor(LAMMPS* instance, int narg, char** arg);
    ~ComputeMLCalcTensor() override;
    ComputeMLCalcTensor(const ComputeMLCalcTensor&) = delete;
    ComputeMLCalcTensor& operator=(const ComputeMLCalcTensor&) = delete;
    void init() override;
    double compute_scalar() override;
    void compute_vector() override;
    void compute_peratom() override;
    double memory_usage() override;

    /// Of the output.
    const std::string& name() const { return name_; }

private:
    PairMLCalc& pair() const;
    /// Calls use(i, component of the result, value) of the atoms of the group.
    template <class Use>
    void for_values(Use use);
    void sum(double* to);

    std::string name_;
    int n_ = 0;     ///< components of the result
    int nmax_ = 0;  ///< atoms that there is room for
};

}  // namespace LAMMPS_NS
