// SPDX-License-Identifier: BSD-3-Clause
#include "far_field/spectrum.hpp"

#include <algorithm>

#include "far_field/near_part.hpp"

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

FieldSpectrum::FieldSpectrum(const FieldDescription& description, std::shared_ptr<const NearPart> near)
    : bank_(description), kernel_(make_field_kernel(description)), near_(std::move(near)) {}

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

void FieldSpectrum::at_zero(double* value) const {
    const double g = kernel_->at_zero();
    for (std::size_t q = 0; q < bank_.size(); ++q) {
        value[q] = g * bank_.table.data[q] - (near_ == nullptr ? 0.0 : near_->transform().data[q]);
    }
}

}  // namespace mlcalc
