// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <vector>

#include "base/aligned.hpp"
#include "layers/layer.hpp"
#include "model/description.hpp"
#include "simd/small_products.hpp"

namespace mlcalc {

/// A_k,lm = sum_q u^a_l,kq c_q,lm: channels of one or several coefficient sets mixed into K per angular momentum, see
/// MixingDescription. An input without the angular momentum l adds nothing to it.
class Mixing : public Layer {
public:
    /// `shapes` of the coefficient sets before it. Throws std::invalid_argument if the matrices do not fit them.
    Mixing(const MixingDescription& description, const std::vector<CoefficientShape>& shapes);
    const std::vector<int>& inputs() const override { return inputs_; }
    CoefficientShape shape() const override { return shape_; }
    void compute(int species, const double* const* in, double* out) const override;
    void backward(int species, const double* const* in, const double* out_adj, double* const* in_adj) const override;
    void tangent(int species, const double* const* in, int k, const ColumnChange& in_dot,
                 double* out_dot) const override;
    void parameter_adjoint(int species, const double* const* in, const double* out_adj,
                           double* parameters_adj) const override;
    std::size_t n_parameters() const override;
    void set_parameters(const std::vector<double>& parameters) override;
    std::string summary() const override;

private:
    /// The columns of one input: (n_centers, l_max + 1) matrices u (n_q, stride) and their transposes (K, stride of the
    /// input), padded.
    struct Part {
        CoefficientShape shape;
        AlignedVector<double> u, transposed;
    };
    int n_l(const Part& part) const { return 1 + (part.shape.l_max < shape_.l_max ? part.shape.l_max : shape_.l_max); }
    const double* matrix(const AlignedVector<double>& matrices, int rows, int stride, int species, int l) const;

    std::string name_;
    std::vector<int> inputs_;
    CoefficientShape shape_;
    int n_centers_;
    std::vector<Part> parts_;
    const SmallProducts* products_;
};

}  // namespace mlcalc
