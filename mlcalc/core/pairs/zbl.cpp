// SPDX-License-Identifier: BSD-3-Clause
#include "pairs/zbl.hpp"

#include <cmath>

#include "pairs/pair_geometry.hpp"

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
    : inner_(description.inner), outer_(description.outer), n_species_(static_cast<int>(numbers.size())) {
    for (const int z_i : numbers) {
        for (const int z_j : numbers) {
            Pair pair;
            pair.charge = coulomb * z_i * z_j;
            pair.inverse_a = (std::pow(z_i, 0.23) + std::pow(z_j, 0.23)) / 0.46850;
            const auto [e, d, dd] = screened(pair.charge, pair.inverse_a, outer_);
            const double width = outer_ - inner_;
            pair.a = (-3.0 * d + width * dd) / (width * width);
            pair.b = (2.0 * d - width * dd) / (width * width * width);
            pair.c = -e + 0.5 * width * d - width * width * dd / 12.0;
            pairs_.push_back(pair);
        }
    }
}

void Zbl::pair(int a, int b, double r, double& energy, double& derivative) const {
    const Pair& p = pairs_[static_cast<std::size_t>(a * n_species_ + b)];
    const auto value = screened(p.charge, p.inverse_a, r);
    energy = value[0] + p.c;
    derivative = value[1];
    if (r > inner_) {
        const double t = r - inner_;
        energy += t * t * t * (p.a / 3.0 + p.b / 4.0 * t);
        derivative += t * t * (p.a + p.b * t);
    }
}

void Zbl::compute(const Atoms& atoms, const NeighborList& list, int begin, int end, double* energies, Vec3* gradient,
                  Mat3& strain, Mat3* atom_strain) const {
    for (int i = begin; i < end; ++i) {
        if (atoms.species[i] < 0) continue;
        for (int k = list.first[i]; k < list.first[i + 1]; ++k) {
            const int j = list.j[k];
            const Vec3& r = list.r_ij[k];
            const double r2 = r[0] * r[0] + r[1] * r[1] + r[2] * r[2];
            if (!(r2 > 0.0) || !std::isfinite(r2)) refuse_pair(i, j, r2);
            if (atoms.species[j] < 0 || r2 >= outer_ * outer_) continue;
            const double distance = std::sqrt(r2);
            double energy = 0.0, derivative = 0.0;
            pair(atoms.species[i], atoms.species[j], distance, energy, derivative);
            energies[i - begin] += 0.5 * energy;
            if (gradient == nullptr) continue;
            for (std::size_t x = 0; x < 3; ++x) {
                const double g = 0.5 * derivative * r[x] / distance;
                gradient[j][x] += g;
                gradient[i][x] -= g;
                for (std::size_t y = 0; y < 3; ++y) {
                    strain[x][y] += g * r[y];
                    if (atom_strain != nullptr) atom_strain[i][x][y] += g * r[y];
                }
            }
        }
    }
}

}  // namespace mlcalc
