// SPDX-License-Identifier: BSD-3-Clause
#include "readouts/readout.hpp"

#include "base/blas.hpp"
#include "readouts/kernel.hpp"
#include "readouts/linear.hpp"

namespace mlcalc {
namespace {

/// A kernel with zeta 1 that is not normalised is linear in p: w[Z] = sum_M w_M p_M. Only the extrapolation measure
/// still needs the sparse points.
class CollapsedKernel : public Regressor {
public:
    CollapsedKernel(const KernelDescription& description, const FeatureVector& features, int n_species, int n_members)
        : Regressor(features),
          linear_(collapse(description, features.size(), n_species, n_members), features, n_species, n_members),
          kernel_(description, features, n_species, n_members) {}

    void compute(const CenterBlock& block, int member, double* energies, double* member_energies,
                 RegressorWorkspace& workspace) const override {
        linear_.compute(block, member, energies, member_energies, workspace);
    }
    bool has_extrapolation() const override { return true; }
    void extrapolation(const CenterBlock& block, double* measure, RegressorWorkspace& workspace) const override {
        kernel_.extrapolation(block, measure, workspace);
    }
    std::string summary() const override { return kernel_.summary() + ", evaluated as a linear model"; }

private:
    static LinearDescription collapse(const KernelDescription& description, std::size_t n_features, int n_species,
                                      int n_members) {
        LinearDescription linear;
        linear.weights.assign(static_cast<std::size_t>(n_members) * static_cast<std::size_t>(n_species) * n_features,
                              0.0);
        for (std::size_t s = 0; s < static_cast<std::size_t>(n_species); ++s) {
            const std::vector<double>& points = description.points.at(s);
            const std::size_t n_points = points.size() / n_features;
            if (n_points == 0) continue;
            blas::gemm(blas::Op::none, blas::Op::none, static_cast<std::size_t>(n_members), n_features, n_points, 1.0,
                       description.weights.at(s).data(), n_points, points.data(), n_features, 0.0,
                       &linear.weights[s * n_features], static_cast<std::size_t>(n_species) * n_features);
        }
        return linear;
    }
    LinearRegressor linear_;
    KernelRegressor kernel_;
};

}  // namespace

std::size_t Regressor::gather(const CenterBlock& block, int species, RegressorWorkspace& work) const {
    work.centers.clear();
    for (int i = 0; i < block.n; ++i) {
        if (block.species[i] == species) work.centers.push_back(i);
    }
    const std::size_t n = work.centers.size();
    work.features.resize(n * features_.size());
    work.scratch.resize(features_.scratch_size());
    for (std::size_t i = 0; i < n; ++i) {
        block.center(work.centers[i], work.c, work.c_adj);
        features_.compute(work.c.data(), &work.features[i * features_.size()], work.scratch.data());
    }
    return n;
}

std::unique_ptr<Regressor> make_regressor(const Term& term, const std::vector<CoefficientShape>& shapes, int n_species,
                                          int n_members) {
    FeatureVector features(term.invariants, shapes);
    if (const auto* linear = std::get_if<LinearDescription>(&term.regressor)) {
        return std::make_unique<LinearRegressor>(*linear, std::move(features), n_species, n_members);
    }
    if (const auto* kernel = std::get_if<KernelDescription>(&term.regressor)) {
        if (kernel->zeta == 1 && !kernel->normalize) {
            return std::make_unique<CollapsedKernel>(*kernel, features, n_species, n_members);
        }
        return std::make_unique<KernelRegressor>(*kernel, std::move(features), n_species, n_members);
    }
    return nullptr;
}

}  // namespace mlcalc
