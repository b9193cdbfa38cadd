// SPDX-License-Identifier: GPL-2.0-only
/// Interfaces of the LAMMPS library (22Jul2025) that its installed headers leave out. All are weak: the plugin loads
/// without them, and host.cpp tells whether they are there.
#pragma once

#include <mpi.h>

#include "pointers.h"

#define MLCALC_WEAK __attribute__((weak))

namespace LAMMPS_NS {

class Pair;

/// LAMMPS's distributed grid: owned and ghost points of each rank and their exchange.
class Grid3d : protected Pointers {
public:
    static constexpr int PAIR = 1;  ///< the caller whose pack and unpack functions are used
    Grid3d(LAMMPS*, MPI_Comm, int nx, int ny, int nz) MLCALC_WEAK;
    ~Grid3d() override MLCALC_WEAK;
    void set_distance(double) MLCALC_WEAK;
    void set_stencil_atom(int below, int above) MLCALC_WEAK;
    /// The grid goes on beyond the upper z face of the box, to this multiple of its height.
    void set_zfactor(double) MLCALC_WEAK;
    void setup_grid(int& own_xlo, int& own_xhi, int& own_ylo, int& own_yhi, int& own_zlo, int& own_zhi, int& ghost_xlo,
                    int& ghost_xhi, int& ghost_ylo, int& ghost_yhi, int& ghost_zlo, int& ghost_zhi) MLCALC_WEAK;
    void setup_comm(int& n_buffer1, int& n_buffer2) MLCALC_WEAK;
    void forward_comm(int caller, void* pair, int which, int n_per_point, int n_bytes, void* buffer1, void* buffer2,
                      MPI_Datatype) MLCALC_WEAK;
    void reverse_comm(int caller, void* pair, int which, int n_per_point, int n_bytes, void* buffer1, void* buffer2,
                      MPI_Datatype) MLCALC_WEAK;

private:
    char state_[8192];  ///< the library's own members (624 bytes in all in 22Jul2025), with room to spare
};

}  // namespace LAMMPS_NS
