// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "base/slab.hpp"
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

/// f_q(k) = g(k) B_q(k) of all filters of a bank, what a near part sums taken out: what k-sum and meshes sum. In the
/// padded cell of a slab the field of all that ends at half of its length. The description must outlive it.
class FieldSpectrum {
public:
    explicit FieldSpectrum(const FieldDescription&, std::shared_ptr<const NearPart> near = nullptr,
                           SlabPadding padding = {});
    const FilterBank& bank() const { return bank_; }
    double k_max() const { return bank_.table.x_max(); }
    const SlabPadding& padding() const { return padding_; }
    /// f_q and (df_q/dk) / k at 0 < k <= k_max, of whatever is periodic in three directions.
    void evaluate(double k, double* value, double* slope) const;
    /// Numbers of one wave vector, (filters): f_q; its strain derivative is
    ///   -slope k (x) k - turn (p (x) p - n (x) n),
    /// the second only in the padded cell of a slab, p the direction of k in its plane and n its normal.
    struct Values {
        std::vector<double> value, slope, turn;
        explicit Values(std::size_t n) : value(n), slope(n), turn(n) {}
    };
    /// At the wave vector k of these integers, k = 0 and those beyond the tables (zeros) included.
    void evaluate(const Vec3& k, const std::array<int, 3>& integers, Values&) const;

private:
    void evaluate_zero(Values&) const;
    void truncate(const Vec3& k, const std::array<int, 3>& integers, Values&) const;

    const FieldDescription& description_;
    FilterBank bank_;
    std::shared_ptr<const FieldKernel> kernel_;
    std::shared_ptr<const NearPart> near_;
    SlabPadding padding_;
};

}  // namespace mlcalc
