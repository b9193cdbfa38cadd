// SPDX-License-Identifier: BSD-3-Clause
/// Complex Fourier transforms of many lines of equal length, one line per lane, compiled once per instruction set.
#pragma once

namespace mlcalc {

/// One pass of the algorithm of Stockham: `length` points, in `stride` interleaved transforms, are divided by `radix`.
struct TransformPass {
    int radix, length, stride;
    const double* twiddles;  ///< [q < length / radix][1 <= j < radix][cos, sin] of 2 pi q j / length
    const double* roots;     ///< [t < radix][cos, sin] of 2 pi t / radix
};

struct TransformPlan {
    int n, n_passes;
    const TransformPass* passes;
};

/// Point p of line l is the complex number at data + l * line + p * point, strides in doubles.
struct Lines {
    double* data;
    long line, point;
};

struct LineTransforms {
    int lanes;
    /// out <- transform of `in`, exponent -i k r if `forward`, not normalized. They may be the same lines; the numbers
    /// of a line or, line = 2, those of all lines lie one after the other, in both alike. With line = 2 up to 16
    /// doubles beyond the end are read. `work` holds 4 n vectors of lanes, aligned to 64 bytes.
    void (*transform)(const TransformPlan&, bool forward, long n_lines, const Lines& in, const Lines& out,
                      double* work);
};

/// Those of the selected instruction set.
const LineTransforms& line_transforms();

}  // namespace mlcalc
