// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <functional>
#include <vector>

#include "far_field/spectrum.hpp"

namespace mlcalc {

/// Finds the compact functions of a near part that leave least to the far part: least squares of f_q - N_q, weighted
/// with what an evaluator makes of it, in the functions
///   (1 - x^2)^alpha P_j^(1/2, alpha)(1 - 2 x^2),  x = r / R,  alpha = l_max + 3.
/// Wave numbers go beyond the tables, to where the functions have ended: without their tail the fit could put anything
/// there.
class NearFit {
public:
    /// Radius 0: no near part, the whole spectrum is left. The spectrum must be whole and outlive the fit.
    NearFit(const FieldDescription&, const FieldSpectrum&, double radius);
    double radius() const { return radius_; }
    std::size_t n_steps() const { return k_.size(); }
    double wave_number(std::size_t i) const { return k_[i]; }
    double step() const { return step_; }

    /// What is left of filter q at each wave number, for weights of the squared error of each l at each of them,
    /// amplification[i * n_l + l]; its near part goes to `series`, if not null.
    std::vector<double> rest(std::size_t q, const std::vector<double>& amplification,
                             std::vector<double>* series) const;

private:
    double width(std::size_t q) const;
    std::size_t n_functions(std::size_t q) const;
    void make_functions();
    std::vector<double> weights(std::size_t q, const std::vector<double>& amplification) const;
    std::vector<double> series_of(const std::vector<double>& coefficients) const;

    const FieldSpectrum* spectrum_;
    std::size_t n_l_;
    int alpha_;
    double radius_, step_ = 0.0;
    std::vector<double> k_;
    std::vector<double> f_;                         ///< [filter][k], 0 beyond the tables
    std::vector<std::size_t> n_of_filter_;          ///< functions for each filter
    std::vector<std::vector<double>> functions_;    ///< [function][k]
    std::vector<std::vector<double>> polynomials_;  ///< [function]: Chebyshev coefficients in v = 2 x^2 - 1
};

}  // namespace mlcalc
