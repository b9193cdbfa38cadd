// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/types.hpp"

namespace mlcalc {

class MeshBackendFactory;

/// One structure as the front-end hands it over, and what its ranks share.
struct System {
    const Atoms& atoms;
    const NeighborList& pairs;
    Communicator& ranks;
    MeshBackendFactory& meshes;
};

/// The centers begin <= i < end.
struct Block {
    int begin = 0, end = 0;
    int size() const { return end - begin; }
};

/// Where derivatives of the energy are added.
struct Gradient {
    Vec3* atoms = nullptr;        ///< (n_all) dE/dr
    Mat3* strain = nullptr;       ///< dE/d eps, one matrix
    Mat3* atom_strain = nullptr;  ///< (n_local) the strain derivative of the energy of each center; null: not wanted

    /// A derivative with respect to the vector from a center to an atom, for a center of this rank.
    void add_pair(int center, int atom, const Vec3& r_ij, const Vec3& slope) const {
        atoms[atom] += slope;
        add_center(center, slope, outer(r_ij, slope));
    }
    /// The center's share of pairs whose atoms have theirs: the sum of the slopes and of r (x) slope.
    void add_center(int center, const Vec3& slope, const Mat3& r_slope) const {
        atoms[center] -= slope;
        *strain += r_slope;
        if (atom_strain != nullptr) atom_strain[center] += r_slope;
    }
};

}  // namespace mlcalc
