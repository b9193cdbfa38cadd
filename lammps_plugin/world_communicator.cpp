// SPDX-License-Identifier: GPL-2.0-only
#include "world_communicator.h"

#include <algorithm>

namespace mlcalc_lammps {

WorldCommunicator::WorldCommunicator(MPI_Comm world) : world_(world) {
    MPI_Comm_rank(world_, &rank_);
    MPI_Comm_size(world_, &size_);
}

void WorldCommunicator::sum(double* values, std::size_t n) {
    if (size_ == 1) return;
    constexpr std::size_t largest = std::size_t{1} << 30;  // MPI counts are ints
    for (std::size_t begin = 0; begin < n; begin += largest) {
        const int count = static_cast<int>(std::min(largest, n - begin));
        MPI_Allreduce(MPI_IN_PLACE, values + begin, count, MPI_DOUBLE, MPI_SUM, world_);
    }
}

double WorldCommunicator::max(double value) {
    if (size_ > 1) MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_DOUBLE, MPI_MAX, world_);
    return value;
}

}  // namespace mlcalc_lammps
