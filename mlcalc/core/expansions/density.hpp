// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <vector>

#include "base/aligned.hpp"
#include "base/channels.hpp"
#include "base/harmonics.hpp"
#include "expansions/expansion.hpp"
#include "model/description.hpp"
#include "simd/density_kernels.hpp"

namespace mlcalc {

/// c^a_i,nlm = sum_{j in a, r_ij < r_c} f_c(r_ij) u(r_ij) Y_lm(r_ij) I_nl(r_ij)
/// [Bartok, Kondor, Csanyi, PRB 87, 184115 (2013)].
class DensityExpansion : public Expansion {
public:
    /// Throws std::invalid_argument if the numbers do not fit together. The description must outlive the expansion.
    explicit DensityExpansion(const DensityDescription& description);
    CoefficientShape shape() const override { return shape_; }
    double cutoff() const override { return description_.cutoff; }
    std::unique_ptr<Scratch> scratch() const override { return make_scratch(); }
    /// That of any density.
    static std::unique_ptr<Scratch> make_scratch() { return std::make_unique<Work>(); }
    void compute(const System&, const PairGeometry&, Block, double* c, Scratch&, bool keep) override;
    void backward(const System&, const PairGeometry&, Block, int pass, const double* c_adj, Scratch&,
                  const Gradient&) override;
    void tangents(const System&, const PairGeometry&, int i, Scratch&, TangentSink&) override;
    std::string summary() const override;

private:
    struct Work : Scratch {
        AlignedVector<double> radial, slope, legendre;    ///< of all chunks, for the adjoint
        AlignedVector<double> values, slopes, harmonics;  ///< of one group
        AlignedVector<double> sums, forces;               ///< of one group
        AlignedVector<double> change;
        std::vector<double> derivative;  ///< of one pair, [axis][lm][n]
    };
    DensityPlan plan() const;
    void reserve(const PairGeometry&, Work&, bool keep) const;
    DensityGroup view(const PairGeometry&, const PairGeometry::Group&, Work&, bool keep) const;
    void pair_derivative(const PairGeometry&, const PairGeometry::Group&, std::size_t k, Work&) const;

    const DensityDescription& description_;
    CoefficientShape shape_;
    Channels channels_, center_channels_;  ///< of neighbors, of the center atom
    bool mixed_;                           ///< otherwise the channel of a neighbor is its species
    Harmonics harmonics_;
    AlignedVector<double> table_;     ///< rows of the radial table, padded
    std::vector<double> recurrence_;  ///< of the harmonics, see DensityPlan
    std::vector<double> center_;      ///< (n_max) what the center atom adds to l = 0 of its own species
    const DensityKernels* kernels_;
};

}  // namespace mlcalc
