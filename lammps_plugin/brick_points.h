// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <mpi.h>

#include "far_field/mesh/mesh_backend.hpp"

namespace mlcalc_lammps {

/// Calls f(x, y, z, number) for each point of a brick in its storage order, z fastest.
template <typename Function>
void for_each_point(const mlcalc::Brick& brick, Function f) {
    std::size_t number = 0;
    for (int x = brick.lo[0]; x < brick.hi[0]; x++)
        for (int y = brick.lo[1]; y < brick.hi[1]; y++)
            for (int z = brick.lo[2]; z < brick.hi[2]; z++) f(x, y, z, number++);
}

/// Is it so on every rank? Collective.
inline bool everywhere(bool here, MPI_Comm world) {
    int all = here ? 1 : 0;
    MPI_Allreduce(MPI_IN_PLACE, &all, 1, MPI_INT, MPI_MIN, world);
    return all != 0;
}

}  // namespace mlcalc_lammps
