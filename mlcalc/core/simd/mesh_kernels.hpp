// SPDX-License-Identifier: BSD-3-Clause
/// The inner loops of the mesh, compiled once per instruction set: an atom and the order^3 mesh points around it. Mesh
/// points are complex, two channels in one grid. Derivative tensors of degree D list the derivatives (a, b, c) along
/// the mesh axes with a + b + c <= D, a slowest.
#pragma once

namespace mlcalc {

constexpr int max_mesh_degree = 7;

constexpr int tensor_size(int degree) {
    return (degree + 1) * (degree + 2) * (degree + 3) / 6;
}

/// A brick of complex mesh points. Rows along z are contiguous; 16 doubles beyond the end are readable and writable.
struct MeshGrid {
    double* data;
    long stride_x, stride_y;  ///< in doubles
    int lo[3];
};

/// Planes of a grid, counted from its first one.
struct MeshPlanes {
    int begin, end;
};

struct MeshStencil {
    int order, points;     ///< points: Window::padded
    const double* pieces;  ///< Window::coefficients
};

struct MeshKernels {
    /// out[i * stride + t] += derivative t of the real part at u_i, out[i * stride + imaginary + t] that of the
    /// imaginary part, unless `imaginary` is negative.
    void (*gather)(const MeshStencil&, const MeshGrid&, int degree, int n, const double* u, double* out, long stride,
                   long imaginary);
    /// Adds sum_t coefficients[i * stride + t] (derivative t of the window) to the real parts around u_i and those at
    /// `imaginary` to the imaginary parts. Only the planes begin <= x < end of the grid are touched,
    /// so that threads can share one.
    void (*spread)(const MeshStencil&, const MeshGrid&, MeshPlanes, int degree, int n, const double* u,
                   const double* coefficients, long stride, long imaginary);
};

/// Those of the selected instruction set.
const MeshKernels& mesh_kernels();

}  // namespace mlcalc
