// SPDX-License-Identifier: GPL-2.0-only
#include "brick_exchange.h"

#include <algorithm>

namespace mlcalc_lammps {

using mlcalc::Brick;

namespace {

constexpr int tag = 7119;

bool empty(const Brick& b) {
    return b.hi[0] <= b.lo[0] || b.hi[1] <= b.lo[1] || b.hi[2] <= b.lo[2];
}

Brick overlap(const Brick& a, const Brick& b) {
    Brick out;
    for (std::size_t axis = 0; axis < 3; axis++) {
        out.lo[axis] = std::max(a.lo[axis], b.lo[axis]);
        out.hi[axis] = std::min(a.hi[axis], b.hi[axis]);
    }
    return out;
}

Brick shifted(Brick brick, const std::array<int, 3>& by) {
    for (std::size_t axis = 0; axis < 3; axis++) {
        brick.lo[axis] += by[axis];
        brick.hi[axis] += by[axis];
    }
    return brick;
}

/// row(numbers of the part along z in a view, the same in a packed array, how many)
template <typename Row>
void for_rows(const BrickView& view, const Brick& part, double* packed, Row row) {
    const long length = 2L * (part.hi[2] - part.lo[2]);
    for (int x = part.lo[0]; x < part.hi[0]; x++)
        for (int y = part.lo[1]; y < part.hi[1]; y++, packed += length) row(view.row(x, y, part.lo[2]), packed, length);
}

template <bool add>
void put(double* to, const double* from, long n) {
    if constexpr (add) {
        for (long k = 0; k < n; k++) to[k] += from[k];
    } else {
        std::copy_n(from, n, to);
    }
}

template <bool add>
void put_part(const BrickView& target, const Brick& to, const BrickView& source, const Brick& from) {
    const long length = 2L * (from.hi[2] - from.lo[2]);
    for (int x = 0; x < from.hi[0] - from.lo[0]; x++)
        for (int y = 0; y < from.hi[1] - from.lo[1]; y++)
            put<add>(target.row(to.lo[0] + x, to.lo[1] + y, to.lo[2]),
                     source.row(from.lo[0] + x, from.lo[1] + y, from.lo[2]), length);
}

Brick of_plane(Brick brick, int x) {
    brick.lo[0] = x;
    brick.hi[0] = x + 1;
    return brick;
}

/// Of the planes of a packed brick before that of x.
std::size_t doubles_before(const Brick& brick, int x) {
    return 2 * static_cast<std::size_t>(x - brick.lo[0]) * of_plane(brick, x).size();
}

/// What a rank tells the others: where it is, and its bricks.
struct Place {
    std::array<int, 3> column{};
    Brick from, to;
};

std::vector<Place> of_all(MPI_Comm world, const Place& mine) {
    int n = 0;
    MPI_Comm_size(world, &n);
    constexpr std::size_t size = 15;
    static_assert(sizeof(Place) == size * sizeof(int), "a place is its integers");
    std::vector<Place> out(static_cast<std::size_t>(n));
    MPI_Allgather(&mine, size, MPI_INT, out.data(), size, MPI_INT, world);
    return out;
}

/// How many images of the mesh the bricks reach into along each axis.
std::array<int, 3> image_counts(const std::vector<Place>& places, const Images& images) {
    std::array<int, 3> out{};
    for (const Place& place : places) {
        for (std::size_t axis = 0; axis < 3; axis++) {
            if (!images.axes[axis]) continue;
            const int n = images.shape[axis], beyond = std::max(-place.to.lo[axis], place.to.hi[axis] - n);
            out[axis] = std::max(out[axis], (std::max(beyond, 0) + n - 1) / n);
        }
    }
    return out;
}

}  // namespace

BrickExchange::BrickExchange(MPI_Comm world, const Brick& from, const Brick& to) : world_(world) {
    find_parts(from, to, nullptr);
}

BrickExchange::BrickExchange(MPI_Comm world, const Brick& from, const Brick& to, const Images& images) : world_(world) {
    find_parts(from, to, &images);
}

void BrickExchange::find_parts(const Brick& from, const Brick& to, const Images* images) {
    MPI_Comm_rank(world_, &me_);
    const std::vector<Place> places =
        of_all(world_, {images != nullptr ? images->column : std::array<int, 3>{}, from, to});
    const std::array<int, 3> n = images != nullptr ? image_counts(places, *images) : std::array<int, 3>{};
    const std::array<int, 3> shape = images != nullptr ? images->shape : std::array<int, 3>{};
    const Place& mine = places[static_cast<std::size_t>(me_)];
    identity_ = images == nullptr;
    for (std::size_t r = 0; r < places.size(); r++) {
        const Place& other = places[r];
        const int rank = static_cast<int>(r);
        identity_ = identity_ && ((empty(other.from) && empty(other.to)) ||
                                  (other.from.lo == other.to.lo && other.from.hi == other.to.hi));
        if (other.column != mine.column) continue;
        for (int x = -n[0]; x <= n[0]; x++) {
            for (int y = -n[1]; y <= n[1]; y++) {
                for (int z = -n[2]; z <= n[2]; z++) {
                    const std::array<int, 3> there{x * shape[0], y * shape[1], z * shape[2]};
                    const std::array<int, 3> back{-there[0], -there[1], -there[2]};
                    const Brick sent = overlap(from, shifted(other.to, back));
                    const Brick received = overlap(to, shifted(other.from, there));
                    if (rank != me_) {
                        if (!empty(sent)) before_.parts.push_back({rank, sent, 0});
                        if (!empty(received)) after_.parts.push_back({rank, received, 0});
                    } else if (!empty(sent) && (images == nullptr || x != 0 || y != 0 || z != 0)) {
                        before_.kept.push_back(sent);
                        after_.kept.push_back(shifted(sent, there));
                    }
                }
            }
        }
    }
    find_messages(before_);
    find_messages(after_);
}

void BrickExchange::find_messages(Side& side) {
    for (std::size_t k = 0; k < side.parts.size(); k++) {
        Part& part = side.parts[k];
        if (side.messages.empty() || side.messages.back().rank != part.rank)
            side.messages.push_back({part.rank, k, k, side.size, 0});
        Message& message = side.messages.back();
        message.last = k + 1;
        part.offset = message.size;
        message.size += 2 * part.brick.size();
        side.size += 2 * part.brick.size();
    }
}

/// Views are nullptr where points are not in place: what is added, or made and taken plane by plane.
double* BrickExchange::block(const Side& side, const Message& message, const BrickView* views) const {
    if (views == nullptr || n_ != 1 || message.last - message.first != 1) return nullptr;
    const Brick& part = side.parts[message.first].brick;
    const long row = 2L * (part.hi[2] - part.lo[2]), n_y = part.hi[1] - part.lo[1];
    const bool whole_planes = n_y == 1 || views->stride_y == row;
    if (!whole_planes || (part.hi[0] - part.lo[0] > 1 && views->stride_x != n_y * row)) return nullptr;
    return views->row(part.lo[0], part.lo[1], part.lo[2]);
}

/// Buffers, and receives.
template <bool back>
void BrickExchange::open(int n, const BrickView* targets) {
    n_ = n;
    const auto n_meshes = static_cast<std::size_t>(n);
    const Side &source = giver<back>(), &target = taker<back>();
    if (sent_.size() < n_meshes * source.size) sent_.resize(n_meshes * source.size);
    if (received_.size() < n_meshes * target.size) received_.resize(n_meshes * target.size);
    requests_.assign(target.messages.size() + source.messages.size(), MPI_REQUEST_NULL);
    for (std::size_t k = 0; k < target.messages.size(); k++) {
        const Message& m = target.messages[k];
        double* place = block(target, m, targets);
        if (place == nullptr) place = received_.data() + n_meshes * m.offset;
        MPI_Irecv(place, static_cast<int>(n_meshes * m.size), MPI_DOUBLE, m.rank, tag, world_, &requests_[k]);
    }
}

template <bool back>
void BrickExchange::send(const BrickView* sources) {
    const auto n_meshes = static_cast<std::size_t>(n_);
    MPI_Request* request = requests_.data() + taker<back>().messages.size();
    for (const Message& m : giver<back>().messages) {
        const double* place = block(giver<back>(), m, sources);
        if (place == nullptr) place = sent_.data() + n_meshes * m.offset;
        MPI_Isend(place, static_cast<int>(n_meshes * m.size), MPI_DOUBLE, m.rank, tag, world_, request++);
    }
}

/// In the order of the ranks, so that sums do not depend on who was first. Without targets what came stays packed.
template <bool back, bool add>
void BrickExchange::receive(const BrickView* targets) {
    const Side& target = taker<back>();
    for (std::size_t k = 0; k < target.messages.size(); k++) {
        const Message& m = target.messages[k];
        MPI_Wait(&requests_[k], MPI_STATUS_IGNORE);
        if (targets == nullptr || (!add && block(target, m, targets) != nullptr)) continue;
        for (int mesh = 0; mesh < n_; mesh++)
            for (std::size_t p = m.first; p < m.last; p++)
                for_rows(targets[mesh], target.parts[p].brick, received_.data() + place(m, mesh, target.parts[p]),
                         [](double* row, const double* in, long length) { put<add>(row, in, length); });
    }
    for (std::size_t k = target.messages.size(); k < requests_.size(); k++) MPI_Wait(&requests_[k], MPI_STATUS_IGNORE);
}

template <bool back>
void BrickExchange::pack(const BrickView* sources) {
    const Side& source = giver<back>();
    for (const Message& m : source.messages) {
        if (block(source, m, sources) != nullptr) continue;
        for (int mesh = 0; mesh < n_; mesh++)
            for (std::size_t p = m.first; p < m.last; p++)
                for_rows(sources[mesh], source.parts[p].brick, sent_.data() + place(m, mesh, source.parts[p]),
                         [](const double* row, double* out, long length) { std::copy_n(row, length, out); });
    }
}

template <bool back, bool add>
void BrickExchange::move(int n, const BrickView* sources, const BrickView* targets) {
    open<back>(n, add ? nullptr : targets);
    pack<back>(sources);
    send<back>(sources);
    const Side &source = giver<back>(), &target = taker<back>();
    for (int mesh = 0; mesh < n; mesh++)
        for (std::size_t k = 0; k < source.kept.size(); k++)
            put_part<add>(targets[mesh], target.kept[k], sources[mesh], source.kept[k]);
    receive<back, add>(targets);
}

template void BrickExchange::open<false>(int, const BrickView*);
template void BrickExchange::move<false, false>(int, const BrickView*, const BrickView*);
template void BrickExchange::move<true, false>(int, const BrickView*, const BrickView*);
template void BrickExchange::move<true, true>(int, const BrickView*, const BrickView*);

void BrickExchange::give(int mesh, int x, const BrickView& plane, const BrickView& to) {
    for (const Message& m : before_.messages) {
        for (std::size_t p = m.first; p < m.last; p++) {
            const Part& part = before_.parts[p];
            if (x < part.brick.lo[0] || x >= part.brick.hi[0]) continue;
            for_rows(plane, of_plane(part.brick, x),
                     sent_.data() + place(m, mesh, part) + doubles_before(part.brick, x),
                     [](const double* row, double* out, long length) { std::copy_n(row, length, out); });
        }
    }
    for (const Brick& kept : before_.kept)
        if (x >= kept.lo[0] && x < kept.hi[0]) put_part<false>(to, of_plane(kept, x), plane, of_plane(kept, x));
}

void BrickExchange::finish(const BrickView* to) {
    send<false>(nullptr);
    receive<false, false>(to);
}

void BrickExchange::begin_back(int n, const BrickView* to) {
    open<true>(n, nullptr);
    pack<true>(to);
    send<true>(to);
    receive<true, false>(nullptr);
}

void BrickExchange::take(int mesh, int x, const BrickView& to, const BrickView& plane) {
    for (const Message& m : before_.messages) {
        for (std::size_t p = m.first; p < m.last; p++) {
            const Part& part = before_.parts[p];
            if (x < part.brick.lo[0] || x >= part.brick.hi[0]) continue;
            double* packed = received_.data() + place(m, mesh, part) + doubles_before(part.brick, x);
            const Brick rows = of_plane(part.brick, x);
            put_part<false>(plane, rows, BrickView::packed(packed, rows), rows);
        }
    }
    for (const Brick& kept : before_.kept)
        if (x >= kept.lo[0] && x < kept.hi[0]) put_part<false>(plane, of_plane(kept, x), to, of_plane(kept, x));
}

}  // namespace mlcalc_lammps
