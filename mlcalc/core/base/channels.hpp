// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <vector>

#include "base/types.hpp"
#include "far_field/far_field.hpp"

namespace mlcalc {

/// Source weights u_Ja: what an atom of species a adds to the field of channel J. Mixing is linear, so pseudo-species
/// are mixed before the field is computed.
class Channels {
public:
    explicit Channels(const PotentialDescription& description)
        : n_channels_(description.n_channels()), n_species_(description.n_species), weights_(description.mixing) {
        if (!weights_.empty()) return;
        weights_.assign(static_cast<std::size_t>(n_channels_) * static_cast<std::size_t>(n_species_), 0.0);
        for (int a = 0; a < n_species_; ++a) weights_[static_cast<std::size_t>(a * n_species_ + a)] = 1.0;
    }
    int size() const { return n_channels_; }
    int n_species() const { return n_species_; }
    double weight(int channel, int species) const {
        return weights_[static_cast<std::size_t>(channel * n_species_ + species)];
    }

private:
    int n_channels_, n_species_;
    std::vector<double> weights_;
};

/// Takes the fraction 1 - center_atom_weight of each atom's own potential out of its coefficients; its periodic images
/// stay. The correction depends neither on positions nor on the cell.
inline void correct_centers(const PotentialDescription& d, const Channels& channels, const Atoms& atoms, double* v) {
    const CoefficientShape shape = d.shape();
    for (int i = 0; i < atoms.n_local; ++i) {
        if (atoms.species[i] < 0) continue;
        double* v_i = v + static_cast<std::size_t>(i) * shape.size();
        for (int channel = 0; channel < channels.size(); ++channel) {
            const double factor = (1.0 - d.center_atom_weight) * channels.weight(channel, atoms.species[i]);
            for (int n = 0; n < d.n_max; ++n) {
                v_i[channel * d.n_max + n] -= factor * d.center[static_cast<std::size_t>(n)];
            }
        }
    }
}

}  // namespace mlcalc
