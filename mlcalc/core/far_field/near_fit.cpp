// SPDX-License-Identifier: BSD-3-Clause
#include "far_field/near_fit.hpp"

#include <algorithm>
#include <cmath>

#include "base/quadrature.hpp"
#include "far_field/near_part.hpp"

namespace mlcalc {
namespace {

constexpr double pi = 3.14159265358979323846;
constexpr std::size_t n_steps_of_fit = 360;
constexpr int n_nodes = 128;

/// P_j^(1/2, b)(y), j = 0 .. n - 1.
std::vector<double> jacobi(int n, double b, double y) {
    const double a = 0.5;
    std::vector<double> p{1.0, 0.5 * (a - b + (a + b + 2.0) * y)};
    for (int j = 2; j < n; ++j) {
        const double c = 2.0 * j + a + b;
        p.push_back(((c - 1.0) * (c * (c - 2.0) * y + a * a - b * b) * p[static_cast<std::size_t>(j - 1)] -
                     2.0 * (j + a - 1.0) * (j + b - 1.0) * c * p[static_cast<std::size_t>(j - 2)]) /
                    (2.0 * j * (j + a + b) * (c - 2.0)));
    }
    p.resize(static_cast<std::size_t>(n));
    return p;
}

/// x of (G + tiny) x = b, G symmetric and positive (n, n), by Cholesky factors.
std::vector<double> solve(std::vector<double> g, std::vector<double> b) {
    const std::size_t n = b.size();
    for (std::size_t i = 0; i < n; ++i) g[i * n + i] *= 1.0 + 1e-13;
    for (std::size_t j = 0; j < n; ++j) {
        for (std::size_t k = 0; k < j; ++k) g[j * n + j] -= g[j * n + k] * g[j * n + k];
        const double root = std::sqrt(std::max(g[j * n + j], 1e-30));
        g[j * n + j] = root;
        for (std::size_t i = j + 1; i < n; ++i) {
            for (std::size_t k = 0; k < j; ++k) g[i * n + j] -= g[i * n + k] * g[j * n + k];
            g[i * n + j] /= root;
        }
    }
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t k = 0; k < i; ++k) b[i] -= g[i * n + k] * b[k];
        b[i] /= g[i * n + i];
    }
    for (std::size_t i = n; i-- > 0;) {
        for (std::size_t k = i + 1; k < n; ++k) b[i] -= g[k * n + i] * b[k];
        b[i] /= g[i * n + i];
    }
    return b;
}

}  // namespace

NearFit::NearFit(const FieldDescription& d, const FieldSpectrum& spectrum, double radius)
    : spectrum_(&spectrum), n_l_(static_cast<std::size_t>(d.l_max) + 1), alpha_(d.l_max + 3), radius_(radius) {
    double end = spectrum.k_max();
    std::size_t most = 0;
    for (std::size_t q = 0; q < spectrum.bank().size() && radius > 0.0; ++q) {
        n_of_filter_.push_back(n_functions(q));
        most = std::max(most, n_of_filter_.back());
    }
    if (most > 0) end = std::max(end, 2.5 * (2.0 * static_cast<double>(most) + alpha_) / radius);
    step_ = end / static_cast<double>(n_steps_of_fit);
    const std::size_t n_q = spectrum.bank().size();
    f_.assign(n_q * n_steps_of_fit, 0.0);
    std::vector<double> f(n_q), slope(n_q);
    for (std::size_t i = 0; i < n_steps_of_fit; ++i) {
        k_.push_back((static_cast<double>(i) + 0.5) * step_);
        if (k_.back() > spectrum.k_max()) continue;
        spectrum.evaluate(k_.back(), f.data(), slope.data());
        for (std::size_t q = 0; q < n_q; ++q) f_[q * n_steps_of_fit + i] = f[q];
    }
    if (most > 0) make_functions();
}

/// Of the Gaussian whose spectrum of forces ends where that of the filter does, exp(-k^2 width^2 / 2).
double NearFit::width(std::size_t q) const {
    constexpr std::size_t n = 300;
    std::vector<double> f(spectrum_->bank().size()), slope(f.size()), tail(n + 1, 0.0);
    const int power = 2 * spectrum_->bank().l_max(q) + 4;
    for (std::size_t i = n; i-- > 0;) {
        const double k = (static_cast<double>(i) + 0.5) * spectrum_->k_max() / n;
        spectrum_->evaluate(k, f.data(), slope.data());
        tail[i] = tail[i + 1] + f[q] * f[q] * std::pow(k, power);
    }
    std::size_t end = n;
    while (end > 1 && tail[end - 1] < 1e-12 * tail[0]) --end;
    return 5.5 / (static_cast<double>(end) * spectrum_->k_max() / n);
}

/// As many as reach the end of its spectrum.
std::size_t NearFit::n_functions(std::size_t q) const {
    return std::min<std::size_t>(static_cast<std::size_t>(2.6 * radius_ / width(q)) + 4, 48);
}

void NearFit::make_functions() {
    const auto n = static_cast<int>(*std::max_element(n_of_filter_.begin(), n_of_filter_.end()));
    const auto n_functions = static_cast<std::size_t>(n);
    functions_.assign(n_functions, std::vector<double>(k_.size(), 0.0));
    const GaussLegendre quadrature(n_nodes);
    for (std::size_t s = 0; s < n_nodes; ++s) {
        const double x = 0.5 * (quadrature.nodes[s] + 1.0), r = radius_ * x;
        const double factor = 0.5 * radius_ * quadrature.weights[s] * r * std::pow(1.0 - x * x, alpha_);
        const std::vector<double> p = jacobi(n, alpha_, 1.0 - 2.0 * x * x);
        for (std::size_t i = 0; i < k_.size(); ++i) {
            const double wave = factor * std::sin(k_[i] * r) / k_[i];
            for (std::size_t j = 0; j < n_functions; ++j) functions_[j][i] += wave * p[j];
        }
    }
    const int degree = alpha_ + n;  // of the polynomials in v
    polynomials_.assign(n_functions, std::vector<double>(static_cast<std::size_t>(degree) + 1, 0.0));
    for (int t = 0; t <= degree; ++t) {
        const double angle = pi * (t + 0.5) / (degree + 1), v = std::cos(angle);
        const double weight = std::pow(0.5 * (1.0 - v), alpha_);  // 1 - x^2 = (1 - v) / 2
        const std::vector<double> p = jacobi(n, alpha_, -v);
        for (int c = 0; c <= degree; ++c) {
            const double factor = (c == 0 ? 1.0 : 2.0) / (degree + 1) * std::cos(c * angle) * weight;
            for (std::size_t j = 0; j < n_functions; ++j) polynomials_[j][static_cast<std::size_t>(c)] += factor * p[j];
        }
    }
}

/// Of the squared rest: mean over l of k^(2l+4) A_l dk in units of the whole.
std::vector<double> NearFit::weights(std::size_t q, const std::vector<double>& amplification) const {
    std::vector<bool> used(n_l_, false);
    for (const FilterBank::Use& use : spectrum_->bank().uses[q]) used[static_cast<std::size_t>(use.l)] = true;
    const double* f = &f_[q * k_.size()];
    std::vector<double> out(k_.size(), 0.0);
    for (std::size_t l = 0; l < n_l_; ++l) {
        if (!used[l]) continue;
        double total = 0.0;
        for (std::size_t i = 0; i < k_.size(); ++i) {
            total += f[i] * f[i] * std::pow(k_[i], static_cast<int>(2 * l + 4));
        }
        for (std::size_t i = 0; i < k_.size() && total > 0.0; ++i) {
            out[i] += std::pow(k_[i], static_cast<int>(2 * l + 4)) * amplification[i * n_l_ + l] / total;
        }
    }
    return out;
}

std::vector<double> NearFit::rest(std::size_t q, const std::vector<double>& amplification,
                                  std::vector<double>* series) const {
    std::vector<double> out(f_.begin() + static_cast<long>(q * k_.size()),
                            f_.begin() + static_cast<long>((q + 1) * k_.size()));
    if (n_of_filter_.empty()) return out;
    const std::size_t n = n_of_filter_[q];
    const std::vector<double> w = weights(q, amplification);
    std::vector<double> g(n * n, 0.0), b(n, 0.0), weighted(k_.size());
    for (std::size_t j = 0; j < n; ++j) {
        for (std::size_t i = 0; i < k_.size(); ++i) weighted[i] = w[i] * functions_[j][i];
        for (std::size_t i = 0; i < k_.size(); ++i) b[j] += weighted[i] * out[i];
        for (std::size_t m = 0; m <= j; ++m) {
            double sum = 0.0;
            for (std::size_t i = 0; i < k_.size(); ++i) sum += weighted[i] * functions_[m][i];
            g[j * n + m] = g[m * n + j] = sum;
        }
    }
    std::vector<double> scale;
    for (std::size_t j = 0; j < n; ++j) scale.push_back(1.0 / std::sqrt(std::max(g[j * n + j], 1e-300)));
    for (std::size_t j = 0; j < n; ++j) {
        b[j] *= scale[j];
        for (std::size_t m = 0; m < n; ++m) g[j * n + m] *= scale[j] * scale[m];
    }
    std::vector<double> a = solve(std::move(g), std::move(b));
    for (std::size_t j = 0; j < n; ++j) {
        a[j] *= scale[j];
        for (std::size_t i = 0; i < k_.size(); ++i) out[i] -= a[j] * functions_[j][i];
    }
    if (series != nullptr) *series = series_of(a);
    return out;
}

std::vector<double> NearFit::series_of(const std::vector<double>& coefficients) const {
    std::vector<double> out(polynomials_[0].size(), 0.0);
    for (std::size_t j = 0; j < coefficients.size(); ++j) {
        for (std::size_t c = 0; c < out.size(); ++c) out[c] += coefficients[j] * polynomials_[j][c];
    }
    return out;
}

}  // namespace mlcalc
