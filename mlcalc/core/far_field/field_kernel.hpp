// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>

#include "model/description.hpp"

namespace mlcalc {

/// The Fourier transform g(k) of what one atom adds to the field, in 3 dimensions and for sources all alike.
class FieldKernel {
public:
    virtual ~FieldKernel() = default;
    /// g and dg/dk at k > 0.
    virtual void evaluate(double k, double& value, double& slope) const = 0;
    /// The term at k = 0; zero where a background neutralizes the sources.
    virtual double at_zero() const = 0;
};

/// That of this field.
std::shared_ptr<const FieldKernel> make_field_kernel(const FieldDescription&);

}  // namespace mlcalc
