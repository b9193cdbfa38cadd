// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <vector>

namespace mlcalc {

/// How features turn with the atoms: like the harmonics of degree lambda, and with the sign sigma (-1)^lambda under
/// inversion.
struct SphericalType {
    int lambda = 0;
    int sigma = 1;  ///< 1 or -1
    int n_components() const { return 2 * lambda + 1; }
};

/// The angular momenta of the two factors of an equivariant, and which pairs of columns q, q' are features: of a set
/// with itself q <= q' where exchanging the factors changes nothing, q < q' where it changes the sign.
struct CoupledBlock {
    enum class Pairs { all, upper, strictly_upper };
    int l_1, l_2;
    Pairs pairs;
    bool same;  ///< of a set with itself
    /// The first q' of row q.
    int first(int q) const { return pairs == Pairs::all ? 0 : (pairs == Pairs::upper ? q : q + 1); }
    /// sqrt(2) of a feature that stands for two equal ones, of which the other is left out: |p|^2 is that of all.
    double factor(int q, int k) const { return same && (l_1 != l_2 || q != k) ? 1.4142135623730951 : 1.0; }
};

/// The blocks of the product of two coefficient sets, or of a set with itself, in the order of the features: l_1, then
/// l_2, which obey the triangle rule and sigma = (-1)^(l_1 + l_2 + lambda); l_1 <= l_2 for a set with itself.
std::vector<CoupledBlock> coupled_blocks(const SphericalType& type, int l_max_1, int l_max_2, bool same);

}  // namespace mlcalc
