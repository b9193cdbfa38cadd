// SPDX-License-Identifier: GPL-2.0-only
#include "brick_exchange.h"

#include <algorithm>
#include <array>

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

/// row(numbers of the part along z in the view of a brick, the same in a packed array)
template <typename Row>
void for_rows(const Brick& brick, const BrickView& view, const Brick& part, double* packed, Row row) {
    const long length = 2L * (part.hi[2] - part.lo[2]);
    for (int x = part.lo[0]; x < part.hi[0]; x++)
        for (int y = part.lo[1]; y < part.hi[1]; y++, packed += length)
            row(view.data + (x - brick.lo[0]) * view.stride_x + (y - brick.lo[1]) * view.stride_y +
                    2L * (part.lo[2] - brick.lo[2]),
                packed, length);
}

std::vector<Brick> of_all(MPI_Comm world, const Brick& mine) {
    int n = 0;
    MPI_Comm_size(world, &n);
    std::array<int, 6> corners{};
    std::copy_n(mine.lo.begin(), 3, corners.begin());
    std::copy_n(mine.hi.begin(), 3, corners.begin() + 3);
    std::vector<int> all(6 * static_cast<std::size_t>(n));
    MPI_Allgather(corners.data(), 6, MPI_INT, all.data(), 6, MPI_INT, world);
    std::vector<Brick> out(static_cast<std::size_t>(n));
    for (std::size_t r = 0; r < out.size(); r++) {
        std::copy_n(&all[6 * r], 3, out[r].lo.begin());
        std::copy_n(&all[6 * r + 3], 3, out[r].hi.begin());
    }
    return out;
}

}  // namespace

BrickExchange::BrickExchange(MPI_Comm world, const Brick& from, const Brick& to) : world_(world), from_(from), to_(to) {
    MPI_Comm_rank(world, &me_);
    const std::vector<Brick> before = of_all(world, from), after = of_all(world, to);
    sends_ = overlaps(from, after);
    receives_ = overlaps(to, before);
    identity_ = true;
    for (std::size_t r = 0; r < before.size(); r++)
        identity_ = identity_ && ((empty(before[r]) && empty(after[r])) ||
                                  (before[r].lo == after[r].lo && before[r].hi == after[r].hi));
}

std::vector<BrickExchange::Part> BrickExchange::overlaps(const Brick& mine, const std::vector<Brick>& theirs) const {
    std::vector<Part> out;
    std::size_t offset = 0;
    for (std::size_t r = 0; r < theirs.size(); r++) {
        const Brick common = overlap(mine, theirs[r]);
        if (empty(common)) continue;
        out.push_back({static_cast<int>(r), common, offset});
        if (static_cast<int>(r) != me_) offset += 2 * common.size();
    }
    return out;
}

void BrickExchange::move(const Brick& from, const BrickView& source, const std::vector<Part>& sends, const Brick& to,
                         const BrickView& target, const std::vector<Part>& receives) {
    const auto size = [&](const std::vector<Part>& parts) {
        return parts.empty() ? 0 : parts.back().offset + 2 * parts.back().brick.size();
    };
    if (sent_.size() < size(sends)) sent_.resize(size(sends));
    if (received_.size() < size(receives)) received_.resize(size(receives));
    requests_.clear();
    std::vector<const Part*> coming;
    for (const Part& part : receives) {
        if (part.rank == me_) continue;
        coming.push_back(&part);
        requests_.emplace_back();
        MPI_Irecv(received_.data() + part.offset, static_cast<int>(2 * part.brick.size()), MPI_DOUBLE, part.rank, tag,
                  world_, &requests_.back());
    }
    for (const Part& part : sends) {
        if (part.rank == me_) continue;
        double* packed = sent_.data() + part.offset;
        for_rows(from, source, part.brick, packed,
                 [](const double* row, double* out, long n) { std::copy_n(row, n, out); });
        requests_.emplace_back();
        MPI_Isend(packed, static_cast<int>(2 * part.brick.size()), MPI_DOUBLE, part.rank, tag, world_,
                  &requests_.back());
    }
    for (const Part& part : sends) {
        if (part.rank != me_) continue;
        const long shift = (part.brick.lo[0] - to.lo[0]) * target.stride_x +
                           (part.brick.lo[1] - to.lo[1]) * target.stride_y + 2L * (part.brick.lo[2] - to.lo[2]);
        double* first = target.data + shift;
        std::size_t row_number = 0;
        const auto n_y = static_cast<std::size_t>(part.brick.hi[1] - part.brick.lo[1]);
        for_rows(from, source, part.brick, nullptr, [&](const double* row, double*, long n) {
            std::copy_n(row, n,
                        first + static_cast<long>(row_number / n_y) * target.stride_x +
                            static_cast<long>(row_number % n_y) * target.stride_y);
            row_number++;
        });
    }
    for (std::size_t k = 0; k < coming.size(); k++) {
        int index = 0;
        MPI_Waitany(static_cast<int>(coming.size()), requests_.data(), &index, MPI_STATUS_IGNORE);
        const Part& part = *coming[static_cast<std::size_t>(index)];
        for_rows(to, target, part.brick, received_.data() + part.offset,
                 [](double* row, const double* in, long n) { std::copy_n(in, n, row); });
    }
    for (std::size_t k = coming.size(); k < requests_.size(); k++) MPI_Wait(&requests_[k], MPI_STATUS_IGNORE);
}

}  // namespace mlcalc_lammps
