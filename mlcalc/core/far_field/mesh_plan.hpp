// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "far_field/cost.hpp"
#include "far_field/far_field.hpp"
#include "far_field/mesh/mesh_set.hpp"
#include "far_field/mesh_error.hpp"

namespace mlcalc {

/// Chooses between k-sum and meshes for periodic cells, and the integers that the accuracy asks for. Spacings do not
/// depend on the cell and are found once. Description and options must outlive it.
class PeriodicPlanner {
public:
    /// For that many ranks, whose meshes come from this factory.
    PeriodicPlanner(const FieldDescription&, const FarFieldOptions&, int n_ranks, const MeshBackendFactory&);
    /// The meshes for this cell; none if the k-sum is asked for or, automatically, faster. Throws std::invalid_argument
    /// if they would exceed the memory limit.
    std::optional<MeshSet::Settings> meshes(const Mat3& cell, double n_atoms);
    /// Throws std::invalid_argument if the k-sum would exceed the memory limit.
    double ksum_cutoff(const Mat3& cell, double n_atoms) const;

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
    std::vector<Mesh::Settings> cheapest(const Lattice&, const FarFieldCost&);
    std::vector<Mesh::Settings> given(const Lattice&);
    double estimate(const std::vector<Mesh::Settings>&, const Lattice&);
    double ksum_limit() const;
    double bytes(const std::vector<Mesh::Settings>&, double n_atoms, int n_ranks) const;
    int enough_ranks(const std::vector<Mesh::Settings>&, double n_atoms) const;
    void check_memory(const std::vector<Mesh::Settings>&, double n_atoms) const;

    const FieldDescription& description_;
    const FarFieldOptions& options_;
    int n_ranks_;
    const MeshBackendFactory& factory_;
    FieldSpectrum spectrum_;
    MeshError error_;
    double ksum_cutoff_;                          ///< of a list that still meets the accuracy in a cell that has grown
    std::map<int, std::vector<Group>> of_order_;  ///< empty groups: windows of this order do not meet the accuracy
};

}  // namespace mlcalc
