// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <mpi.h>

#include "base/types.hpp"

namespace mlcalc_lammps {

/// Sums over the ranks of LAMMPS's `world` (one partition, not MPI_COMM_WORLD).
class WorldCommunicator : public mlcalc::Communicator {
public:
    explicit WorldCommunicator(MPI_Comm world);
    int rank() const override { return rank_; }
    int size() const override { return size_; }
    void sum(double* values, std::size_t n) override;
    double max(double value) override;

private:
    MPI_Comm world_;
    int rank_ = 0;
    int size_ = 1;
};

}  // namespace mlcalc_lammps
