// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/aligned.hpp"
#include "base/center_block.hpp"
#include "model/description.hpp"
#include "readouts/product.hpp"

namespace mlcalc {

/// The features of the centers of one species in a block, and what a readout keeps of them from `compute` to
/// `backward`.
struct SpeciesFeatures {
    std::vector<int> centers;              ///< indices in the block
    AlignedVector<double> features, rows;  ///< (n, n_features); products with the sparse points (n, n_points)
    std::vector<double> norms;             ///< (n)
};

/// Energy of atoms from their invariants, and its adjoint. The derivatives of several energies, those of the members of
/// a committee, are several `backward` after one `compute`.
class Readout {
public:
    static constexpr int mean = -1;
    /// One per thread and readout; grows to the largest block and is then reused.
    struct Scratch {
        std::vector<SpeciesFeatures> species;
        AlignedVector<double> features_adj, rows, rows_adj, members, scratch;
        AlignedVector<float> features_single, features_adj_single, rows_single;
        std::vector<const double*> c;
        std::vector<double*> c_adj;
    };
    virtual ~Readout() = default;

    /// energies[i] += E_i of the mean weights. `members` (n, n_members), if not null, gets all weight sets added.
    virtual void compute(const CenterBlock& block, double* energies, double* members, Scratch& scratch) const = 0;
    /// c_adj += dE/dc for one member of the committee or the mean; E is the sum of the energies, times y_adj[i] if it
    /// is not null. Must follow `compute` for the same block with gradients. energies[i * stride], if not null, get the
    /// E_i added.
    virtual void backward(const CenterBlock& block, int member, const double* y_adj, double* energies, int stride,
                          Scratch& scratch) const = 0;
    /// Both for the mean; with `keep` more `backward` may follow.
    virtual void compute_and_backward(const CenterBlock& block, double* energies, double* members, bool /*keep*/,
                                      Scratch& scratch) const {
        compute(block, energies, members, scratch);
        backward(block, mean, nullptr, nullptr, 0, scratch);
    }
    /// Before `backward` of members, from one thread.
    virtual void prepare_members() {}
    /// Centers of a block that suit the caches.
    virtual int block_size() const { return 16; }

    /// The measure of a center before a readout has said anything of it.
    static constexpr double nothing_known = -1.0;
    /// Can this readout say how far an environment is from what it was trained on?
    virtual bool has_extrapolation() const = 0;
    /// measure[i] = max(measure[i], extrapolation of center i) for the species that were trained on. Linear: the
    /// leverage |L p|^2 with the stored L. Kernel: the predictive variance of the Gaussian process relative to its
    /// prior, 1 - k(x,M) k(M,M)^-1 k(M,x) / k(x,x), 0 at a sparse point and 1 far from all, divided by the stored edge.
    virtual void extrapolation(const CenterBlock& block, double* measure, Scratch& scratch) const = 0;
    /// One line for the log.
    virtual std::string summary() const = 0;

    const FeatureVector& features() const { return features_; }

protected:
    explicit Readout(FeatureVector features) : features_(std::move(features)) {}
    /// Features of the centers of one species, in scratch.species.
    SpeciesFeatures& gather(const CenterBlock& block, int species, Scratch& scratch) const;
    FeatureVector features_;
};

/// Makes the readout of a term with a regressor; null for one without. `shapes` of all coefficient sets. The term must
/// outlive it. Throws std::invalid_argument.
std::unique_ptr<Readout> make_readout(const Term& term, const std::vector<CoefficientShape>& shapes, int n_species,
                                      int n_members);

}  // namespace mlcalc
