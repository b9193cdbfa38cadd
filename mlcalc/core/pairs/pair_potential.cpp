// SPDX-License-Identifier: BSD-3-Clause
#include "pairs/pair_potential.hpp"

#include "pairs/pair_table.hpp"
#include "pairs/zbl.hpp"

namespace mlcalc {

std::vector<std::unique_ptr<PairPotential>> make_pair_potentials(const Model& model) {
    std::vector<std::unique_ptr<PairPotential>> potentials;
    if (model.zbl) potentials.push_back(std::make_unique<Zbl>(*model.zbl, model.species));
    for (const PairTableDescription& entry : model.pairs) {
        potentials.push_back(std::make_unique<PairTable>(entry, static_cast<int>(model.species.size())));
    }
    return potentials;
}

void add_pairs(const PairPotential& potential, const System& system, const PairGeometry& geometry, Block block,
               double* energies, const Gradient* gradient) {
    const std::size_t cutoff = geometry.index(potential.cutoff()), lanes = static_cast<std::size_t>(geometry.lanes());
    for (const PairGeometry::Group& group : geometry.groups()) {
        const int* pairs = geometry.pairs(group);
        const auto n = static_cast<std::size_t>(geometry.n_pairs(group, cutoff));
        const int center_species = system.atoms.species[group.center];
        for (std::size_t k = 0; k < n; ++k) {
            const double* lane = geometry.geometry(group) + 5 * (k / lanes * lanes) + k % lanes;
            double energy = 0.0, slope = 0.0;
            potential.pair(center_species, group.species, lane[3 * lanes], energy, slope);
            energies[group.center - block.begin] += 0.5 * energy;
            if (gradient == nullptr) continue;
            const Vec3 unit{lane[0], lane[lanes], lane[2 * lanes]};
            gradient->add_pair(group.center, system.pairs.j[pairs[k]], system.pairs.r_ij[pairs[k]], 0.5 * slope * unit);
        }
    }
}

}  // namespace mlcalc
