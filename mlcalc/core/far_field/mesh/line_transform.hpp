// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <vector>

#include "base/aligned.hpp"
#include "simd/line_transforms.hpp"

namespace mlcalc {

/// Complex Fourier transforms of lines of n points, any n; fast where its prime factors are 2, 3 and 5. No library of
/// them can be had for every build: that of LAMMPS transforms one line at a time, ducc0 comes without its headers and
/// FFTW under another license.
class LineTransform {
public:
    explicit LineTransform(int n);
    LineTransform(const LineTransform&) = delete;
    LineTransform& operator=(const LineTransform&) = delete;
    /// Doubles of the work space of one thread.
    std::size_t work_size() const;
    /// See LineTransforms::transform.
    void apply(bool forward, long n_lines, const Lines& in, const Lines& out, AlignedVector<double>& work) const;

private:
    int n_;
    const LineTransforms* kernels_;
    std::vector<std::vector<double>> tables_;
    std::vector<TransformPass> passes_;
};

}  // namespace mlcalc
