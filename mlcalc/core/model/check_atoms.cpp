// SPDX-License-Identifier: BSD-3-Clause
#include "model/check_atoms.hpp"

#include <cmath>
#include <string>

#include "base/failure.hpp"

namespace mlcalc {

void check_atoms(const Model& model, const Atoms& atoms) {
    const int n_species = static_cast<int>(model.species.size());
    for (int i = 0; i < atoms.n_all; ++i) {
        if (atoms.species[i] >= n_species) {
            throw AtomFailure("atom {} has species index " + std::to_string(atoms.species[i]) + ", the model has " +
                                  std::to_string(n_species) + " species",
                              {i});
        }
    }
    if (!model.has_far_field()) return;
    for (int i = 0; i < atoms.n_local; ++i) {
        const Vec3& r = atoms.positions[i];
        if (!std::isfinite(r[0]) || !std::isfinite(r[1]) || !std::isfinite(r[2])) {
            throw AtomFailure("the position of atom {} is not finite", {i});
        }
    }
}

}  // namespace mlcalc
