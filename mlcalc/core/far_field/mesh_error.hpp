// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "far_field/far_field.hpp"
#include "far_field/mesh/amplification.hpp"
#include "far_field/spectrum.hpp"

namespace mlcalc {

/// Cutoff of the k-sum whose relative force error is below `accuracy`: structure factors are taken as those of
/// independent atoms, each coefficient counts in units of its own spread. At most the k of the tables.
double converged_cutoff(const FieldDescription&, double accuracy);

/// Relative force error of meshes, in the same terms: aliases of gathering and spreading, and what lies beyond the
/// mesh.
class MeshError {
public:
    MeshError(const FieldDescription&, const FieldSpectrum&);
    /// The square of what a mesh of this window and spacing adds that carries these filters.
    double squared(const std::vector<std::size_t>& filters, int order, double beta, double spacing);

private:
    static constexpr std::size_t n_steps = 300;
    double wave_number(std::size_t i) const;
    const Amplification& amplification(int order, double beta);

    const FieldDescription* description_;
    const FieldSpectrum* spectrum_;
    std::vector<double> total_;   ///< of each coefficient: int k^2 (g F k^(l+1))^2 dk
    std::vector<double> values_;  ///< [step of k][filter]
    std::map<std::pair<int, double>, Amplification> amplifications_;  ///< per window
};

}  // namespace mlcalc
