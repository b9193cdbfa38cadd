// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/aligned.hpp"
#include "base/channels.hpp"
#include "expansions/density.hpp"
#include "expansions/expansion.hpp"
#include "far_field/far_field.hpp"
#include "model/description.hpp"

namespace mlcalc {

/// V of all atoms: its far share is computed for all centers before the blocks, dE/dV of all centers goes back after
/// them; a near share is summed over neighbors, block by block.
class FieldExpansion : public Expansion {
public:
    /// The description must outlive the expansion.
    FieldExpansion(const FieldDescription& description, const FarFieldOptions& options);
    CoefficientShape shape() const override { return shape_; }
    /// That of the near part, if there may be one.
    double cutoff() const override { return split_radius(options_); }
    bool far() const override { return true; }
    std::unique_ptr<Scratch> scratch() const override { return DensityExpansion::make_scratch(); }
    void begin(const System&, int n_passes) override;
    void compute(const System&, const PairGeometry&, Block, double* c, Scratch&, bool keep) override;
    void backward(const System&, const PairGeometry&, Block, int pass, const double* c_adj, Scratch&,
                  const Gradient&) override;
    void end(const System&, int pass, const Gradient&) override;
    void begin_tangents(const System&) override;
    void tangents(const System&, const PairGeometry&, int i, Scratch&, TangentSink&) override;
    void reset() override;
    std::string summary() const override;
    /// Name, evaluator and integers; the same on every rank.
    std::string choice() const;
    FarField::Memory memory() const;

    /// The cell for which the evaluator has chosen its integers; zeros before that.
    Mat3 reference_cell() const { return evaluator_ == nullptr ? Mat3{} : evaluator_->reference_cell(); }
    /// After begin_tangents: dV_i/dr_j, (n_all * 3, compact size), and dV_i/d eps, (9, compact size).
    const double* jacobian(int i) const { return &jacobian_[static_cast<std::size_t>(i) * jacobian_stride_]; }
    const double* strain_jacobian(int i) const {
        return &strain_jacobian_[static_cast<std::size_t>(i) * 9 * compact_.size()];
    }

private:
    /// The evaluator for the present system; it keeps references to the ranks and their meshes.
    FarField& evaluator(const System&);
    void correct_centers(const Atoms&);
    void renew_near();

    const FieldDescription& description_;
    FarFieldOptions options_;
    CoefficientShape shape_, compact_;
    Channels channels_;
    std::unique_ptr<FarField> evaluator_;
    std::shared_ptr<const NearPart> near_;
    std::unique_ptr<DensityExpansion> neighbors_;  ///< sums the near part; null: there is none
    const Communicator* ranks_ = nullptr;
    const MeshBackendFactory* meshes_ = nullptr;
    AlignedVector<double> v_;                   ///< (n_local, compact size)
    std::vector<AlignedVector<double>> v_adj_;  ///< per pass
    std::vector<double> jacobian_, strain_jacobian_;
    std::size_t jacobian_stride_ = 0;
};

}  // namespace mlcalc
