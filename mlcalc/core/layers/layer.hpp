// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/coefficients.hpp"

namespace mlcalc {

/// Coefficients of each center from other coefficient sets of the same center. Arrays of a center are in the layout of
/// CoefficientShape, aligned to 64 bytes; padding is zero and stays zero.
class Layer {
public:
    virtual ~Layer() = default;
    /// The coefficient sets that it reads, in the order of `in`.
    virtual const std::vector<int>& inputs() const = 0;
    virtual CoefficientShape shape() const = 0;
    /// out of one center of this species, overwritten.
    virtual void compute(int species, const double* const* in, double* out) const = 0;
    /// in_adj[k] += (d out / d in[k])^T out_adj
    virtual void backward(int species, const double* const* in, const double* out_adj, double* const* in_adj) const = 0;
    /// out_dot (zeroed by the caller) += (d out / d in[k]) in_dot, where only some columns of input k change.
    virtual void tangent(int species, const double* const* in, int k, const ColumnChange& in_dot,
                         double* out_dot) const = 0;
    /// For the optimization of its parameters, in the order of the model file: parameters_adj += (d out / d
    /// parameters)^T out_adj.
    virtual void parameter_adjoint(int species, const double* const* in, const double* out_adj,
                                   double* parameters_adj) const = 0;
    virtual std::size_t n_parameters() const = 0;
    /// Throws std::invalid_argument unless there are n_parameters.
    virtual void set_parameters(const std::vector<double>& parameters) = 0;
    /// One line for the log.
    virtual std::string summary() const = 0;
};

}  // namespace mlcalc
