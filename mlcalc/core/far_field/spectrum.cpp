// SPDX-License-Identifier: BSD-3-Clause
#include "far_field/spectrum.hpp"

#include <algorithm>
#include <cmath>

#include "far_field/near_part.hpp"
#include "far_field/slab_kernel.hpp"

namespace mlcalc {

FilterBank::FilterBank(const FieldDescription& d)
    : table(d.filters.n_functions > 0 ? d.filters : d.reciprocal), uses(table.n_functions) {
    const std::size_t n_max = static_cast<std::size_t>(d.n_max), n_filters = uses.size();
    const bool shared = d.filters.n_functions > 0;
    for (std::size_t q = 0; q < n_filters; ++q) {
        for (std::size_t f = 0; f < n_max * static_cast<std::size_t>(d.l_max + 1); ++f) {
            const double weight = shared ? d.filter_weights[f * n_filters + q] : (f == q ? 1.0 : 0.0);
            if (weight == 0.0) continue;
            uses[q].push_back({static_cast<int>(f / n_max), static_cast<int>(f % n_max), weight});
        }
    }
}

int FilterBank::l_max(std::size_t q) const {
    int most = 0;
    for (const Use& use : uses[q]) most = std::max(most, use.l);
    return most;
}

FieldSpectrum::FieldSpectrum(const FieldDescription& description, std::shared_ptr<const NearPart> near,
                             SlabPadding padding)
    : description_(description),
      bank_(description),
      kernel_(make_field_kernel(description)),
      near_(std::move(near)),
      padding_(padding) {
    if (padding.there()) require_slab_kernel(description);
}

void FieldSpectrum::evaluate(double k, double* value, double* slope) const {
    double g, dg;
    kernel_->evaluate(k, g, dg);
    bank_.table.evaluate(k, value, slope);
    for (std::size_t q = 0; q < bank_.size(); ++q) {
        slope[q] = (dg * value[q] + g * slope[q]) / k;
        value[q] *= g;
    }
    if (near_ == nullptr) return;
    std::vector<double> of_near(2 * bank_.size());
    near_->transform().evaluate(k, of_near.data(), of_near.data() + bank_.size());
    for (std::size_t q = 0; q < bank_.size(); ++q) {
        value[q] -= of_near[q];
        slope[q] -= of_near[bank_.size() + q] / k;
    }
}

void FieldSpectrum::evaluate(const Vec3& k, const std::array<int, 3>& integers, Values& out) const {
    const double norm = std::sqrt(dot(k, k));
    std::fill(out.turn.begin(), out.turn.end(), 0.0);
    std::fill(out.slope.begin(), out.slope.end(), 0.0);
    if (norm > k_max()) {  // a much compressed cell; the term has decayed
        std::fill(out.value.begin(), out.value.end(), 0.0);
        return;
    }
    if (integers == std::array<int, 3>{}) return evaluate_zero(out);
    evaluate(norm, out.value.data(), out.slope.data());
    if (padding_.there()) truncate(k, integers, out);
}

void FieldSpectrum::evaluate_zero(Values& out) const {
    // what a near part takes away of a charge distribution is nothing of the charge
    const bool charges = padding_.there() && description_.exponent == 1;
    const SlabFactor::Zero of_slab(padding_.length);
    const double g = kernel_->at_zero();
    for (std::size_t q = 0; q < bank_.size(); ++q) {
        const double b = bank_.table.data[q];
        if (charges) {
            out.value[q] = of_slab.value * b;
            out.turn[q] = of_slab.turn * b;
        } else {
            out.value[q] = g * b - (near_ == nullptr ? 0.0 : near_->transform().data[q]);
        }
    }
}

void FieldSpectrum::truncate(const Vec3& k, const std::array<int, 3>& integers, Values& out) const {
    const auto axis = static_cast<std::size_t>(padding_.axis);
    const double along = 6.28318530717958647693 * integers[axis] / padding_.length;
    const bool normal = integers[(axis + 1) % 3] == 0 && integers[(axis + 2) % 3] == 0;
    const double in_plane = normal ? 0.0 : std::sqrt(std::max(dot(k, k) - along * along, 0.0));
    const SlabFactor factor(description_.exponent, in_plane, integers[axis], padding_.length);
    for (std::size_t q = 0; q < bank_.size(); ++q) {
        out.turn[q] = factor.turn * out.value[q];
        out.value[q] *= factor.value;
        out.slope[q] *= factor.value;
    }
}

}  // namespace mlcalc
