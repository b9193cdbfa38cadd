// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <vector>

#include "base/coefficients.hpp"

namespace mlcalc {

/// Mixing of species: u_Ja is what an atom of species a adds to channel J. It is linear, so what atoms of one species
/// add is summed first.
class Channels {
public:
    /// `mixing` (n_channels, n_species) row-major; empty: one channel per species.
    Channels(int n_species, std::vector<double> mixing) : n_species_(n_species), weights_(std::move(mixing)) {
        const auto n = static_cast<std::size_t>(n_species);
        n_channels_ = weights_.empty() ? n_species : static_cast<int>(weights_.size() / n);
        if (!weights_.empty()) return;
        weights_.assign(n * n, 0.0);
        for (std::size_t a = 0; a < n; ++a) weights_[a * n + a] = 1.0;
    }
    int size() const { return n_channels_; }
    int n_species() const { return n_species_; }
    double weight(int channel, int species) const {
        return weights_[static_cast<std::size_t>(channel * n_species_ + species)];
    }

    /// c_J += factor u_Ja f of all channels J, f[lm * ld + n].
    void add(int species, double factor, const CoefficientShape& shape, const double* f, int ld, double* c) const {
        for (int channel = 0; channel < n_channels_; ++channel) {
            const double u = factor * weight(channel, species);
            double* to = c + channel * shape.n_max;
            for (int lm = 0; lm < shape.n_lm() && u != 0.0; ++lm, to += shape.stride()) {
                for (int n = 0; n < shape.n_max; ++n) to[n] += u * f[lm * ld + n];
            }
        }
    }
    /// f_adj = sum_J u_Ja c_adj_J
    void adjoint(int species, const CoefficientShape& shape, const double* c_adj, double* f_adj, int ld) const {
        std::fill_n(f_adj, shape.n_lm() * ld, 0.0);
        for (int channel = 0; channel < n_channels_; ++channel) {
            const double u = weight(channel, species);
            const double* from = c_adj + channel * shape.n_max;
            for (int lm = 0; lm < shape.n_lm() && u != 0.0; ++lm, from += shape.stride()) {
                for (int n = 0; n < shape.n_max; ++n) f_adj[lm * ld + n] += u * from[n];
            }
        }
    }

private:
    int n_species_, n_channels_ = 0;
    std::vector<double> weights_;
};

}  // namespace mlcalc
