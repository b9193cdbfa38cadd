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
    : n_threads_(n_threads), axes_{2, 1, 0}, work_(static_cast<std::size_t>(n_threads)), planes_(work_.size()) {
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
    for (std::size_t stage = 0; stage < 3; stage++) {
        if (stage == 0 || !exchanges_[stage]->identity()) groups_.push_back({stage, stage, true});
        groups_.back().last = stage + 1;
        if (axes_[stage] == 0) groups_.back().planar = false;
    }
}

/// The lines of a stage, along y or z, in the plane of an x.
void Pencils::transform_plane(bool forward, std::size_t stage, int x, const BrickView& from, const BrickView& to,
                              mlcalc::AlignedVector<double>& work) const {
    const Brick& brick = bricks_[stage];
    const long ny = brick.hi[1] - brick.lo[1], nz = brick.hi[2] - brick.lo[2];
    const bool along_y = axes_[stage] == 1;
    const auto lines = [&](const BrickView& view) {
        double* first = view.row(x, brick.lo[1], brick.lo[2]);
        return along_y ? Lines{first, 2, view.stride_y} : Lines{first, view.stride_y, 2};
    };
    lines_[axes_[stage]]->apply(forward, along_y ? nz : ny, lines(from), lines(to), work);
}

/// All lines of a stage, from one array to another or within one.
void Pencils::transform(bool forward, std::size_t stage, const BrickView& from, const BrickView& to) {
    const Brick& brick = bricks_[stage];
    if (brick.size() == 0) return;
    const std::array<int, 3>& lo = brick.lo;
    const long ny = brick.hi[1] - lo[1], nz = brick.hi[2] - lo[2];
    const bool across = axes_[stage] == 0, packed = from.stride_y == 2 * nz && to.stride_y == 2 * nz;
    const auto n = across ? static_cast<std::size_t>(ny) : static_cast<std::size_t>(brick.hi[0] - lo[0]);
    mlcalc::for_shares(n_threads_, n, [&](std::size_t begin, std::size_t end, std::size_t share) {
        const int first = static_cast<int>(begin), last = static_cast<int>(end);
        for (int k = first; k < last && !across; k++)
            transform_plane(forward, stage, lo[0] + k, from, to, work_[share]);
        const int step = packed ? last - first : 1;  // rows behind each other are one
        for (int y = lo[1] + first; y < lo[1] + last && across; y += step)
            lines_[0]->apply(forward, step * nz, Lines{from.row(lo[0], y, lo[2]), 2, from.stride_x},
                             Lines{to.row(lo[0], y, lo[2]), 2, to.stride_x}, work_[share]);
    });
}

/// Room for the plane of an x, which stays in the cache.
BrickView Pencils::scratch(const Group& group, int x, std::size_t share) {
    Brick plane = bricks_[group.first];
    plane.lo[0] = x;
    plane.hi[0] = x + 1;
    const std::size_t size = 2 * plane.size() + mlcalc::MeshBackend::overrun;
    if (planes_[share].size() < size) planes_[share].resize(size);
    return BrickView::packed(planes_[share].data(), plane);
}

/// Transforms of a group and the exchange behind it: what leaves a plane is copied while it is in the cache.
void Pencils::give_planes(const Group& group, const std::vector<BrickView>& here, const std::vector<BrickView>& there) {
    BrickExchange& exchange = *exchanges_[group.last];
    exchange.begin(static_cast<int>(here.size()), there.data());
    for (std::size_t k = 0; k < here.size() && bricks_[group.first].size() > 0; k++) {
        mlcalc::for_shares(n_threads_, n_planes(group), [&](std::size_t begin, std::size_t end, std::size_t share) {
            for (std::size_t plane = begin; plane < end; plane++) {
                const int x = bricks_[group.first].lo[0] + static_cast<int>(plane);
                const BrickView room = scratch(group, x, share);
                for (std::size_t stage = group.first; stage < group.last; stage++)
                    transform_plane(true, stage, x, stage == group.first ? here[k] : room, room, work_[share]);
                exchange.give(static_cast<int>(k), x, room, there[k]);
            }
        });
    }
    exchange.finish(there.data());
}

/// The exchange back to a group, and its transforms.
void Pencils::take_planes(const Group& group, const std::vector<BrickView>& here, const std::vector<BrickView>& there) {
    BrickExchange& exchange = *exchanges_[group.last];
    exchange.begin_back(static_cast<int>(here.size()), here.data());
    for (std::size_t k = 0; k < here.size() && bricks_[group.first].size() > 0; k++) {
        mlcalc::for_shares(n_threads_, n_planes(group), [&](std::size_t begin, std::size_t end, std::size_t share) {
            for (std::size_t plane = begin; plane < end; plane++) {
                const int x = bricks_[group.first].lo[0] + static_cast<int>(plane);
                const BrickView room = scratch(group, x, share);
                exchange.take(static_cast<int>(k), x, here[k], room);
                for (std::size_t stage = group.last; stage-- > group.first;)
                    transform_plane(false, stage, x, room, stage == group.first ? there[k] : room, work_[share]);
            }
        });
    }
}

/// Of n meshes, for a group. The two buffers change places at each exchange.
std::vector<double*> Pencils::buffers(std::size_t group, int n) {
    const std::size_t stage = groups_[group].first;
    mlcalc::AlignedVector<double>& all = buffers_[group % 2];
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

void Pencils::forward(int n, const BrickView* owned, double* const* spectra) {
    const auto behind = [&](std::size_t group) {  // the array behind the exchange to this group
        const bool last = group + 1 >= groups_.size();
        return views(groups_[group].first, last ? std::vector<double*>(spectra, spectra + n) : buffers(group, n));
    };
    const bool at_home = exchanges_[0]->identity();  // the first group has no exchange before it
    std::vector<BrickView> here(owned, owned + n);
    if (!at_home) {
        const std::vector<BrickView> there = behind(0);
        exchanges_[0]->run(n, here.data(), there.data());
        here = there;
    }
    for (std::size_t g = 0; g < groups_.size(); g++) {
        const Group& group = groups_[g];
        const bool last = g + 1 == groups_.size();
        if (group.planar && !last) {
            const std::vector<BrickView> there = behind(g + 1);
            give_planes(group, here, there);
            here = there;
            continue;
        }
        const std::vector<BrickView> there = g == 0 && at_home ? behind(0) : here;
        for (std::size_t stage = group.first; stage < group.last; stage++)
            for (std::size_t k = 0; k < there.size(); k++)
                transform(true, stage, stage == group.first ? here[k] : there[k], there[k]);
        here = there;
        if (last) return;
        const std::vector<BrickView> next = behind(g + 1);
        exchanges_[group.last]->run(n, here.data(), next.data());
        here = next;
    }
}

void Pencils::inverse(int n, double* const* spectra, const BrickView* owned) {
    const std::vector<BrickView> home(owned, owned + n);
    const bool at_home = exchanges_[0]->identity();  // the first group has no exchange before it
    std::vector<BrickView> here = views(2, std::vector<double*>(spectra, spectra + n));
    for (std::size_t g = groups_.size(); g-- > 0;) {
        const Group& group = groups_[g];
        const bool last = g + 1 == groups_.size();
        if (group.planar && !last) {
            const std::vector<BrickView> there = g == 0 && at_home ? home : views(group.first, buffers(g, n));
            take_planes(group, here, there);
            here = there;
            continue;
        }
        if (!last) {
            const std::vector<BrickView> there = views(group.first, buffers(g, n));
            exchanges_[group.last]->run_back(n, here.data(), there.data());
            here = there;
        }
        const std::vector<BrickView> there = g == 0 && at_home ? home : here;
        for (std::size_t stage = group.last; stage-- > group.first;)
            for (std::size_t k = 0; k < here.size(); k++)
                transform(false, stage, here[k], stage == group.first ? there[k] : here[k]);
        here = there;
    }
    if (!at_home) exchanges_[0]->run_back(n, here.data(), home.data());
}

}  // namespace mlcalc_lammps
