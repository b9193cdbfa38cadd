// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <vector>

#include "far_field/spectrum.hpp"
#include "model/description.hpp"

namespace mlcalc {

/// The short-ranged share of a field, summed over neighbors, and its spectrum, which is taken out of the far share. Of
/// each filter q it is a compact function n_q(r), a polynomial in v = 2 (r / R)^2 - 1 that vanishes from R on with
/// l_max + 2 derivatives:
///   V_nlm(i) = sum_(j, r_ij < R) H_nl(r_ij) Y_lm(r_ij) + the sum over k of f_q - N_q,
///   H_nl(r) = (-r)^l sum_q weight_lnq ((1/r) d/dr)^l n_q,   N_q(k) = int_0^R r^2 n_q(r) sin(kr) / (kr) dr,
/// the atom itself included, r_ii = 0. The sum is the field whatever n_q is.
class NearPart {
public:
    /// series[q]: Chebyshev coefficients of n_q in v.
    NearPart(const FieldDescription&, double radius, std::vector<std::vector<double>> series);
    double radius() const { return radius_; }
    const std::vector<std::vector<double>>& series() const { return series_; }
    /// N_q(k) on the wave numbers of the filters.
    const SplineTable& transform() const { return transform_; }
    /// The sum over neighbors as a density expansion.
    const DensityDescription& density() const { return density_; }

private:
    void tabulate_transform(double k_max);
    void tabulate_density(const FieldDescription&, const FilterBank&);

    double radius_;
    std::vector<std::vector<double>> series_;
    SplineTable transform_;
    DensityDescription density_;
};

/// The Chebyshev series sum_k c_k T_k(v).
double chebyshev_value(const std::vector<double>& series, double v);
/// That of its derivative.
std::vector<double> chebyshev_derivative(const std::vector<double>& series);

}  // namespace mlcalc
