// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/aligned.hpp"
#include "model/description.hpp"
#include "readouts/product.hpp"

namespace mlcalc {

/// A block of centres as a regressor sees it. Coefficients of expansion e around centre i are c[e] + i * size[e].
struct CenterBlock {
    int n = 0;
    const int* species = nullptr;   ///< (n) species of the centres; -1 is skipped
    std::vector<const double*> c;   ///< per expansion
    std::vector<double*> c_adj;     ///< dE/dc, added to
    std::vector<std::size_t> size;  ///< doubles per centre
    bool gradient = false;          ///< is dE/dc wanted

    void center(int i, std::vector<const double*>& ci, std::vector<double*>& ci_adj) const {
        ci.resize(c.size());
        ci_adj.resize(c.size());
        for (std::size_t e = 0; e < c.size(); ++e) {
            ci[e] = c[e] == nullptr ? nullptr : c[e] + static_cast<std::size_t>(i) * size[e];
            ci_adj[e] = !gradient || c_adj[e] == nullptr ? nullptr : c_adj[e] + static_cast<std::size_t>(i) * size[e];
        }
    }
};

/// Scratch of a regressor, one per thread; grows to the largest block and is then reused.
struct RegressorWorkspace {
    AlignedVector<double> features, features_adj, rows, rows_adj, members, scratch;
    AlignedVector<float> features_single, features_adj_single, rows_single;
    std::vector<double> norms;
    std::vector<int> centers;
    std::vector<const double*> c;
    std::vector<double*> c_adj;
};

/// Energy of atoms from their invariants, and its adjoint.
class Regressor {
public:
    static constexpr int mean = -1;
    virtual ~Regressor() = default;

    /// energies[i] += E_i and, if the block wants gradients, c_adj += dE/dc, for one weight set of the committee or
    /// their mean. `member_energies` (n, n_members), if not null, gets all weight sets added.
    virtual void compute(const CenterBlock& block, int member, double* energies, double* member_energies,
                         RegressorWorkspace& workspace) const = 0;
    /// Can this regressor say how far an environment is from what it was trained on?
    virtual bool has_extrapolation() const = 0;
    /// measure[i] = max(measure[i], extrapolation of centre i). Linear: the leverage |L p|^2 with the stored L. Kernel:
    /// the predictive variance of the Gaussian process relative to its prior, 1 - k(x,M) k(M,M)^-1 k(M,x) / k(x,x),
    /// 0 at a sparse point and 1 far from all.
    virtual void extrapolation(const CenterBlock& block, double* measure, RegressorWorkspace& workspace) const = 0;
    /// One line for the log.
    virtual std::string summary() const = 0;

    const FeatureVector& features() const { return features_; }

protected:
    explicit Regressor(FeatureVector features) : features_(std::move(features)) {}
    /// Features of the centres of one species: work.centers and work.features (n, n_features). Returns n.
    std::size_t gather(const CenterBlock& block, int species, RegressorWorkspace& work) const;
    FeatureVector features_;
};

/// Makes the regressor of a term. `shapes` of all expansions. Throws std::invalid_argument.
std::unique_ptr<Regressor> make_regressor(const Term& term, const std::vector<CoefficientShape>& shapes, int n_species,
                                          int n_members);

}  // namespace mlcalc
