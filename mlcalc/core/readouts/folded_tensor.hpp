// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <vector>

#include "base/coefficients.hpp"
#include "model/description.hpp"

namespace mlcalc {

/// T^mu = w . p^mu of one center for fixed weights, without forming the equivariants p^mu of products of pairs.
class FoldedTensor {
public:
    virtual ~FoldedTensor() = default;
    /// Doubles of scratch, aligned to 64 bytes, that the functions below need.
    virtual std::size_t scratch_size() const { return 0; }
    /// y[mu] += T^mu
    virtual void compute(const double* const* c, double* y, double* scratch) const = 0;
    /// c_adj[set] += d(y_adj . T)/dc
    virtual void backward(const double* const* c, const double* y_adj, double* const* c_adj, double* scratch) const = 0;
};

/// For the equivariant and its weights (n_features of one component, after selection).
std::unique_ptr<FoldedTensor> fold_tensor(const Invariant& equivariant, const std::vector<CoefficientShape>& shapes,
                                          const double* w);

}  // namespace mlcalc
