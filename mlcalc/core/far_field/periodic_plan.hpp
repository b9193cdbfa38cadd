// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <vector>

#include "far_field/mesh/mesh_set.hpp"
#include "far_field/mesh_plan.hpp"

namespace mlcalc {

/// How the field of a periodic cell is evaluated: by meshes or, if there are none, by a k-sum, and behind a near part
/// if its radius is above 0.
struct PeriodicPlan {
    MeshSet::Settings meshes;
    double k_cutoff = 0.0;
    double radius = 0.0;
    FieldError::Series near;  ///< as NearPart takes it
};

/// Chooses between k-sum and meshes for periodic cells, with and without a near part. Description and options must
/// outlive it.
class PeriodicPlanner {
public:
    /// For that many ranks, whose meshes come from this factory.
    PeriodicPlanner(const FieldDescription&, const FarFieldOptions&, int n_ranks, const MeshBackendFactory&);
    PeriodicPlanner(const PeriodicPlanner&) = delete;
    PeriodicPlanner& operator=(const PeriodicPlanner&) = delete;
    /// For these cells of meshes and k-sums, two bases of one lattice; the atoms are in `filled` of their volume.
    /// Throws std::invalid_argument if what is asked for cannot be or would exceed the memory limit.
    PeriodicPlan plan(const Lattice& mesh_lattice, const Lattice& ksum_lattice, double n_atoms, double filled);

private:
    /// One radius of a near part.
    struct Candidate {
        MeshPlanner meshes;
        double k_cutoff;  ///< of a list that still meets the accuracy in a cell that has grown
    };
    void add_candidate(double radius);
    double ksum_limit() const;
    void check_ksum(double cutoff, const Lattice&, double n_atoms) const;
    std::vector<Mesh::Settings> meshes(Candidate&, const Lattice&, const FarFieldCost&) const;
    double bytes(const std::vector<Mesh::Settings>&, double n_atoms, int n_ranks) const;
    int enough_ranks(const std::vector<Mesh::Settings>&, double n_atoms) const;
    void check_memory(const std::vector<Mesh::Settings>&, double n_atoms) const;

    const FieldDescription& description_;
    const FarFieldOptions& options_;
    int n_ranks_;
    const MeshBackendFactory& factory_;
    FieldSpectrum spectrum_;
    std::vector<Candidate> candidates_;
};

}  // namespace mlcalc
