// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/checked_json.hpp"
#include "model/description.hpp"
#include "model/safetensors.hpp"

namespace mlcalc {

inline constexpr int format_version = 4;
// generous bounds for what any model needs; they keep every size far from overflow
inline constexpr long long max_n = 64, max_channels = 512, max_members = 1024, max_list = 64;
inline constexpr std::size_t max_features = std::size_t{1} << 24;  // of an invariant: what an evaluation forms per atom
inline constexpr double min_length = 1e-6, max_length = 1000.0;    // Angstrom
inline constexpr double max_number = 1e12;

/// Reads the description of one model; the tensors it asks for must be there in the right shape.
class ModelReader {
public:
    ModelReader(TensorFile& tensors, const Field& document) : tensors_(tensors), document_(document) {}
    void read(Model& model);

private:
    void read_species(Model& model) const;
    void read_baseline(Model& model) const;
    void read_pair_tables(Model& model);
    void read_triples(Model& model);
    int any_species(const Field& field, const Model& model) const;
    TableOfPair read_pair_table(const Field& field, const std::string& tensor, const Model& model);
    int species_index(const Field& field, const Model& model) const;
    /// A value per pair of species (n, n), in the file a number for all or, since version 3, a symmetric matrix.
    template <class Read>
    std::vector<double> read_pairs(const Field& field, std::size_t n, Read read) const;
    void read_committee(Model& model) const;
    void require_something(const Model& model) const;
    void check_information(const Model& model);
    void read_boundaries(Model& model) const;
    ExpansionDescription read_expansion(const Field& field, const Model& model);
    DensityDescription read_density(const Field& field, const Model& model);
    void read_density_basis(const Field& basis) const;
    FieldDescription read_potential(const Field& field, const Model& model);
    void read_free_boundaries(const std::string& prefix, FieldDescription& out);
    void read_filters(const std::string& prefix, FieldDescription& out);
    SplineTable read_table(const std::string& name, double x_max, int n_max, int l_max);
    CutoffFunction read_smoothing(const Field& field) const;
    std::vector<double> read_mixing(const Field& field, const std::string& name, int n_species);
    MixingDescription read_layer(const Field& field, const Model& model);
    Term read_term(const Field& field, const Model& model);
    std::vector<Invariant> read_invariants(const Field& list, const Model& model, const std::string& prefix,
                                           std::size_t& n_features);
    Invariant read_invariant(const Field& field, const Model& model, const std::string& prefix);
    static SphericalType read_type(const Field& field);
    static void check_type(const Field& field, const Invariant& invariant, const Model& model);
    int read_set(const Field& field, const Model& model) const;
    std::shared_ptr<const ChannelTable> read_table(const Field& field, const std::string& prefix,
                                                   const SphericalType& type, int l_max, int& nu);
    std::vector<int> read_selection(const std::string& name, std::size_t n_features);
    LinearDescription read_linear(const Field& field, const Term& term, const Model& model);
    KernelDescription read_kernel(const Field& field, const Term& term, const Model& model);
    TensorOutput read_output(const Field& field, const Model& model);
    TensorPart read_part(const Field& field, const TensorOutput& output, const Model& model);
    TensorKernelDescription read_tensor_kernel(const Field& field, const TensorPart& part, const std::string& prefix,
                                               const Model& model);
    void require_smooth_normalization(const Field& field, const Term& term, const Model& model) const;

    TensorFile& tensors_;
    Field document_;
    long long version_ = format_version;
};

}  // namespace mlcalc
