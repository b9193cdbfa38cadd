// SPDX-License-Identifier: BSD-3-Clause
#include "far_field/slab_kernel.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include "far_field/field_kernel.hpp"

namespace mlcalc {
namespace {

constexpr double pi = 3.14159265358979323846;
constexpr double layer = 0.1;  // atoms per Angstrom^2 of a layer, and per Angstrom^3

/// Of one coefficient: k^(l+1) g F on the wave numbers k, the spectrum of the force along the normal of a layer.
struct Forces {
    int l;
    std::vector<double> spectrum;
    double limit = 0.0;  ///< the force far away, that of a charged plane
    double scale = 0.0;  ///< rms of the force of independent atoms
};

std::vector<Forces> forces_of(const FieldDescription& d, std::size_t n, double dk) {
    const SplineTable& table = d.reciprocal;
    const auto kernel = make_field_kernel(d);
    std::vector<Forces> out;
    for (std::size_t q = 0; q < table.n_functions; ++q) out.push_back({static_cast<int>(q) / d.n_max, {}});
    std::vector<double> f(table.n_functions), df(table.n_functions);
    for (std::size_t step = 0; step < n; ++step) {
        const double k = (static_cast<double>(step) + 0.5) * dk;
        double g, dg;
        kernel->evaluate(k, g, dg);
        table.evaluate(k, f.data(), df.data());
        for (std::size_t q = 0; q < f.size(); ++q) {
            out[q].spectrum.push_back(std::pow(k, out[q].l + 1) * g * f[q]);
            out[q].scale += std::pow(k * out[q].spectrum.back(), 2) * dk;
        }
    }
    for (std::size_t q = 0; q < f.size(); ++q) {
        out[q].scale = std::sqrt(2.0 * layer / pi * out[q].scale);
        if (d.exponent == 1 && out[q].l == 0) out[q].limit = 2.0 * pi * table.data[q];
    }
    return out;
}

/// Of the force of a layer on an atom at each distance, what a cutoff there changes in units of the rms force.
std::vector<double> errors_of_cutoff(const FieldDescription& d, std::size_t n_distances, double dz) {
    // images of this sum over k are at 2 pi n / k_max, far beyond all distances
    const double k_max = d.reciprocal.x_max(), longest = static_cast<double>(n_distances) * dz;
    const auto n = static_cast<std::size_t>(std::max(400.0, k_max * longest));
    const double dk = k_max / static_cast<double>(n);
    const std::vector<Forces> forces = forces_of(d, n, dk);
    const double largest = std::max_element(forces.begin(), forces.end(), [](const Forces& a, const Forces& b) {
                               return a.scale < b.scale;
                           })->scale;
    std::vector<double> out(n_distances, 0.0), sine(n), cosine(n);
    for (std::size_t i = 0; i < n_distances; ++i) {
        const double z = static_cast<double>(i) * dz;
        for (std::size_t step = 0; step < n; ++step) {
            const double phase = (static_cast<double>(step) + 0.5) * dk * z;
            sine[step] = std::sin(phase) * dk / pi;
            cosine[step] = std::cos(phase) * dk / pi;
        }
        for (const Forces& force : forces) {
            if (!(force.scale > 1e-14 * largest)) continue;
            const std::vector<double>& wave = force.l % 2 == 0 ? sine : cosine;
            double sum = -force.limit;
            for (std::size_t step = 0; step < n; ++step) sum += force.spectrum[step] * wave[step];
            const double factor = 2.0 * std::sqrt(4.0 * pi * (2.0 * force.l + 1.0)) * layer / force.scale;
            out[i] = std::max(out[i], factor * std::abs(sum));
        }
    }
    return out;
}

}  // namespace

void require_slab_kernel(const FieldDescription& d) {
    if (d.exponent <= 1) return;
    throw std::invalid_argument("the far field of a slab is defined for exponent 1 (and 0), but expansion '" + d.name +
                                "' has exponent " + std::to_string(d.exponent) +
                                "; give the slab vacuum and make every direction periodic");
}

double slab_reach(const FieldDescription& d, double accuracy) {
    constexpr std::size_t n = 100;
    const double longest = d.real.x_max(), dz = longest / n;  // the field of an atom is that of its multipole there
    const std::vector<double> errors = errors_of_cutoff(d, n + 1, dz);
    std::size_t i = n;
    while (i > 0 && errors[i - 1] <= 0.3 * accuracy) --i;
    return static_cast<double>(i) * dz;
}

SlabFactor::SlabFactor(int exponent, double k_in_plane, int m, double length) : value(1.0), turn(0.0) {
    if (exponent == 0) return;
    const double phase = 0.5 * k_in_plane * length;
    if (phase > 45.0) return;  // below rounding, and few wave vectors are left that turn
    const double end = (m % 2 == 0 ? 1.0 : -1.0) * std::exp(-phase);
    value = 1.0 - end;
    turn = end * phase;
}

SlabFactor::Zero::Zero(double length) : value(-0.5 * pi * length * length), turn(2.0 * value) {}

}  // namespace mlcalc
