// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/aligned.hpp"
#include "base/coefficients.hpp"
#include "base/harmonics.hpp"
#include "base/spline.hpp"
#include "base/types.hpp"
#include "simd/density_kernels.hpp"

namespace mlcalc {

/// What defines a neighbour-density expansion. `radial` holds u(r) I_nl(r) on [0, cutoff], function index l * n_max +
/// n. The cutoff function f_c is not in the table: its second derivative jumps at cutoff - width, where a spline on a
/// uniform grid would lose its accuracy, so the core multiplies it in.
struct DensityDescription {
    std::string name;
    double cutoff = 0.0;
    double smoothing_width = 0.0;  ///< of the shifted cosine, 0 < width <= cutoff; 0: a step
    int n_max = 0;
    int l_max = 0;
    double center_atom_weight = 1.0;
    int n_species = 0;
    SplineTable radial;
    std::vector<double> mixing;  ///< (n_channels, n_species) row-major, or empty: one channel per species
};

/// c^a_i,nlm = sum_{j in a, r_ij < r_c} f_c(r_ij) u(r_ij) Y_lm(r_ij) I_nl(r_ij)
/// [Bartok, Kondor, Csanyi, PRB 87, 184115 (2013)].
class DensityExpansion {
public:
    explicit DensityExpansion(DensityDescription description);
    const DensityDescription& description() const { return description_; }
    CoefficientShape shape() const { return shape_; }

    /// Radial functions and harmonics of a block of centres, kept for the adjoint sweep. Owned by the caller (one per
    /// thread and expansion), grows to the largest block seen and is then reused: no allocation per step.
    struct Workspace {
        struct Group {
            int center, species;  ///< the neighbours of one species of one centre ..
            int chunk, n_chunks;  ///< .. in these chunks of `lanes` pairs
        };
        std::vector<Group> groups;
        std::vector<int> pairs;                           ///< index into the neighbour list, -1 fills a chunk up
        std::vector<int> accepted, order;                 ///< pairs of one centre within the cutoff
        AlignedVector<double> geometry;                   ///< see DensityGroup
        AlignedVector<double> radial, slope, legendre;    ///< of all chunks, for the adjoint
        AlignedVector<double> values, slopes, harmonics;  ///< of one group
        AlignedVector<double> sums, forces;               ///< of one group
    };

    /// c[(i - begin) * shape().size() + ..] for the centres begin <= i < end. Pairs beyond the cutoff are skipped, as
    /// are neighbours of species -1. Without `gradients` nothing is kept for `backward`, which is faster. Throws
    /// std::invalid_argument for coincident atoms and non-finite distances.
    void compute(const Atoms&, const NeighborList&, int begin, int end, double* c, Workspace&,
                 bool gradients = true) const;

    /// c_adj = dE/dc of the same block: adds dE/dr to `gradient` (n_all), dE/d eps to `strain` and, if
    /// not null, the strain derivative of each centre's energy to atom_strain[i]. Must follow `compute` with the same
    /// workspace.
    void backward(const Atoms&, const NeighborList&, int begin, int end, const double* c_adj, Workspace&,
                  Vec3* gradient, Mat3& strain, Mat3* atom_strain) const;

    /// For training: the derivative with respect to r_ij of what pair workspace.pairs[k] >= 0 of the block that
    /// `compute` went through last adds to the coefficients, derivative[(axis * n_lm + lm) * n_max + n]; channel J gets
    /// mixing(J, species) times that.
    void pair_derivative(const Workspace&, std::size_t k, std::vector<double>& derivative) const;
    double mixing(int channel, int species) const {
        if (description_.mixing.empty()) return channel == species ? 1.0 : 0.0;
        return description_.mixing[static_cast<std::size_t>(channel * description_.n_species + species)];
    }

private:
    void collect(const Atoms&, const NeighborList&, int begin, int end, Workspace&) const;
    void add_group(const NeighborList&, int center, int species, const std::vector<int>& pairs, Workspace&) const;
    void reserve(Workspace&, bool gradients) const;
    DensityGroup view(const Workspace::Group&, Workspace&, bool gradients) const;
    void add_center(int species, double* c) const;
    void add_channels(int species, const double* sums, double* c) const;
    void mix_adjoint(int species, const double* c_adj, double* sums_adj) const;

    DensityDescription description_;
    CoefficientShape shape_;
    Harmonics harmonics_;
    AlignedVector<double> table_;     ///< rows of the radial table, padded
    std::vector<double> recurrence_;  ///< of the harmonics, see DensityPlan
    std::vector<double> center_;      ///< (n_max) what the centre atom adds to l = 0 of its own species
    const DensityKernels* kernels_;
    DensityPlan plan() const;
};

}  // namespace mlcalc
