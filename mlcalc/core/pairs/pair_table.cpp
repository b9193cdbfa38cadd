// SPDX-License-Identifier: BSD-3-Clause
#include "pairs/pair_table.hpp"

#include <algorithm>

namespace mlcalc {

PairTable::PairTable(const PairTableDescription& description, int n_species)
    : n_species_(n_species), tables_(static_cast<std::size_t>(n_species) * static_cast<std::size_t>(n_species)) {
    for (const TableOfPair& table : description.tables) {
        tables_.at(static_cast<std::size_t>(table.a * n_species + table.b)) = &table;
        tables_.at(static_cast<std::size_t>(table.b * n_species + table.a)) = &table;
        cutoff_ = std::max(cutoff_, table.smoothing.cutoff);
    }
}

void PairTable::pair(int a, int b, double r, double& energy, double& slope) const {
    energy = slope = 0.0;
    const TableOfPair* table = tables_[static_cast<std::size_t>(a * n_species_ + b)];
    if (table == nullptr || r >= table->smoothing.cutoff) return;
    double value = 0.0, derivative = 0.0, f = 0.0, f_slope = 0.0;
    if (r >= table->inner) {
        table->energy.evaluate(r - table->inner, &value, &derivative);
    } else {
        const double* knot = table->energy.data.data();
        const double t = r - table->inner;
        value = knot[0] + t * (knot[1] + 0.5 * t * knot[2]);
        derivative = knot[1] + t * knot[2];
    }
    table->smoothing.evaluate(r, f, f_slope);
    energy = f * value;
    slope = f * derivative + f_slope * value;
}

}  // namespace mlcalc
