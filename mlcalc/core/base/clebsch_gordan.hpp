// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <vector>

namespace mlcalc {

/// One coefficient of the coupling of two real spherical tensors: B_m += value X_m1 Y_m2.
struct CouplingTerm {
    int m1, m2, m;  ///< -l .. l
    double value;
};

/// The non-zero real Clebsch-Gordan coefficients C^{l m}_{l1 m1, l2 m2} for harmonics without the Condon-Shortley
/// phase. With Y^complex = U Y^real, C = U1 U2 conj(U) <l1 m1 l2 m2 | l m>, times i where l1 + l2 + l is odd, which
/// makes it real [Racah, Phys. Rev. 62, 438 (1942) for the complex ones]. C(1, 1 -> 0) = -delta / sqrt(3). Empty unless
/// |l1 - l2| <= l <= l1 + l2.
std::vector<CouplingTerm> real_clebsch_gordan(int l1, int l2, int l);

}  // namespace mlcalc
