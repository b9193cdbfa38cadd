// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/system.hpp"
#include "base/vectors.hpp"
#include "readouts/tensor_readout.hpp"

namespace mlcalc {

/// Cartesian components of a TensorOutput, atom by atom, and the adjoint of their sum.
class OutputReadout {
public:
    struct Scratch {
        TensorReadout::Scratch of_parts;
        std::vector<double> spherical, spherical_adj;
    };
    /// The output must outlive the readout.
    OutputReadout(const TensorOutput& output, const std::vector<CoefficientShape>& shapes, int n_species,
                  int n_members);
    int n_components() const { return output_.n_components(); }
    bool uses(int set) const;
    void prepare_members();
    /// t[i * stride + c] += component c of center i of the block, from the weights of a member or the mean.
    void compute(const System&, Block, const CenterBlock&, int member, double* t, std::size_t stride, Scratch&) const;
    /// The derivative of sum_i t_adj . T_i: added to the adjoints of the coefficients, and to the gradient that of what
    /// needs none.
    void backward(const System&, Block, const CenterBlock&, int member, const double* t_adj, const Gradient&,
                  Scratch&) const;
    std::string summary() const;

private:
    /// One part, and what its component mu adds to component c: (n_components, 2 lambda + 1).
    struct Part {
        std::unique_ptr<TensorReadout> readout;
        std::vector<double> cartesian;
        std::size_t n_mu;
    };
    const TensorOutput& output_;
    std::vector<Part> parts_;
};

}  // namespace mlcalc
