// SPDX-License-Identifier: BSD-3-Clause
#include "base/slab.hpp"

#include <algorithm>
#include <cmath>

namespace mlcalc {

OpenDirection open_direction(const Atoms& atoms) {
    OpenDirection out;
    for (int axis = 0; axis < 3; ++axis) {
        if (!atoms.pbc[static_cast<std::size_t>(axis)]) out.axis = axis;
    }
    const auto open = static_cast<std::size_t>(out.axis);
    const Vec3 &a = atoms.cell[(open + 1) % 3], &b = atoms.cell[(open + 2) % 3];
    out.normal = {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
    const double norm = std::sqrt(dot(out.normal, out.normal));
    out.normal = (1.0 / norm) * out.normal;
    const double from = dot(atoms.origin, out.normal), to = from + dot(atoms.cell[open], out.normal);
    out.low = std::min(from, to);
    out.high = std::max(from, to);
    return out;
}

Mat3 padded(const Mat3& cell, const OpenDirection& open, double length) {
    Mat3 out = cell;
    out[static_cast<std::size_t>(open.axis)] = length * open.normal;
    return out;
}

SlabPadding SlabPadding::around(const OpenDirection& open, double reach, double before) {
    const double room = 1.02 * open.height() + 1.0, least = 2.0 * (room + reach);
    const bool serves = 0.5 * before - reach >= open.height() && before < 1.1 * least;
    if (serves) return {open.axis, before, open.low, 0.5 * before - reach};
    return {open.axis, least, open.low, room};
}

Mat3 SlabPadding::turned(const Lattice& padded_cell, const Vec3& k) const {
    const Vec3& vector = padded_cell.cell[static_cast<std::size_t>(axis)];
    const Vec3 n = (1.0 / std::sqrt(dot(vector, vector))) * vector;
    const Vec3 in_plane = k + (-dot(k, n)) * n;
    const double square = dot(in_plane, in_plane);
    Mat3 out = -1.0 * outer(n, n);
    if (square > 1e-20 * dot(k, k)) out += (1.0 / square) * outer(in_plane, in_plane);
    return out;
}

Mat3 strain_correction(const Vec3& n, const Mat3& w, const Vec3& y) {
    Vec3 d{};
    for (std::size_t b = 0; b < 3; ++b) {
        for (std::size_t a = 0; a < 3; ++a) d[b] += n[a] * w[a][b];
        d[b] -= y[b];
    }
    const Vec3 in_plane = d + (-dot(d, n)) * n;
    Mat3 out{};
    for (std::size_t a = 0; a < 3; ++a) {
        for (std::size_t b = 0; b < 3; ++b) out[a][b] = -n[a] * d[b] - in_plane[a] * n[b];
    }
    return out;
}

}  // namespace mlcalc
