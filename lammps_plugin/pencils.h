// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "brick_exchange.h"
#include "domains.h"
#include "far_field/mesh/line_transform.hpp"

namespace mlcalc_lammps {

/// The Fourier transform of a mesh that is divided over the ranks: lines are transformed along one axis after the
/// other, each time from bricks that are complete along it. Where the domains are not cut along an axis, that is the
/// first and needs no exchange; two ranks need one, others two or three.
class Pencils {
public:
    /// For this rank's brick of the mesh. Collective.
    Pencils(const Domains&, MPI_Comm, std::array<int, 3> shape, const mlcalc::Brick& owned, int n_threads);
    /// The reciprocal points that this rank gets, z fastest.
    const mlcalc::Brick& spectral() const { return bricks_[2]; }
    /// Of n meshes, between the owned points in arrays of the caller and packed spectra, which `inverse` uses up.
    /// Collective.
    void forward(int n, const BrickView* owned, double* const* spectra);
    void inverse(int n, double* const* spectra, const BrickView* owned);

private:
    /// Stages first <= stage < last have no exchange between them.
    struct Group {
        std::size_t first, last;
        bool planar;  ///< its lines lie in planes of an x
    };
    std::size_t n_planes(const Group& group) const {
        return static_cast<std::size_t>(bricks_[group.first].hi[0] - bricks_[group.first].lo[0]);
    }
    void transform(bool forward, std::size_t stage, const BrickView& from, const BrickView& to);
    void transform_plane(bool forward, std::size_t stage, int x, const BrickView& from, const BrickView& to,
                         mlcalc::AlignedVector<double>& work) const;
    void give_planes(const Group&, const std::vector<BrickView>& here, const std::vector<BrickView>& there);
    void take_planes(const Group&, const std::vector<BrickView>& here, const std::vector<BrickView>& there);
    BrickView scratch(const Group&, int x, std::size_t share);
    std::vector<double*> buffers(std::size_t group, int n);
    std::vector<BrickView> views(std::size_t stage, const std::vector<double*>& data) const;

    int n_threads_;
    std::array<std::size_t, 3> axes_;                            ///< in the order of the transforms
    std::array<mlcalc::Brick, 3> bricks_;                        ///< complete along these axes
    std::vector<std::unique_ptr<BrickExchange>> exchanges_;      ///< to each of them
    std::vector<std::unique_ptr<mlcalc::LineTransform>> lines_;  ///< along x, y, z
    std::array<mlcalc::AlignedVector<double>, 2> buffers_;
    std::vector<Group> groups_;
    std::vector<mlcalc::AlignedVector<double>> work_, planes_;  ///< per thread
};

}  // namespace mlcalc_lammps
