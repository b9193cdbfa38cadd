// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <vector>

#include "base/aligned.hpp"
#include "base/system.hpp"
#include "model/description.hpp"
#include "pairs/pair_geometry.hpp"
#include "simd/triple_kernels.hpp"

namespace mlcalc {

/// E_i = sum_(j<k) f_c(r_ij) f_c(r_ik) [c + sum_M w_M k(x, x_M)] over pairs of neighbors of a center, with x =
/// (r_ij + r_ik, (r_ij - r_ik)^2, r_jk) or the three sides, see TripleDescription
/// [Bartok, Csanyi, IJQC 115, 1051 (2015)]. The energy belongs to the center.
class TripleKernel {
public:
    /// One per thread.
    struct Scratch {
        struct Neighbor {
            int pair, species;  ///< index into the neighbor list
            Vec3 unit;
            double r, f, f_slope;
        };
        struct Triple {
            std::size_t j, k;  ///< neighbors
            Vec3 unit;         ///< from k to j
        };
        std::vector<Neighbor> neighbors;
        std::vector<Triple> triples;
        std::vector<Vec3> slopes;      ///< dE/dr_ij of the neighbors
        AlignedVector<double> u, du;   ///< [chunk][3][lane] x in units of the widths, dE/dx in these units
        AlignedVector<double> values;  ///< [chunk][lane]
    };
    explicit TripleKernel(const TripleDescription& description);
    double cutoff() const { return description_.smoothing.cutoff; }
    /// Adds to energies[i - begin] of the centers of the block and, with a gradient, their derivatives.
    void add(const System& system, const PairGeometry& geometry, Block block, double* energies,
             const Gradient* gradient, Scratch& scratch) const;

private:
    void gather(const PairGeometry&, std::size_t first_group, std::size_t end_group, Scratch&) const;
    bool accepts(int a, int b) const;
    void add_center(const System&, int center, double& energy, const Gradient*, Scratch&) const;
    void coordinates(std::size_t triple, Scratch&) const;
    void evaluate(Scratch&) const;
    void normalize(std::size_t triple, Scratch&) const;
    double backward(std::size_t triple, Scratch&) const;

    const TripleDescription& description_;
    const TripleKernels* kernels_;
    std::size_t lanes_;
    std::vector<double> points_;  ///< (n, 4) x_M in units of the widths, and the weight; of all permutations
};

}  // namespace mlcalc
