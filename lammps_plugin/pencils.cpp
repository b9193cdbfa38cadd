// SPDX-License-Identifier: GPL-2.0-only
#include "pencils.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "base/threads.hpp"

namespace mlcalc_lammps {

using mlcalc::Brick;
using mlcalc::Lines;

namespace {

int cut(int i, int n, int points) {
    return static_cast<int>(std::int64_t{i} * points / n);
}

}  // namespace

Pencils::Pencils(const Domains& domains, MPI_Comm world, std::array<int, 3> shape, const Brick& owned, int n_threads)
    : n_threads_(n_threads), axes_{2, 1, 0}, work_(static_cast<std::size_t>(n_threads)) {
    int n_ranks = 1, me = 0;
    MPI_Comm_size(world, &n_ranks);
    MPI_Comm_rank(world, &me);
    // n[k], i[k]: parts of the second and the third axis, and this rank's among them
    std::array<int, 2> n{1, n_ranks}, i{0, me};
    std::size_t whole = 3;  // an axis along which domains are not cut
    for (std::size_t axis = 0; axis < 3 && !domains.tiled; axis++)
        if (domains.counts[axis] == 1) whole = axis;
    bricks_[0].hi = shape;
    if (whole < 3) {
        axes_ = {whole, whole == 2 ? std::size_t{1} : std::size_t{2}, whole == 0 ? std::size_t{1} : std::size_t{0}};
        for (std::size_t k = 0; k < 2; k++) {
            n[k] = domains.counts[axes_[k + 1]];
            i[k] = domains.location[axes_[k + 1]];
        }
        bricks_[0] = owned;
    } else {
        for (int factor = static_cast<int>(std::sqrt(static_cast<double>(n_ranks))); factor > 1; factor--) {
            if (n_ranks % factor != 0) continue;
            n = {factor, n_ranks / factor};
            i = {me % factor, me / factor};
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

/// Of the points of a stage along its axis, from one array to another or within one.
void Pencils::transform(bool forward, std::size_t stage, const BrickView& from, const BrickView& to) {
    const Brick& brick = bricks_[stage];
    const long nx = brick.hi[0] - brick.lo[0], ny = brick.hi[1] - brick.lo[1], nz = brick.hi[2] - brick.lo[2];
    if (nx <= 0 || ny <= 0 || nz <= 0) return;
    const std::size_t axis = axes_[stage];
    const mlcalc::LineTransform& line = *lines_[axis];
    const std::array<int, 3>& lo = brick.lo;
    // planes of lines: those across x have a y each, others an x
    const auto n = static_cast<std::size_t>(axis == 0 ? ny : nx);
    mlcalc::for_shares(n_threads_, n, [&](std::size_t begin, std::size_t end, std::size_t share) {
        const auto lines = [&](const BrickView& view, int k) {
            if (axis == 0) return Lines{view.row(lo[0], lo[1] + k, lo[2]), 2, view.stride_x};
            double* first = view.row(lo[0] + k, lo[1], lo[2]);
            return axis == 1 ? Lines{first, 2, view.stride_y} : Lines{first, view.stride_y, 2};
        };
        const int first = static_cast<int>(begin), last = static_cast<int>(end);
        if (axis == 0 && from.stride_y == 2 * nz && to.stride_y == 2 * nz) {  // the planes are one
            line.apply(forward, (last - first) * nz, lines(from, first), lines(to, first), work_[share]);
            return;
        }
        for (int k = first; k < last; k++)
            line.apply(forward, axis == 2 ? ny : nz, lines(from, k), lines(to, k), work_[share]);
    });
}

/// Of n meshes behind a stage. The two buffers change places at each exchange.
std::vector<double*> Pencils::buffers(std::size_t stage, int n) {
    mlcalc::AlignedVector<double>& all = buffers_[stage % 2];
    // on cache lines, all of them
    const std::size_t size = (2 * bricks_[stage].size() + mlcalc::MeshBackend::overrun + 7) / 8 * 8;
    if (all.size() < static_cast<std::size_t>(n) * size) all.resize(static_cast<std::size_t>(n) * size);
    std::vector<double*> out;
    for (std::size_t k = 0; k < static_cast<std::size_t>(n); k++) out.push_back(all.data() + k * size);
    return out;
}

std::vector<BrickView> Pencils::views(std::size_t stage, const std::vector<double*>& data) const {
    std::vector<BrickView> out;
    for (double* points : data) out.push_back(BrickView::packed(points, bricks_[stage]));
    return out;
}

/// An exchange that moves nothing is left out: its transform goes from one array to the next.
void Pencils::forward(int n, const BrickView* owned, double* const* spectra) {
    std::vector<BrickView> here(owned, owned + n);
    for (std::size_t stage = 0; stage < 3; stage++) {
        bool last = true;  // does nothing but the spectrum come after this exchange?
        for (std::size_t later = stage + 1; later < 3; later++) last = last && exchanges_[later]->identity();
        const bool moves = !exchanges_[stage]->identity();
        std::vector<BrickView> there = here;
        if (stage == 0 || moves)
            there = views(stage, last ? std::vector<double*>(spectra, spectra + n) : buffers(stage, n));
        if (moves) exchanges_[stage]->run(n, here.data(), there.data());
        for (std::size_t k = 0; k < there.size(); k++) transform(true, stage, moves ? there[k] : here[k], there[k]);
        here = there;
    }
}

void Pencils::inverse(int n, double* const* spectra, const BrickView* owned) {
    std::vector<BrickView> here = views(2, std::vector<double*>(spectra, spectra + n));
    for (std::size_t stage = 3; stage-- > 0;) {
        const bool moves = !exchanges_[stage]->identity();
        std::vector<BrickView> there = here;
        if (stage == 0) there.assign(owned, owned + n);
        for (std::size_t k = 0; k < here.size(); k++) transform(false, stage, here[k], moves ? here[k] : there[k]);
        if (!moves) {
            here = there;
            continue;
        }
        if (stage > 0) there = views(stage - 1, buffers(stage - 1, n));
        exchanges_[stage]->run_back(n, here.data(), there.data());
        here = there;
    }
}

}  // namespace mlcalc_lammps
