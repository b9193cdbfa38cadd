// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <map>
#include <vector>

#include "base/lattice.hpp"
#include "far_field/cost.hpp"
#include "far_field/far_field.hpp"
#include "far_field/field_error.hpp"
#include "far_field/mesh/mesh.hpp"

namespace mlcalc {

/// Integers are kept while the cell drifts; a cell that grows by this factor still meets the accuracy.
constexpr double drift_margin = 1.04;

/// Finds the integers and windows of meshes that the accuracy asks for, with near parts of one radius. Spacings do not
/// depend on the cell, unless it is much skewed, and are found once. Description, options and spectrum must outlive it.
class MeshPlanner {
public:
    MeshPlanner(const FieldDescription&, const FarFieldOptions&, const FieldSpectrum& whole, double radius);
    double radius() const { return error_.radius(); }
    FieldError& error() { return error_; }
    /// The cheapest meshes that meet the accuracy, or those asked for; none if no window does.
    std::vector<Mesh::Settings> meshes(const Lattice&, const FarFieldCost&);
    /// The relative error of the forces, and the near parts that belong to the meshes.
    double estimate(const std::vector<Mesh::Settings>&, const Lattice&, FieldError::Series* near);

private:
    /// Filters that share a mesh.
    struct Group {
        std::vector<std::size_t> filters;
        double spacing = 0.0, beta = 0.0;
    };
    double widest_spacing(const std::vector<std::size_t>& filters, int order, double beta, double accuracy);
    Group widest_group(const std::vector<std::size_t>& filters, int order, double accuracy);
    std::vector<Group> group_filters(int order);
    const std::vector<Group>& groups(int order);
    std::vector<Mesh::Settings> make_shapes(int order, const Lattice&);
    std::vector<Mesh::Settings> given(const Lattice&);

    const FieldDescription* description_;
    const FarFieldOptions* options_;
    const FieldSpectrum* spectrum_;
    FieldError error_;
    double allowance_ = 1.0;                      ///< for the skew of the cell that the groups were found for
    std::map<int, std::vector<Group>> of_order_;  ///< empty groups: windows of this order do not meet the accuracy
};

}  // namespace mlcalc
