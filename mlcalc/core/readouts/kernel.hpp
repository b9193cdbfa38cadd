// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "readouts/readout.hpp"

namespace mlcalc {

/// E_i = sum_M w_M (p_hat_i . p_hat_M)^zeta with the sparse points M of the center's species, p_hat = p / sqrt(|p|^2 +
/// epsilon^2) or p itself [Bartok, Csanyi, IJQC 115, 1051 (2015)]. Atoms of one species go through matrix products
/// together. With `single_precision` the two products are done in floats.
class KernelReadout : public Readout {
public:
    /// The description must outlive the readout, which does not copy its points.
    KernelReadout(const KernelDescription& description, FeatureVector features, int n_species, int n_members);

    void compute(const CenterBlock& block, double* energies, double* members, Scratch& scratch) const override;
    void backward(const CenterBlock& block, int member, const double* y_adj, double* energies, int stride,
                  Scratch& scratch) const override;
    void compute_and_backward(const CenterBlock& block, double* energies, double* members, bool keep,
                              Scratch& scratch) const override;
    int block_size() const override { return 64; }  // matrix products like more atoms at a time than the caches
    bool has_extrapolation() const override { return true; }
    void extrapolation(const CenterBlock& block, double* measure, Scratch& scratch) const override;
    std::string summary() const override;

    int zeta() const { return description_.zeta; }
    std::size_t n_points(int species) const { return complete(species).n; }
    /// (n_points, n_features), normalized if the kernel is
    const double* points(int species) const { return complete(species).points; }
    bool normalizes() const { return description_.normalize; }
    /// p becomes p_hat if the kernel is normalized; returns sqrt(|p|^2 + epsilon^2), or 1.
    double normalize(double* p) const;
    /// sum_M w_M p_hat_M of each member: to[member * stride + f].
    void collapse(int species, double* to, std::size_t stride) const;

private:
    /// Points of one center species as they enter the products, and their weights.
    struct SparseSet {
        std::size_t n = 0;
        const double* points = nullptr;    ///< (n, n_features)
        std::vector<float> single;         ///< the same in single precision
        const double* members = nullptr;   ///< (n_members, n)
        std::vector<double> mean;          ///< (n)
        AlignedVector<double> own_points;  ///< zeta 1: the energy is linear in p_hat, one point per member is enough
        std::vector<double> own_members;
    };
    /// Lower triangle of k(M, M), made when first asked for.
    struct Cholesky {
        std::once_flag once;
        std::vector<double> triangle;
    };
    const SparseSet& complete(int species) const { return sets_[static_cast<std::size_t>(species)]; }
    const SparseSet& evaluated(std::size_t species) const {
        return collapsed_.empty() ? sets_[species] : collapsed_[species];
    }
    void finish(SparseSet& set) const;
    SparseSet collapsed(int species) const;
    SpeciesFeatures& gather_normalized(const CenterBlock& block, int species, Scratch& scratch) const;
    /// rows (n_rows, n) <- p_hat . p_hat_M of n points from `first` on.
    void overlaps(const SparseSet& set, std::size_t first, std::size_t n, const SpeciesFeatures& p, double* rows,
                  std::size_t stride, Scratch& scratch) const;
    /// features_adj (+)= rows p_hat_M of n points from `first` on.
    void add_adjoint(const SparseSet& set, std::size_t first, std::size_t n, std::size_t n_rows, const double* rows,
                     std::size_t stride, Scratch& scratch) const;
    void add_members(const SparseSet& set, std::size_t first, std::size_t n, const SpeciesFeatures& p, double* members,
                     Scratch& scratch) const;
    void start_adjoint(std::size_t n_rows, const SpeciesFeatures& p, bool gradient, Scratch& scratch) const;
    void scatter(const CenterBlock& block, const SpeciesFeatures& p, Scratch& scratch) const;
    void sweep(const CenterBlock& block, double* energies, double* members, bool gradient, bool keep,
               Scratch& scratch) const;
    const std::vector<double>& cholesky(std::size_t species) const;

    const KernelDescription& description_;
    int n_members_;
    std::vector<SparseSet> sets_, collapsed_;
    std::unique_ptr<Cholesky[]> cholesky_;
};

}  // namespace mlcalc
