// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/lattice.hpp"
#include "base/types.hpp"

namespace mlcalc {

/// The direction in which a slab is open: the normal of the plane of its two lattice vectors, whichever axis of the
/// cell it belongs to, and the layer along it that the front-end hands over as the box of the atoms.
struct OpenDirection {
    int axis = 2;
    Vec3 normal{};
    double low = 0.0, high = 0.0;  ///< the faces of the box, r . normal

    double height() const { return high - low; }
};

/// Of atoms that are periodic in two directions.
OpenDirection open_direction(const Atoms&);

/// The cell with a vector of this length along the normal in place of that of the open direction.
Mat3 padded(const Mat3& cell, const OpenDirection&, double length);

/// A slab in a cell that is periodic along the open direction, too: its images do not meet, because there is empty
/// space between them and the kernel ends at half of the cell, |z| < length / 2.
struct SlabPadding {
    int axis = -1;        ///< of the lattice vector along the open direction; -1: no slab
    double length = 0.0;  ///< of that vector, which is perpendicular to the two others
    double start = 0.0;   ///< where it begins, r . normal
    double room = 0.0;    ///< the atoms may span this height
    bool there() const { return axis >= 0; }
    /// For fields that reach this far, with room for the atoms to move; of the length `before`, if that serves.
    static SlabPadding around(const OpenDirection&, double reach, double before);
    /// p (x) p - n (x) n, p the direction of k in the plane of the slab, zero if it has none there, n its normal.
    Mat3 turned(const Lattice& padded_cell, const Vec3& k) const;
};

/// What a strain derivative of the padded cell, whose length is strained with it, has to be corrected by so that it is
/// that of the slab, whose padding is not. W[a][b] is the former, with r'_b = r_b + sum_a r_a eps_ab, and y the sum of
/// (r . normal) dE/dr: the normal stays perpendicular to the lattice vectors, so that with d = normal W - y the
/// derivative of the slab is W - normal (x) d - (d without its part along the normal) (x) normal. Returns what is to
/// be added to W.
Mat3 strain_correction(const Vec3& normal, const Mat3& w, const Vec3& y);

}  // namespace mlcalc
