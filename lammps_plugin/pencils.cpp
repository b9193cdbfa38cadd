// SPDX-License-Identifier: GPL-2.0-only
#include "pencils.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "base/threads.hpp"
#include "comm.h"

namespace mlcalc_lammps {

using mlcalc::Brick;
using mlcalc::Lines;

namespace {

int cut(int i, int n, int points) {
    return static_cast<int>(std::int64_t{i} * points / n);
}

}  // namespace

Pencils::Pencils(const LAMMPS_NS::Comm& comm, MPI_Comm world, std::array<int, 3> shape, const Brick& owned,
                 int n_threads)
    : n_threads_(n_threads), axes_{2, 1, 0}, work_(static_cast<std::size_t>(n_threads)) {
    // n[k], i[k]: parts of the second and the third axis, and this rank's among them
    std::array<int, 2> n{1, comm.nprocs}, i{0, comm.me};
    const bool bricks = comm.layout != LAMMPS_NS::Comm::LAYOUT_TILED;
    std::size_t whole = 3;  // an axis along which domains are not cut
    for (std::size_t axis = 0; axis < 3 && bricks; axis++)
        if (comm.procgrid[axis] == 1) whole = axis;
    bricks_[0].hi = shape;
    if (whole < 3) {
        axes_ = {whole, whole == 2 ? std::size_t{1} : std::size_t{2}, whole == 0 ? std::size_t{1} : std::size_t{0}};
        for (std::size_t k = 0; k < 2; k++) {
            n[k] = comm.procgrid[axes_[k + 1]];
            i[k] = comm.myloc[axes_[k + 1]];
        }
        bricks_[0] = owned;
    } else {
        for (int factor = static_cast<int>(std::sqrt(static_cast<double>(comm.nprocs))); factor > 1; factor--) {
            if (comm.nprocs % factor != 0) continue;
            n = {factor, comm.nprocs / factor};
            i = {comm.me % factor, comm.me / factor};
            break;
        }
        for (std::size_t k = 0; k < 2; k++) {
            bricks_[0].lo[axes_[k + 1]] = cut(i[k], n[k], shape[axes_[k + 1]]);
            bricks_[0].hi[axes_[k + 1]] = cut(i[k] + 1, n[k], shape[axes_[k + 1]]);
        }
    }
    bricks_[1] = bricks_[0];
    bricks_[1].lo[axes_[1]] = 0;
    bricks_[1].hi[axes_[1]] = shape[axes_[1]];
    bricks_[1].lo[axes_[0]] = cut(i[0], n[0], shape[axes_[0]]);
    bricks_[1].hi[axes_[0]] = cut(i[0] + 1, n[0], shape[axes_[0]]);
    bricks_[2] = bricks_[1];
    bricks_[2].lo[axes_[2]] = 0;
    bricks_[2].hi[axes_[2]] = shape[axes_[2]];
    bricks_[2].lo[axes_[1]] = cut(i[1], n[1], shape[axes_[1]]);
    bricks_[2].hi[axes_[1]] = cut(i[1] + 1, n[1], shape[axes_[1]]);
    exchanges_.push_back(std::make_unique<BrickExchange>(world, owned, bricks_[0]));
    for (std::size_t k = 1; k < 3; k++)
        exchanges_.push_back(std::make_unique<BrickExchange>(world, bricks_[k - 1], bricks_[k]));
    for (const int points : shape) lines_.push_back(std::make_unique<mlcalc::LineTransform>(points));
}

/// Of the packed points of a stage, along its axis.
void Pencils::transform(bool forward, std::size_t stage, double* data) {
    const Brick& brick = bricks_[stage];
    const long nx = brick.hi[0] - brick.lo[0], ny = brick.hi[1] - brick.lo[1], nz = brick.hi[2] - brick.lo[2];
    if (nx <= 0 || ny <= 0 || nz <= 0) return;
    const std::size_t axis = axes_[stage];
    const mlcalc::LineTransform& line = *lines_[axis];
    if (axis == 0) {
        constexpr std::size_t group = 8;
        const auto n = static_cast<std::size_t>(ny * nz);
        mlcalc::for_shares(n_threads_, (n + group - 1) / group,
                           [&](std::size_t begin, std::size_t end, std::size_t share) {
                               const std::size_t first = begin * group, last = std::min(end * group, n);
                               const Lines lines{data + 2 * first, 2, 2 * ny * nz};
                               line.apply(forward, static_cast<long>(last - first), lines, lines, work_[share]);
                           });
        return;
    }
    mlcalc::for_shares(n_threads_, static_cast<std::size_t>(nx),
                       [&](std::size_t begin, std::size_t end, std::size_t share) {
                           for (std::size_t x = begin; x < end; x++) {
                               double* plane = data + static_cast<long>(x) * 2 * ny * nz;
                               const Lines lines = axis == 1 ? Lines{plane, 2, 2 * nz} : Lines{plane, 2 * nz, 2};
                               line.apply(forward, axis == 1 ? nz : ny, lines, lines, work_[share]);
                           }
                       });
}

/// The two change places at each exchange.
double* Pencils::buffer(std::size_t stage) {
    mlcalc::AlignedVector<double>& out = buffers_[stage % 2];
    const std::size_t size = 2 * bricks_[stage].size() + mlcalc::MeshBackend::overrun;
    if (out.size() < size) out.resize(size);
    return out.data();
}

void Pencils::forward(const BrickView& owned, double* spectrum) {
    BrickView here = owned;
    double* data = nullptr;
    for (std::size_t stage = 0; stage < 3; stage++) {
        bool last = true;  // does nothing but the spectrum come after this exchange?
        for (std::size_t later = stage + 1; later < 3; later++) last = last && exchanges_[later]->identity();
        if (stage == 0 || !exchanges_[stage]->identity()) {
            data = last ? spectrum : buffer(stage);
            const BrickView there = BrickView::packed(data, bricks_[stage]);
            exchanges_[stage]->run(here, there);
            here = there;
        }
        transform(true, stage, data);
    }
}

void Pencils::inverse(double* spectrum, const BrickView& owned) {
    double* data = spectrum;
    for (std::size_t stage = 3; stage-- > 0;) {
        transform(false, stage, data);
        if (stage == 0) {
            exchanges_[0]->run_back(BrickView::packed(data, bricks_[0]), owned);
        } else if (!exchanges_[stage]->identity()) {
            double* next = buffer(stage - 1);
            exchanges_[stage]->run_back(BrickView::packed(data, bricks_[stage]),
                                        BrickView::packed(next, bricks_[stage - 1]));
            data = next;
        }
    }
}

}  // namespace mlcalc_lammps
