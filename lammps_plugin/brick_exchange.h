// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <mpi.h>

#include <vector>

#include "base/aligned.hpp"
#include "far_field/mesh/mesh_backend.hpp"

namespace mlcalc_lammps {

/// Complex points of a brick in a larger array: z fastest, strides in doubles, `data` at the lower corner.
struct BrickView {
    double* data;
    long stride_x, stride_y;

    /// An array of its own.
    static BrickView packed(double* data, const mlcalc::Brick& brick) {
        const long stride_y = 2L * (brick.hi[2] - brick.lo[2]);
        return {data, stride_y * (brick.hi[1] - brick.lo[1]), stride_y};
    }
};

/// Moves a mesh from one division over the ranks to another. What stays on a rank is copied, the rest goes in one
/// message per pair of ranks.
class BrickExchange {
public:
    /// The bricks of this rank before and after. Collective.
    BrickExchange(MPI_Comm world, const mlcalc::Brick& from, const mlcalc::Brick& to);
    /// Does every rank keep its brick?
    bool identity() const { return identity_; }
    /// Collective.
    void run(const BrickView& from, const BrickView& to) { move(from_, from, sends_, to_, to, receives_); }
    void run_back(const BrickView& to, const BrickView& from) { move(to_, to, receives_, from_, from, sends_); }
    std::size_t bytes() const { return 8 * (sent_.capacity() + received_.capacity()); }

private:
    /// What this rank shares with another one, and where it is in a buffer.
    struct Part {
        int rank;
        mlcalc::Brick brick;
        std::size_t offset;
    };
    std::vector<Part> overlaps(const mlcalc::Brick& mine, const std::vector<mlcalc::Brick>& theirs) const;
    void move(const mlcalc::Brick& from, const BrickView& source, const std::vector<Part>& sends,
              const mlcalc::Brick& to, const BrickView& target, const std::vector<Part>& receives);

    MPI_Comm world_;
    int me_ = 0;
    bool identity_ = false;
    mlcalc::Brick from_, to_;
    std::vector<Part> sends_, receives_;
    mlcalc::AlignedVector<double> sent_, received_;
    std::vector<MPI_Request> requests_;
};

}  // namespace mlcalc_lammps
