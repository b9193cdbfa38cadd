// SPDX-License-Identifier: BSD-3-Clause
#include "far_field/field_error.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace mlcalc {
namespace {

constexpr double pi = 3.14159265358979323846;

/// int k^2 (g_p F_nl k^(l+1))^2 dk of every coefficient, from k on, at the steps k = i dk: the spectrum of its forces
/// for independent atoms.
std::vector<std::vector<double>> tails(const FieldDescription& d, int n) {
    const SplineTable& table = d.reciprocal;
    const auto kernel = make_field_kernel(d);
    const double dk = table.x_max() / n;
    std::vector<double> f(table.n_functions), df(table.n_functions);
    std::vector<std::vector<double>> out(static_cast<std::size_t>(n) + 1, std::vector<double>(table.n_functions, 0.0));
    for (int step = n - 1; step >= 0; --step) {
        const double k = (step + 0.5) * dk;
        double g, dg;
        kernel->evaluate(k, g, dg);
        table.evaluate(k, f.data(), df.data());
        for (std::size_t q = 0; q < f.size(); ++q) {
            const int l = static_cast<int>(q) / d.n_max;
            const double term = g * g * f[q] * f[q] * std::pow(k, 2 * l + 4) * dk;
            out[static_cast<std::size_t>(step)][q] = out[static_cast<std::size_t>(step) + 1][q] + term;
        }
    }
    return out;
}

/// Does a coefficient count? Those of a radial function that vanishes have no forces, and no relative error.
bool counts(double total, const std::vector<double>& all) {
    return total > 1e-28 * *std::max_element(all.begin(), all.end());
}

void require_finite(const FieldDescription& d, const std::vector<double>& total) {
    if (std::all_of(total.begin(), total.end(), [](double t) { return std::isfinite(t); })) return;
    throw std::invalid_argument("the radial functions of expansion '" + d.name +
                                "' are out of range: their spectrum is not finite");
}

}  // namespace

double converged_cutoff(const FieldDescription& d, double accuracy) {
    const int n = 600;
    const double dk = d.reciprocal.x_max() / n, safety = 0.6;
    const std::vector<std::vector<double>> tail = tails(d, n);
    require_finite(d, tail[0]);
    for (std::size_t step = static_cast<std::size_t>(n); step-- > 0;) {
        double error = 0.0, n_counted = 0.0;
        for (std::size_t f = 0; f < tail[0].size(); ++f) {
            if (!counts(tail[0][f], tail[0])) continue;
            error += tail[step][f] / tail[0][f];
            n_counted += 1.0;
        }
        if (n_counted > 0.0 && !(std::sqrt(error / n_counted) <= safety * accuracy)) {
            return static_cast<double>(step + 1) * dk;
        }
    }
    return dk;
}

FieldError::FieldError(const FieldDescription& d, const FieldSpectrum& whole, double radius)
    : description_(&d), spectrum_(&whole), fit_(d, whole, radius), total_(tails(d, 300)[0]) {
    require_finite(d, total_);
}

const Amplification& FieldError::amplification(int order, double beta) {
    const auto found = amplifications_.find({order, beta});
    if (found != amplifications_.end()) return found->second;
    const int l_max = description_->l_max;
    return amplifications_.emplace(std::pair{order, beta}, Amplification(Window(order, beta, l_max), l_max))
        .first->second;
}

double FieldError::mesh(const std::vector<std::size_t>& filters, int order, double beta, double spacing,
                        Series* series) {
    const Amplification& window = amplification(order, beta);
    const auto n_l = static_cast<std::size_t>(description_->l_max) + 1;
    std::vector<double> a(fit_.n_steps() * n_l);
    for (std::size_t i = 0; i < fit_.n_steps(); ++i) {
        window.evaluate(fit_.wave_number(i) * spacing / (2.0 * pi), &a[i * n_l]);
    }
    return squared(filters, a, series);
}

/// Nothing is wrong below the cutoff; the small number there keeps a near part from growing.
double FieldError::ksum(double k_cutoff, double accuracy, Series* series) const {
    const auto n_l = static_cast<std::size_t>(description_->l_max) + 1;
    std::vector<double> a(fit_.n_steps() * n_l);
    std::vector<std::size_t> all;
    for (std::size_t q = 0; q < spectrum_->bank().size(); ++q) all.push_back(q);
    for (std::size_t i = 0; i < fit_.n_steps(); ++i) {
        std::fill_n(&a[i * n_l], n_l, fit_.wave_number(i) > k_cutoff ? 1.0 : 1e-4 * accuracy * accuracy);
    }
    return squared(all, a, series);
}

double FieldError::squared(const std::vector<std::size_t>& filters, const std::vector<double>& amplification,
                           Series* series) const {
    const FilterBank& bank = spectrum_->bank();
    const auto n_max = static_cast<std::size_t>(description_->n_max), n_l = total_.size() / n_max;
    if (series != nullptr) series->resize(bank.size());
    std::vector<double> amplitude(fit_.n_steps() * total_.size(), 0.0), wrong(total_.size(), 0.0);
    for (const std::size_t q : filters) {
        const std::vector<double> rest = fit_.rest(q, amplification, series == nullptr ? nullptr : &(*series)[q]);
        for (const FilterBank::Use& use : bank.uses[q]) {
            const auto c = static_cast<std::size_t>(use.l) * n_max + static_cast<std::size_t>(use.n);
            for (std::size_t i = 0; i < rest.size(); ++i) amplitude[i * total_.size() + c] += use.weight * rest[i];
        }
    }
    for (std::size_t i = 0; i < fit_.n_steps(); ++i) {
        const double k2 = fit_.wave_number(i) * fit_.wave_number(i);
        double power = k2 * k2 * fit_.step();
        for (std::size_t l = 0; l < n_l; ++l, power *= k2) {
            for (std::size_t c = l * n_max; c < (l + 1) * n_max; ++c) {
                const double value = amplitude[i * total_.size() + c];
                wrong[c] += amplification[i * n_l + l] * power * value * value;
            }
        }
    }
    double error = 0.0, n = 0.0;
    for (std::size_t c = 0; c < wrong.size(); ++c) {
        if (!counts(total_[c], total_)) continue;
        error += wrong[c] / total_[c];
        n += 1.0;
    }
    return n > 0.0 ? error / n : 0.0;
}

}  // namespace mlcalc
