// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <functional>

#include "base/lattice_reduction.hpp"
#include "base/slab.hpp"
#include "far_field/ksum/ksum.hpp"
#include "far_field/mesh/mesh_set.hpp"

namespace mlcalc {

/// Everything that is decided about the evaluation of a far field: the same on all ranks, whatever their processors and
/// their memory.
struct FarFieldPlan {
    enum class Evaluator { free, ksum, mesh };
    Evaluator evaluator = Evaluator::free;
    Mat3 reference_cell{};  ///< for which it was made
    bool reduced = false;   ///< the evaluator works in another basis of the lattice
    BasisChange basis{};
    SlabPadding padding;  ///< of a slab
    double k_cutoff = 0.0;
    KSum::WaveVectors wave_vectors;
    MeshSet::Settings meshes;
    double radius = 0.0;                    ///< of the near part; 0: none
    std::vector<std::vector<double>> near;  ///< as NearPart takes it
};

/// Rank 0 makes the plan, all ranks get it. If it cannot be made, every rank throws rank 0's sentence as a Shared<...>.
/// Collective.
FarFieldPlan plan_together(Communicator&, const std::function<FarFieldPlan()>& make);

}  // namespace mlcalc
