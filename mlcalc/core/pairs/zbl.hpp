// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <vector>

#include "pairs/pair_potential.hpp"

namespace mlcalc {

/// Ziegler-Biersack-Littmark screened nuclear repulsion, switched off smoothly between `inner` and `outer` as in
/// LAMMPS's pair_style zbl [Ziegler, Biersack, Littmark, The Stopping and Range of Ions in Matter (1985)]: E(r) = k_e
/// Z_i Z_j phi(r / a) / r + S(r), a = 0.4685 / (Z_i^0.23 + Z_j^0.23); below `inner` S is a constant, above it a
/// polynomial that makes E, E' and E'' vanish at `outer`.
class Zbl : public PairPotential {
public:
    Zbl(const ZblDescription& description, const std::vector<int>& numbers);
    double cutoff() const override { return cutoff_; }
    void pair(int a, int b, double r, double& energy, double& slope) const override;

private:
    struct Pair {
        double charge = 0.0;               ///< k_e Z_i Z_j, eV Angstrom
        double inverse_a = 0.0;            ///< 1/Angstrom
        double inner = 0.0, outer = 0.0;   ///< Angstrom
        double a = 0.0, b = 0.0, c = 0.0;  ///< S = c + (a/3 + b/4 t) t^3, t = r - inner
    };
    double cutoff_;
    int n_species_;
    std::vector<Pair> pairs_;
};

}  // namespace mlcalc
