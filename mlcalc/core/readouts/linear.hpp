// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <vector>

#include "readouts/readout.hpp"

namespace mlcalc {

/// E_i = w[Z_i] . p_i. For one weight set the invariants are never formed: the products fold the weights in.
class LinearReadout : public Readout {
public:
    /// The description must outlive the readout.
    LinearReadout(const LinearDescription& description, FeatureVector features, int n_species, int n_members);

    void compute(const CenterBlock& block, double* energies, double* members, Scratch& scratch) const override;
    void backward(const CenterBlock& block, int member, const double* y_adj, double* energies, int stride,
                  Scratch& scratch) const override;
    void compute_and_backward(const CenterBlock& block, double* energies, double* members, bool keep,
                              Scratch& scratch) const override;
    void prepare_members() override;
    bool has_extrapolation() const override { return !description_.leverage.empty(); }
    void extrapolation(const CenterBlock& block, double* measure, Scratch& scratch) const override;
    std::string summary() const override;

private:
    using Folded = std::vector<std::unique_ptr<FoldedProduct>>;
    /// The weights of one member or the mean, folded, per species.
    std::vector<Folded> fold(int member);
    const double* weights(int member, int species) const;
    void apply(const std::vector<Folded>& folded, const CenterBlock& block, double* energies, int stride, bool gradient,
               Scratch& scratch) const;
    void add_members(const CenterBlock& block, double* members, Scratch& scratch) const;

    const LinearDescription& description_;
    int n_species_;
    int n_members_;
    std::vector<double> mean_;
    std::vector<Folded> folded_;                   ///< of the mean
    std::vector<std::vector<Folded>> of_members_;  ///< made when first needed
    std::size_t scratch_size_ = 0;
};

}  // namespace mlcalc
