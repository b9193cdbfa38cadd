// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <vector>

#include "pairs/pair_potential.hpp"

namespace mlcalc {

/// Tabulated energies of pairs of species, each up to its own cutoff: the quintic Hermite interpolant of a table times
/// the cutoff function. Below the first knot the parabola goes on, so that energy, slope and curvature are continuous.
class PairTable : public PairPotential {
public:
    /// The description must outlive it.
    PairTable(const PairTableDescription& description, int n_species);
    double cutoff() const override { return cutoff_; }
    void pair(int a, int b, double r, double& energy, double& slope) const override;

private:
    double cutoff_ = 0.0;  ///< the largest; 0 without tables
    int n_species_;
    std::vector<const TableOfPair*> tables_;  ///< (n_species, n_species); null: no interaction
};

}  // namespace mlcalc
