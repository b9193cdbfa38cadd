// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "model/description.hpp"

namespace mlcalc {

/// Throws std::invalid_argument for an exponent whose truncated kernel is not derived.
void require_slab_kernel(const FieldDescription&);

/// How far two atoms must be apart along the open direction before the field of one around the other, cut off there,
/// is wrong by less than this fraction of the forces: the smearing of the atoms and the reach of the basis. Atoms are
/// taken as those of a solid whose surface layers meet.
double slab_reach(const FieldDescription&, double accuracy);

/// The factor t of the spectrum f(k) in the padded cell of a slab, and what f t changes by beside the change of k
/// itself when that cell is strained: -f turn (p (x) p - n (x) n), p the unit vector of k in the plane of the slab, n
/// its normal. With the integer m of k along the open direction and K the part of k in the plane,
///   t = 1 - (-1)^m exp(-K length / 2)
/// is what is left of 1 / r if it is cut off at |z| = length / 2; that of a field of short range (exponent 0) is 1. The
/// charges that f is the field of have to end at `slab_reach` or, behind a near part, at its radius.
struct SlabFactor {
    double value, turn;
    SlabFactor(int exponent, double k_in_plane, int m, double length);
    /// Of a unit charge, the integral of 1 / r up to the cutoff, and its turn: f t at k = 0 and exponent 1.
    struct Zero {
        double value, turn;
        explicit Zero(double length);
    };
};

}  // namespace mlcalc
