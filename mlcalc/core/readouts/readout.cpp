// SPDX-License-Identifier: BSD-3-Clause
#include "readouts/readout.hpp"

#include "readouts/kernel.hpp"
#include "readouts/linear.hpp"

namespace mlcalc {
namespace {

/// A kernel with zeta 1 that is not normalized is linear in p: w[Z] = sum_M w_M p_M. Only the extrapolation measure
/// still needs the sparse points.
class CollapsedKernel : public Readout {
public:
    CollapsedKernel(const KernelDescription& description, const FeatureVector& features, int n_species, int n_members)
        : Readout(features), kernel_(description, features, n_species, n_members) {
        weights_.weights.resize(static_cast<std::size_t>(n_members) * static_cast<std::size_t>(n_species) *
                                features.size());
        for (int s = 0; s < n_species; ++s) {
            kernel_.collapse(s, &weights_.weights[static_cast<std::size_t>(s) * features.size()],
                             static_cast<std::size_t>(n_species) * features.size());
        }
        linear_ = std::make_unique<LinearReadout>(weights_, features, n_species, n_members);
    }

    void compute(const CenterBlock& block, double* energies, double* members, Scratch& scratch) const override {
        linear_->compute(block, energies, members, scratch);
    }
    void backward(const CenterBlock& block, int member, const double* y_adj, double* energies, int stride,
                  Scratch& scratch) const override {
        linear_->backward(block, member, y_adj, energies, stride, scratch);
    }
    void compute_and_backward(const CenterBlock& block, double* energies, double* members, bool keep,
                              Scratch& scratch) const override {
        linear_->compute_and_backward(block, energies, members, keep, scratch);
    }
    void prepare_members() override { linear_->prepare_members(); }
    bool has_extrapolation() const override { return true; }
    void extrapolation(const CenterBlock& block, double* measure, Scratch& scratch) const override {
        kernel_.extrapolation(block, measure, scratch);
    }
    std::string summary() const override { return kernel_.summary() + ", evaluated as a linear model"; }

private:
    KernelReadout kernel_;
    LinearDescription weights_;
    std::unique_ptr<LinearReadout> linear_;
};

}  // namespace

SpeciesFeatures& Readout::gather(const CenterBlock& block, int species, Scratch& scratch) const {
    const auto s = static_cast<std::size_t>(species);
    if (scratch.species.size() <= s) scratch.species.resize(s + 1);
    SpeciesFeatures& out = scratch.species[s];
    out.centers.clear();
    for (int i = 0; i < block.n; ++i) {
        if (block.species[i] == species) out.centers.push_back(i);
    }
    const std::size_t n = out.centers.size();
    out.features.resize(n * features_.size());
    scratch.scratch.resize(features_.scratch_size());
    for (std::size_t i = 0; i < n; ++i) {
        block.center(out.centers[i], scratch.c, scratch.c_adj);
        features_.compute(scratch.c.data(), &out.features[i * features_.size()], scratch.scratch.data());
    }
    return out;
}

std::unique_ptr<Readout> make_readout(const Term& term, const std::vector<CoefficientShape>& shapes, int n_species,
                                      int n_members) {
    FeatureVector features(term.invariants, shapes);
    if (const auto* linear = std::get_if<LinearDescription>(&term.regressor)) {
        return std::make_unique<LinearReadout>(*linear, std::move(features), n_species, n_members);
    }
    if (const auto* kernel = std::get_if<KernelDescription>(&term.regressor)) {
        if (kernel->zeta == 1 && !kernel->normalize) {
            return std::make_unique<CollapsedKernel>(*kernel, features, n_species, n_members);
        }
        return std::make_unique<KernelReadout>(*kernel, std::move(features), n_species, n_members);
    }
    return nullptr;
}

}  // namespace mlcalc
