// SPDX-License-Identifier: GPL-2.0-only
#include "grid_mesh.h"

#include <algorithm>
#include <cmath>
#include <new>

#include "brick_points.h"
#include "comm.h"
#include "domain.h"
#include "lammps_mesh.h"
#include "neighbor.h"
#include "pair.h"

namespace mlcalc_lammps {

using LAMMPS_NS::Grid3d;
using mlcalc::Brick;

/// The library's constructor writes its own layout into storage that is larger than it needs, so the storage is ours.
void GridMesh::DestroyGrid::operator()(Grid3d* grid) const {
    grid->~Grid3d();
    ::operator delete(grid);
}

GridMesh::GridMesh(LammpsMeshFactory& factory, std::array<int, 3> shape, int below, int above,
                   const mlcalc::SlabPadding& padding)
    : factory_(factory), lammps_(factory.lammps()), shape_(shape), below_(below), above_(above), padding_(padding) {
    factory_.add(this);
}

GridMesh::~GridMesh() {
    factory_.remove(this);
}

GridMesh::Domains GridMesh::present_domains() const {
    const LAMMPS_NS::Comm& comm = *lammps_->comm;
    Domains out;
    out.layout = comm.layout;
    out.skin = lammps_->neighbor->skin;
    const double* splits[3] = {comm.xsplit, comm.ysplit, comm.zsplit};
    for (std::size_t axis = 0; axis < 3; axis++) {
        const bool tiled = comm.layout == LAMMPS_NS::Comm::LAYOUT_TILED;
        const double* split = splits[axis] + comm.myloc[axis] * (tiled ? 0 : 1);
        out.part[2 * axis] = tiled ? comm.mysplit[axis][0] : split[0];
        out.part[2 * axis + 1] = tiled ? comm.mysplit[axis][1] : split[1];
    }
    if (padding_.there()) out.low = lammps_->domain->boxlo[2];
    const double* h = lammps_->domain->h;  // xx yy zz yz xz xy
    out.box = mlcalc::Lattice({{{h[0], 0.0, 0.0}, {h[5], h[1], 0.0}, {h[4], h[3], h[2]}}});
    return out;
}

bool GridMesh::domains_have_changed() const {
    const Domains now = present_domains();
    if (now.layout != built_for_.layout || now.part != built_for_.part || now.skin != built_for_.skin) return true;
    // the mesh of a slab stays where it is while the box may follow the atoms
    if (padding_.there() && (now.low != built_for_.low || now.box.cell[2] != built_for_.box.cell[2])) return true;
    constexpr double most = 0.05;
    for (int axis = 0; axis < 3; axis++)
        if (std::fabs(now.box.height(axis) / built_for_.box.height(axis) - 1.0) > most) return true;
    // a tilt factor moves atoms along x or y, and counts against the box in that direction
    const mlcalc::Mat3 &to = now.box.cell, &from = built_for_.box.cell;
    return std::fabs(to[1][0] - from[1][0]) > most * from[0][0] ||
           std::fabs(to[2][0] - from[2][0]) > most * from[0][0] || std::fabs(to[2][1] - from[2][1]) > most * from[1][1];
}

bool GridMesh::bricks_have_changed() const {
    return pencils_ == nullptr || transformed_.lo != owned_.lo || transformed_.hi != owned_.hi;
}

/// The halo covers the atoms' motion between two neighbor builds (half the skin), in a box that may shrink a little.
void GridMesh::build_grid() {
    grid_.reset();
    require_countable(static_cast<double>(shape_[0]) * shape_[1] * shape_[2] / lammps_->comm->nprocs);
    built_for_ = present_domains();
    void* storage = ::operator new(sizeof(Grid3d));
    grid_.reset(new (storage) Grid3d(lammps_, lammps_->world, shape_[0], shape_[1], shape_[2]));
    grid_->set_distance(0.5 * 1.1 * lammps_->neighbor->skin);
    grid_->set_stencil_atom(below_, above_);
    if (padding_.there()) extend_above_box();
    std::array<int, 3> own_lo, own_hi, lo, hi;
    grid_->setup_grid(own_lo[0], own_hi[0], own_lo[1], own_hi[1], own_lo[2], own_hi[2], lo[0], hi[0], lo[1], hi[1],
                      lo[2], hi[2]);
    for (std::size_t axis = 0; axis < 3; axis++) {
        owned_.lo[axis] = own_lo[axis];
        owned_.hi[axis] = std::max(own_lo[axis], own_hi[axis] + 1);
        ghosted_.lo[axis] = lo[axis];
        ghosted_.hi[axis] = hi[axis] + 1;
    }
    require_countable(static_cast<double>(std::max(ghosted_.size(), owned_.size())));
    require_one_image();
    number_points();
    int n_buffer1 = 0, n_buffer2 = 0;
    grid_->setup_comm(n_buffer1, n_buffer2);
    n_buffer1_ = static_cast<std::size_t>(n_buffer1);
    n_buffer2_ = static_cast<std::size_t>(n_buffer2);
}

/// Of a slab, whose box is a part of the padded cell: Grid3d counts from the lower face of the box, which lies between
/// two points of the mesh, so the stencils reach one point further up.
void GridMesh::extend_above_box() {
    const double low = built_for_.low, height = built_for_.box.cell[2][2];
    const auto point = static_cast<int>(std::floor((low - padding_.start) * shape_[2] / padding_.length));
    first_[2] = ((point % shape_[2]) + shape_[2]) % shape_[2];
    grid_->set_stencil_atom(below_, above_ + 1);
    grid_->set_zfactor(padding_.length / height);
}

/// LAMMPS counts points and the doubles of a brick with int.
void GridMesh::require_countable(double n_points) const {
    if (everywhere(n_points < 0x1p29, lammps_->world)) return;
    throw mlcalc::Shared<std::invalid_argument>(std::invalid_argument(
        "the mesh of the far field has more than 2^29 points on one rank, which LAMMPS cannot count; use more ranks"));
}

/// With tiled domains Grid3d (22Jul2025) reaches for points outside its bricks where halo meets halo around the box.
void GridMesh::require_one_image() const {
    bool once = true;
    for (std::size_t axis = 0; axis < 3; axis++) {
        const int halo = ghosted_.hi[axis] - ghosted_.lo[axis] - (owned_.hi[axis] - owned_.lo[axis]);
        once = once && halo <= shape_[axis];
    }
    if (everywhere(once || lammps_->comm->layout != LAMMPS_NS::Comm::LAYOUT_TILED, lammps_->world)) return;
    throw MeshUnavailable(
        "with tiled domains the mesh of the far field needs as many points along each axis as its halo has; use bricks "
        "(comm_style brick) or a finer mesh");
}

/// Of Grid3d's point numbers (x fastest) in our bricks (z fastest).
void GridMesh::number_points() {
    position_.resize(ghosted_.size());
    const int nx = ghosted_.hi[0] - ghosted_.lo[0], ny = ghosted_.hi[1] - ghosted_.lo[1];
    for_each_point(ghosted_, [&](int x, int y, int z, std::size_t number) {
        const auto theirs = (static_cast<std::size_t>(z - ghosted_.lo[2]) * static_cast<std::size_t>(ny) +
                             static_cast<std::size_t>(y - ghosted_.lo[1])) *
                                static_cast<std::size_t>(nx) +
                            static_cast<std::size_t>(x - ghosted_.lo[0]);
        position_[theirs] = static_cast<int>(number);
    });
}

void GridMesh::build_pencils() {
    pencils_ = std::make_unique<Pencils>(*lammps_->comm, lammps_->world, shape_, owned_, factory_.n_threads());
    transformed_ = owned_;
}

void GridMesh::exchange(double* grid, int n_values, bool forward) {
    const auto n = static_cast<std::size_t>(n_values);
    if (buffer1_.size() < n * n_buffer1_) buffer1_.resize(n * n_buffer1_);
    if (buffer2_.size() < n * n_buffer2_) buffer2_.resize(n * n_buffer2_);
    exchanged_ = grid;
    n_values_ = n_values;
    factory_.set_active(this);
    if (forward)
        grid_->forward_comm(Grid3d::PAIR, factory_.pair(), 0, n_values, sizeof(double), buffer1_.data(),
                            buffer2_.data(), MPI_DOUBLE);
    else
        grid_->reverse_comm(Grid3d::PAIR, factory_.pair(), 0, n_values, sizeof(double), buffer1_.data(),
                            buffer2_.data(), MPI_DOUBLE);
    factory_.set_active(nullptr);
}

void GridMesh::add_halo(double* grid, int n_values) {
    exchange(grid, n_values, false);
}

void GridMesh::fill_halo(double* grid, int n_values) {
    exchange(grid, n_values, true);
}

void GridMesh::pack(double* buffer, int n, const int* list) {
    const auto n_values = static_cast<std::size_t>(n_values_);
    for (int k = 0; k < n; k++)
        std::copy_n(exchanged_ + static_cast<std::size_t>(position_[static_cast<std::size_t>(list[k])]) * n_values,
                    n_values, buffer + static_cast<std::size_t>(k) * n_values);
}

void GridMesh::unpack_forward(const double* buffer, int n, const int* list) {
    const auto n_values = static_cast<std::size_t>(n_values_);
    for (int k = 0; k < n; k++)
        std::copy_n(buffer + static_cast<std::size_t>(k) * n_values, n_values,
                    exchanged_ + static_cast<std::size_t>(position_[static_cast<std::size_t>(list[k])]) * n_values);
}

void GridMesh::unpack_reverse(const double* buffer, int n, const int* list) {
    const auto n_values = static_cast<std::size_t>(n_values_);
    for (int k = 0; k < n; k++) {
        double* to = exchanged_ + static_cast<std::size_t>(position_[static_cast<std::size_t>(list[k])]) * n_values;
        for (std::size_t v = 0; v < n_values; v++) to[v] += buffer[static_cast<std::size_t>(k) * n_values + v];
    }
}

BrickView GridMesh::owned_part(double* grid) const {
    const long stride_y = 2L * (ghosted_.hi[2] - ghosted_.lo[2]),
               stride_x = stride_y * (ghosted_.hi[1] - ghosted_.lo[1]);
    return {grid + (owned_.lo[0] - ghosted_.lo[0]) * stride_x + (owned_.lo[1] - ghosted_.lo[1]) * stride_y +
                2L * (owned_.lo[2] - ghosted_.lo[2]),
            stride_x, stride_y};
}

void GridMesh::forward(double* grid, double* spectrum) {
    add_halo(grid, 2);
    pencils_->forward(owned_part(grid), spectrum);
}

void GridMesh::inverse(double* spectrum, double* grid) {
    pencils_->inverse(spectrum, owned_part(grid));
    fill_halo(grid, 2);
}

}  // namespace mlcalc_lammps
