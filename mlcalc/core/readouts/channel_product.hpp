// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>

#include "readouts/channel_program.hpp"
#include "readouts/product.hpp"

namespace mlcalc {

/// Products of any number of factors within the channels of one coefficient set: recursive Clebsch-Gordan coupling of
/// its spherical tensors, the last one to the type of the features, a scalar product for invariants [Nigam, Pozdnyakov,
/// Ceriotti, JCP 153, 121101 (2020); Darby et al., PRL 131, 028001 (2023)]. Features [mu][path][k], times the scale.
class ChannelProduct : public Product {
public:
    ChannelProduct(const Invariant& invariant, const std::vector<CoefficientShape>& shapes);
    bool uses(int set) const override { return set == set_; }

protected:
    std::size_t full_scratch_size() const override;
    void compute_all(const double* const* c, double* p, double* scratch) const override;
    void backward_all(const double* const* c, const double* p_adj, double* const* c_adj,
                      double* scratch) const override;
    void tangent_all(const double* const* c, int set, const ColumnChange& change, double* dp,
                     double* scratch) const override;
    std::unique_ptr<FoldedProduct> fold_all(const double* w) const override;
    void backward_tangent_all(const double* const* c, const double* const* c_dot, double e, const double* p_adj,
                              double* const* c_adj, double* const* dot_adj, double* scratch) const override;

private:
    friend class FoldedChannels;
    /// Features with padded channels, times the scale: rows[f * stride + k] from p[f * K + k], f = (mu, path).
    void pad(const double* p, double* rows) const;
    std::size_t padded_features() const;

    int set_;
    double scale_;
    CoefficientShape shape_;
    std::shared_ptr<const ChannelCouplings> couplings_;
    const ChannelProducts* products_;
};

}  // namespace mlcalc
