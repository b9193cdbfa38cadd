// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>

#include "base/slab.hpp"
#include "far_field/far_field.hpp"

namespace mlcalc {

/// An evaluator of periodic cells at work in the padded cell of a slab: the strain derivatives that it returns are
/// those of the slab, whose padding is no part of the system.
class SlabEvaluator : public FieldEvaluator {
public:
    SlabEvaluator(std::unique_ptr<FieldEvaluator>, const SlabPadding&, Communicator&);
    void compute(const Atoms& atoms, double* v) override { evaluator_->compute(atoms, v); }
    void backward(const Atoms&, const double* v_adj, Vec3* gradient, Mat3& strain, Mat3* atom_strain) override;
    Memory memory() const override { return evaluator_->memory(); }
    std::string summary() const override;

private:
    void share(const Atoms&, const Mat3& correction, Mat3* atom_strain);

    std::unique_ptr<FieldEvaluator> evaluator_;
    SlabPadding padding_;
    Communicator* communicator_;
};

/// The same for the rows of training, of `size` coefficients.
class SlabJacobian : public FieldJacobian {
public:
    SlabJacobian(std::unique_ptr<FieldJacobian> rows, const SlabPadding& padding, std::size_t size)
        : rows_(std::move(rows)), padding_(padding), size_(size) {}
    void jacobian(const Atoms&, double* jacobian, double* strain) override;

private:
    std::unique_ptr<FieldJacobian> rows_;
    SlabPadding padding_;
    std::size_t size_;
};

}  // namespace mlcalc
