// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "far_field/far_field.hpp"
#include "far_field/mesh/amplification.hpp"
#include "far_field/near_fit.hpp"
#include "far_field/spectrum.hpp"

namespace mlcalc {

/// Cutoff of the k-sum whose relative force error is below `accuracy`: structure factors are taken as those of
/// independent atoms, each coefficient counts in units of its own spread. At most the k of the tables.
double converged_cutoff(const FieldDescription&, double accuracy);

/// Relative force error of meshes and k-sums, in the same terms: aliases of gathering and spreading, and what lies
/// beyond the mesh or the list.
class FieldError {
public:
    using Series = std::vector<std::vector<double>>;
    /// Near parts as NearPart takes them, one per filter of the bank; those of other filters stay as they are.
    FieldError(const FieldDescription&, const FieldSpectrum& whole, double radius);
    double radius() const { return fit_.radius(); }
    /// The square of what a mesh of this window and spacing adds that carries these filters. Their near parts go to
    /// `series`, if not null.
    double mesh(const std::vector<std::size_t>& filters, int order, double beta, double spacing,
                Series* series = nullptr);
    /// The same of a k-sum that is to reach this accuracy.
    double ksum(double k_cutoff, double accuracy, Series* series = nullptr) const;

private:
    const Amplification& amplification(int order, double beta);
    double squared(const std::vector<std::size_t>& filters, const std::vector<double>& amplification,
                   Series* series) const;

    const FieldDescription* description_;
    const FieldSpectrum* spectrum_;
    NearFit fit_;
    std::vector<double> total_;  ///< of each coefficient: int k^2 (g F k^(l+1))^2 dk
    std::map<std::pair<int, double>, Amplification> amplifications_;  ///< per window
};

}  // namespace mlcalc
