// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <vector>

#include "base/system.hpp"
#include "model/description.hpp"
#include "pairs/pair_geometry.hpp"

namespace mlcalc {

/// An energy of each pair of atoms that depends on their species and distance.
class PairPotential {
public:
    virtual ~PairPotential() = default;
    virtual double cutoff() const = 0;
    /// Energy of a pair of species a and b at distance r < cutoff, and its derivative.
    virtual void pair(int a, int b, double r, double& energy, double& slope) const = 0;
};

/// The pair potentials of a model.
std::vector<std::unique_ptr<PairPotential>> make_pair_potentials(const Model& model);

/// Half of every pair energy goes to the center: adds to energies[i - begin] of the centers of the block and, with a
/// gradient, their derivatives.
void add_pairs(const PairPotential& potential, const System& system, const PairGeometry& geometry, Block block,
               double* energies, const Gradient* gradient);

}  // namespace mlcalc
