// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "expansions/density.hpp"
#include "far_field/far_field.hpp"
#include "readouts/product.hpp"

namespace mlcalc {

/// Ziegler-Biersack-Littmark repulsion between all pairs, switched off smoothly from `inner` to `outer` as LAMMPS's
/// pair_style zbl does.
struct ZblDescription {
    double inner = 0.0;
    double outer = 0.0;
};

/// E_i = w[Z_i] . p_i
struct LinearDescription {
    std::vector<double> weights;  ///< (n_members, n_species, n_features)
    /// Per centre species L (n_rows, n_features) of the extrapolation measure |L p|^2; empty: the model has none.
    std::vector<std::vector<double>> leverage;
};

/// E_i = sum_M w_M (p_hat_i . p_hat_M)^zeta, p_hat = p / sqrt(|p|^2 + epsilon^2) if normalised, else p.
struct KernelDescription {
    int zeta = 1;
    bool normalize = true;
    double epsilon = 0.0;
    bool single_precision = false;
    std::vector<std::vector<double>> points;   ///< per centre species (n_points, n_features)
    std::vector<std::vector<double>> weights;  ///< per centre species (n_members, n_points)
};

/// Invariants and the regressor on their concatenation. std::monostate: a descriptor, features only.
struct Term {
    std::string name;
    std::vector<Invariant> invariants;
    std::size_t n_features = 0;  ///< of the concatenation, after selection
    std::variant<std::monostate, LinearDescription, KernelDescription> regressor;
};

using ExpansionDescription = std::variant<DensityDescription, PotentialDescription>;

/// The checked contents of a model file: every length, index and number in it has been validated.
struct Model {
    std::string source;  ///< file name, for messages
    std::string checksum;
    std::vector<int> species;                ///< atomic numbers, ascending
    std::vector<double> reference_energies;  ///< eV per species
    std::optional<ZblDescription> zbl;
    std::vector<ExpansionDescription> expansions;  ///< Invariant::a and b index these
    std::vector<Term> terms;
    int n_members = 1;
    bool has_committee = false;
    double committee_scale = 1.0;
    std::vector<std::string> boundaries;  ///< "periodic", "free": what the model was trained on

    bool has_far_field() const;
};

/// Reads a model from memory or from a file. Throws std::runtime_error with one sentence naming the file and the field.
std::shared_ptr<const Model> parse_model(const void* bytes, std::size_t size, const std::string& source);
std::shared_ptr<const Model> load_model(const std::string& path);

}  // namespace mlcalc
