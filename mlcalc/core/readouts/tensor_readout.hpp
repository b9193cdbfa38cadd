// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/aligned.hpp"
#include "base/center_block.hpp"
#include "model/description.hpp"
#include "readouts/folded_tensor.hpp"
#include "readouts/readout.hpp"

namespace mlcalc {

/// Spherical components T_i^mu of atoms from their equivariants, and the adjoint of their sum.
class TensorReadout {
public:
    static constexpr int mean = Readout::mean;
    /// One per thread; grows and is then reused.
    struct Scratch {
        AlignedVector<double> invariants, equivariants, overlaps, powers, folded, folded_adj, invariants_adj;
        AlignedVector<double> equivariants_adj, scratch;
        std::vector<double> norms, components;
        std::vector<int> centers;
        std::vector<const double*> c;
        std::vector<double*> c_adj;
    };
    virtual ~TensorReadout() = default;
    /// y[i * n_components + mu] += T_i^mu from the weights of a member or the mean.
    virtual void compute(const CenterBlock& block, int member, double* y, Scratch& scratch) const = 0;
    /// c_adj += d(sum_i y_adj . T_i)/dc, the same y_adj (n_components) for all centers.
    virtual void backward(const CenterBlock& block, int member, const double* y_adj, Scratch& scratch) const = 0;
    /// Before members are asked for, from one thread.
    virtual void prepare_members() {}
    virtual std::string summary() const = 0;
};

/// T_i^mu = w[Z_i] . p_i^mu [Grisafi, Wilkins, Csanyi, Ceriotti, PRL 120, 036002 (2018)].
class LinearTensor : public TensorReadout {
public:
    /// The part must outlive the readout.
    LinearTensor(const TensorPart& part, std::vector<CoefficientShape> shapes, int n_species, int n_members);
    void compute(const CenterBlock& block, int member, double* y, Scratch& scratch) const override;
    void backward(const CenterBlock& block, int member, const double* y_adj, Scratch& scratch) const override;
    void prepare_members() override;
    std::string summary() const override;

private:
    using Folded = std::vector<std::vector<std::unique_ptr<FoldedTensor>>>;  ///< [species][equivariant]
    Folded fold(const double* weights);
    const Folded& of(int member) const;

    const TensorPart& part_;
    const LinearDescription& description_;
    std::vector<CoefficientShape> shapes_;
    int n_species_, n_members_;
    Folded mean_;
    std::vector<Folded> members_;  ///< made when first needed
    std::size_t scratch_size_ = 0;
};

/// The symmetry-adapted kernel of TensorKernelDescription.
class KernelTensor : public TensorReadout {
public:
    /// The part must outlive the readout.
    KernelTensor(const TensorPart& part, const std::vector<CoefficientShape>& shapes, int n_species, int n_members);
    void compute(const CenterBlock& block, int member, double* y, Scratch& scratch) const override;
    void backward(const CenterBlock& block, int member, const double* y_adj, Scratch& scratch) const override;
    std::string summary() const override;

private:
    /// Features, overlaps x, their powers x^(zeta-1), and h of the centers of a species; returns their number.
    std::size_t forward(const CenterBlock& block, int member, std::size_t species, Scratch& scratch) const;
    /// use(position of the components among the equivariants, position of its features in h, number of features).
    template <class Use>
    void for_segments(Use use) const;
    const double* folded_points(int member, std::size_t species) const;

    const TensorPart& part_;
    const TensorKernelDescription& description_;
    FeatureVector invariants_, equivariants_;
    std::vector<std::size_t> segments_;        ///< features of one component, per equivariant
    std::vector<AlignedVector<double>> mean_;  ///< per species (n_points, n_features)
    std::vector<std::size_t> n_points_;
};

}  // namespace mlcalc
