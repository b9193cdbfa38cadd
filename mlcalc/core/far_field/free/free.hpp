// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <vector>

#include "base/aligned.hpp"
#include "base/channels.hpp"
#include "base/harmonics.hpp"
#include "far_field/far_field.hpp"
#include "simd/free_kernels.hpp"

namespace mlcalc {

/// V of a finite system: V^a_i,nlm = sum_(j in a) F_nl(r_ij) Y_lm(r_ij), F_nl the projection of the smeared potential
/// of an atom at distance r: a table near the atom, the multipole series beyond. Right at any distance, O(N^2). Ranks
/// share positions and gradients as sums.
class FreeSum : public FieldEvaluator, public FieldJacobian {
public:
    FreeSum(const FieldDescription&, int n_threads, Communicator&);
    void compute(const Atoms&, double* v) override;
    void backward(const Atoms&, const double* v_adj, Vec3* gradient, Mat3& strain, Mat3* atom_strain) override;
    void jacobian(const Atoms&, double* jacobian, double* strain) override;
    std::string summary() const override;
    Memory memory() const override;

private:
    /// The sources of one species: in chunks of `lanes`.
    struct Group {
        std::size_t chunk;
        int n_chunks;
    };
    /// Buffers of one thread.
    struct Work {
        AlignedVector<double> rows, radial, slope, harmonics, sums;  ///< of the kernels
        std::vector<double> field;       ///< [lm][n] of one species at one atom, or dE/d(field)
        AlignedVector<double> gradient;  ///< [chunk][axis][lane]
        Mat3 strain{};
        std::vector<double> slopes;  ///< [axis][lm][n] of one pair
        std::vector<double> own;     ///< [axis, then strain][lm][n] sums over one species
        FreeScratch scratch() { return {rows.data(), radial.data(), slope.data(), harmonics.data(), sums.data()}; }
    };
    FreePlan plan() const;
    FreeSources sources(const Group& group) const {
        return {group.n_chunks, sources_.data() + group.chunk * 4 * lanes_};
    }
    /// Where the first of n components of a source is in [chunk][component][lane].
    std::size_t component(std::size_t slot, std::size_t n) const { return slot / lanes_ * n * lanes_ + slot % lanes_; }
    void gather(const Atoms&);
    void sort_sources(const std::vector<double>& all, std::size_t first_local, std::size_t n_local);
    void field_at(const Vec3& center, double* v_i, Work&) const;
    void mix(int species, double factor, const double* field, double* v_i) const {
        channels_.add(species, factor, shape_, field, static_cast<int>(n_max_), v_i);
    }
    void backward_at(const Vec3& center, std::size_t slot, const double* v_adj_i, Work&, Mat3& strain) const;
    void jacobian_at(const Atoms&, std::size_t i, double* jacobian, double* strain, Work&) const;
    void jacobian_of_chunk(const Vec3& center, std::size_t i, int species, std::size_t chunk, double* jacobian,
                           Work&) const;
    Work& work(std::size_t thread);

    FieldDescription description_;
    Channels channels_;
    CoefficientShape shape_;
    Harmonics harmonics_;
    int n_threads_;
    Communicator* communicator_;
    const FreeKernels* kernels_;
    std::size_t lanes_, n_lm_, n_max_, row_;
    AlignedVector<double> table_;     ///< rows of the radial table, padded
    std::vector<double> recurrence_;  ///< of the harmonics
    std::vector<Group> groups_;       ///< of each species
    AlignedVector<double> sources_;   ///< [chunk][x, y, z, weight][lane]
    std::vector<std::size_t> slot_;   ///< where this rank's atoms are among the sources
    std::vector<int> atom_;           ///< this rank's atom in each slot; -1: of another rank, or fills a chunk up
    std::vector<Work> work_;          ///< one per thread
};

}  // namespace mlcalc
