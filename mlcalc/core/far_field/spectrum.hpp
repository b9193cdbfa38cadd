// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <vector>

#include "far_field/field_kernel.hpp"
#include "model/description.hpp"

namespace mlcalc {

/// The functions of k that fields are filtered with, F_nl(k) = sum_q weight B_q(k): the shared ones of the basis, or
/// each (l, n) for itself.
struct FilterBank {
    struct Use {
        int l, n;
        double weight;
    };
    explicit FilterBank(const FieldDescription&);
    std::size_t size() const { return uses.size(); }
    int l_max(std::size_t q) const;

    const SplineTable& table;  ///< B_q
    std::vector<std::vector<Use>> uses;
};

class NearPart;

/// f_q(k) = g(k) B_q(k) of all filters of a bank, what a near part sums taken out: what k-sum and meshes sum. The
/// description must outlive it.
class FieldSpectrum {
public:
    explicit FieldSpectrum(const FieldDescription&, std::shared_ptr<const NearPart> near = nullptr);
    const FilterBank& bank() const { return bank_; }
    double k_max() const { return bank_.table.x_max(); }
    /// f_q and (df_q/dk) / k at 0 < k <= k_max.
    void evaluate(double k, double* value, double* slope) const;
    /// The term of k = 0.
    void at_zero(double* value) const;

private:
    FilterBank bank_;
    std::shared_ptr<const FieldKernel> kernel_;
    std::shared_ptr<const NearPart> near_;
};

}  // namespace mlcalc
