// SPDX-License-Identifier: BSD-3-Clause
#include "pairs/zbl.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace mlcalc {
namespace {

constexpr double coulomb = 14.399645;  ///< eV Angstrom, the value of LAMMPS's units metal
constexpr double amplitude[4] = {0.02817, 0.28022, 0.50986, 0.18175};
constexpr double decay[4] = {0.20162, 0.40290, 0.94229, 3.19980};

/// charge / r sum_k amplitude_k exp(-decay_k r / a) and two derivatives.
std::array<double, 3> screened(double charge, double inverse_a, double r) {
    double phi = 0.0, d_phi = 0.0, dd_phi = 0.0;
    for (int k = 0; k < 4; ++k) {
        const double rate = decay[k] * inverse_a;
        const double term = amplitude[k] * std::exp(-rate * r);
        phi += term;
        d_phi -= rate * term;
        dd_phi += rate * rate * term;
    }
    const double f = charge / r;
    return {f * phi, f * (d_phi - phi / r), f * (dd_phi - 2.0 * d_phi / r + 2.0 * phi / (r * r))};
}

}  // namespace

Zbl::Zbl(const ZblDescription& description, const std::vector<int>& numbers)
    : cutoff_(*std::max_element(description.outer.begin(), description.outer.end())),
      n_species_(static_cast<int>(numbers.size())) {
    for (const int z_i : numbers) {
        for (const int z_j : numbers) {
            Pair pair;
            pair.inner = description.inner[pairs_.size()];
            pair.outer = description.outer[pairs_.size()];
            pair.charge = coulomb * z_i * z_j;
            pair.inverse_a = (std::pow(z_i, 0.23) + std::pow(z_j, 0.23)) / 0.46850;
            const auto [e, d, dd] = screened(pair.charge, pair.inverse_a, pair.outer);
            const double width = pair.outer - pair.inner;
            pair.a = (-3.0 * d + width * dd) / (width * width);
            pair.b = (2.0 * d - width * dd) / (width * width * width);
            pair.c = -e + 0.5 * width * d - width * width * dd / 12.0;
            pairs_.push_back(pair);
        }
    }
}

void Zbl::pair(int a, int b, double r, double& energy, double& slope) const {
    const Pair& p = pairs_[static_cast<std::size_t>(a * n_species_ + b)];
    energy = slope = 0.0;
    if (r >= p.outer) return;
    const auto value = screened(p.charge, p.inverse_a, r);
    energy = value[0] + p.c;
    slope = value[1];
    if (r > p.inner) {
        const double t = r - p.inner;
        energy += t * t * t * (p.a / 3.0 + p.b / 4.0 * t);
        slope += t * t * (p.a + p.b * t);
    }
}

}  // namespace mlcalc
