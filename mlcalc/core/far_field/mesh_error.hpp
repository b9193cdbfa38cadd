// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <vector>

#include "far_field/far_field.hpp"
#include "far_field/spectrum.hpp"

namespace mlcalc {

/// Cutoff of the k-sum whose relative force error is below `accuracy`: structure factors are taken as those of
/// independent atoms, each coefficient counts in units of its own spread. At most the k of the tables.
double converged_cutoff(const FieldDescription&, double accuracy);

/// Relative force error of meshes, in the same terms: aliases of gathering and spreading, and what lies beyond the
/// mesh.
class MeshError {
public:
    MeshError(const FieldDescription&, const FieldSpectrum&, bool interlaced);
    /// The square of what a mesh of this order and spacing adds that carries these filters.
    double squared(const std::vector<std::size_t>& filters, int order, double spacing);

private:
    /// A wave vector in units of the reciprocal mesh, and the sums over its aliases.
    struct Point {
        double nu = 0.0;
        double multiplicity = 0.0;
        double spread = 0.0;
        std::vector<double> gathered;  ///< per l
    };
    const std::vector<Point>& points(int order);

    const FieldDescription* description_;
    const FieldSpectrum* spectrum_;
    bool interlaced_;
    std::vector<double> total_;               ///< of each coefficient: int k^2 (g F k^(l+1))^2 dk
    std::vector<std::vector<Point>> points_;  ///< per order
};

}  // namespace mlcalc
