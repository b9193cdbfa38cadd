// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <mpi.h>

#include <array>
#include <vector>

#include "base/aligned.hpp"
#include "far_field/mesh/mesh_backend.hpp"

namespace mlcalc_lammps {

/// Complex points of a brick in a larger array: z fastest, strides in doubles, `data` at the lower corner `lo`.
struct BrickView {
    double* data;
    long stride_x, stride_y;
    std::array<int, 3> lo;

    /// An array of its own.
    static BrickView packed(double* data, const mlcalc::Brick& brick) {
        const long stride_y = 2L * (brick.hi[2] - brick.lo[2]);
        return {data, stride_y * (brick.hi[1] - brick.lo[1]), stride_y, brick.lo};
    }
    double* row(int x, int y, int z) const {
        return data + (x - lo[0]) * stride_x + (y - lo[1]) * stride_y + 2L * (z - lo[2]);
    }
};

/// Periodic images of points: which axes are periodic in an exchange, and which ranks take part in it.
struct Images {
    std::array<int, 3> shape;   ///< of the mesh
    std::array<bool, 3> axes;   ///< along which bricks reach into images
    std::array<int, 3> column;  ///< ranks exchange with those that have the same numbers here
};

/// Moves the points of meshes from one division over the ranks to another. What stays on a rank is copied, the rest
/// goes in one message per pair of ranks, all meshes in the same. A message that is one block of the memory of a mesh
/// is sent and received where it is: for large meshes copies cost as much as what MPI does.
class BrickExchange {
public:
    /// The bricks of this rank before and after. Collective.
    BrickExchange(MPI_Comm world, const mlcalc::Brick& from, const mlcalc::Brick& to);
    /// Of the points of `to` that are not in `from`, which holds them already: images of points of any rank.
    BrickExchange(MPI_Comm world, const mlcalc::Brick& from, const mlcalc::Brick& to, const Images&);
    /// Does every rank keep its brick?
    bool identity() const { return identity_; }
    /// The points of n meshes. Collective.
    void run(int n, const BrickView* from, const BrickView* to) { move<false, false>(n, from, to); }
    void run_back(int n, const BrickView* to, const BrickView* from) { move<true, false>(n, to, from); }
    /// The same, but what arrives is added.
    void add_back(int n, const BrickView* to, const BrickView* from) { move<true, true>(n, to, from); }

    /// The same as `run` for whoever makes `from` plane by plane: between `begin` and `finish`, every plane of an x of
    /// every mesh, in any order, from any thread. `finish` is collective.
    void begin(int n, const BrickView* to) { open<false>(n, to); }
    void give(int mesh, int x, const BrickView& plane, const BrickView& to);
    void finish(const BrickView* to);
    /// The same as `run_back` for whoever takes `from` plane by plane, after `begin_back`, which is collective.
    void begin_back(int n, const BrickView* to);
    void take(int mesh, int x, const BrickView& to, const BrickView& plane);

private:
    /// What this rank shares with another one, or with itself; offsets in doubles of one mesh.
    struct Part {
        int rank;
        mlcalc::Brick brick;
        std::size_t offset;  ///< in the message
    };
    /// Parts first <= part < last are those of one rank; sizes in doubles of one mesh.
    struct Message {
        int rank;
        std::size_t first, last, offset, size;
    };
    struct Side {
        std::vector<Part> parts;  ///< in the order of ranks, and for each pair of them the same on both sides
        std::vector<Message> messages;
        std::vector<mlcalc::Brick> kept;
        std::size_t size = 0;
    };
    void find_parts(const mlcalc::Brick& from, const mlcalc::Brick& to, const Images*);
    static void find_messages(Side&);
    /// Where the parts are from or to: what is sent, and what is received.
    template <bool back>
    const Side& giver() const {
        return back ? after_ : before_;
    }
    template <bool back>
    const Side& taker() const {
        return back ? before_ : after_;
    }
    std::size_t place(const Message& m, int mesh, const Part& part) const {
        return static_cast<std::size_t>(n_) * m.offset + static_cast<std::size_t>(mesh) * m.size + part.offset;
    }
    /// The block of a mesh that a message is, if it is one.
    double* block(const Side&, const Message&, const BrickView* views) const;
    template <bool back>
    void open(int n, const BrickView* targets);
    template <bool back>
    void send(const BrickView* sources);
    template <bool back, bool add>
    void receive(const BrickView* targets);
    template <bool back>
    void pack(const BrickView* sources);
    template <bool back, bool add>
    void move(int n, const BrickView* sources, const BrickView* targets);

    MPI_Comm world_;
    int me_ = 0, n_ = 0;
    bool identity_ = false;
    Side before_, after_;
    mlcalc::AlignedVector<double> sent_, received_;
    std::vector<MPI_Request> requests_;
};

}  // namespace mlcalc_lammps
