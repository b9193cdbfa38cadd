// SPDX-License-Identifier: BSD-3-Clause
/// The views that pass between a front-end and the core. Nothing here owns memory.
///
/// Units are eV and Angstrom throughout. Cell rows are the lattice vectors, r_ij = r_j - r_i (+ periodic shift).
/// virial = -dE/d(strain), virial[a][b] = -dE/d eps_ab with r' = r (1 + eps), a 3x3 row-major matrix in eV.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

#include "base/vectors.hpp"

namespace mlcalc {

/// Full neighbor list grouped by center: the pairs of center `i` are `first[i] .. first[i + 1]`.
struct NeighborList {
    const int* first;  ///< (n_centers + 1)
    const int* j;      ///< (n_pairs) index of the neighbor, ghosts included
    const Vec3* r_ij;  ///< (n_pairs) r_j - r_i with the periodic shift, Angstrom
};

/// The atoms of this rank. The first `n_local` are centers (their energies are counted here);
/// the rest are ghosts, which appear only as neighbors and receive forces.
struct Atoms {
    int n_local = 0;
    int n_all = 0;                    ///< local + ghosts
    const int* species = nullptr;     ///< (n_all) index into the model's species; -1: neither center nor source
    const Vec3* positions = nullptr;  ///< (n_all) Angstrom; only the far field reads them (pairs carry r_ij)
    /// Rows are lattice vectors. Of a slab the row of the open direction spans the atoms of all ranks, from the plane
    /// of the other two at `origin` to that at its end.
    Mat3 cell{};
    Vec3 origin{};  ///< lower corner of the cell (LAMMPS's boxlo)
    std::array<bool, 3> pbc{};
};

/// Sums over ranks, implemented by the front-end. Every rank of the communicator must call in the same order.
class Communicator {
public:
    virtual ~Communicator() = default;
    virtual int rank() const { return 0; }
    virtual int size() const { return 1; }
    /// values[k] <- sum over ranks of values[k]
    virtual void sum(double* /*values*/, std::size_t /*n*/) {}
    /// The largest of the values that the ranks pass.
    virtual double max(double value) { return value; }
    /// Every rank gets the values of rank 0, to the last bit.
    void broadcast(double* values, std::size_t n) {
        if (rank() != 0) std::fill_n(values, n, 0.0);
        sum(values, n);
    }
};

}  // namespace mlcalc
