// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/system.hpp"
#include "coefficient_sets.hpp"
#include "model/description.hpp"
#include "readouts/kernel.hpp"
#include "readouts/product.hpp"
#include "training/feature_tangents.hpp"

namespace mlcalc {

/// Coefficients, features and their derivatives, and the rows of a training problem: what analysis and training need,
/// and molecular dynamics does not. Outputs are overwritten unless said. The methods are collective if the model has a
/// far field; those that store derivatives are serial. They throw std::invalid_argument for an index out of range and
/// for atoms that the model cannot describe.
class Descriptor {
public:
    Descriptor(std::shared_ptr<const Model> model, const FarFieldOptions& options);

    const Model& model() const { return *model_; }
    /// Index of an expansion or a layer. Throws std::invalid_argument for an unknown name.
    int find(const std::string& set) const;
    CoefficientShape shape(int set) const;
    std::size_t n_features(int term) const;
    /// Columns of `design`: the sum over center species of n_features (linear) or of the sparse points (kernel).
    std::size_t n_basis(int term) const;

    /// c (n_local, n_channels, n_max, (l_max + 1)^2)
    void expansion(const System&, int set, double* c);
    /// p (n_local, n_features), after scale and selection, before the normalization of a kernel
    void features(const System&, int term, double* p);
    /// For p_adj = dE/dp: dE/dr added to `gradient` (n_all) and dE/d eps to `strain`.
    void features_backward(const System&, int term, const double* p_adj, Vec3* gradient, Mat3& strain);
    /// dp (n_local, n_features, n_all, 3) and its strain derivative (n_local, n_features, 3, 3).
    void feature_gradients(const System&, int term, double* dp, double* strain);
    /// The derivatives of E, dE/dr and dE/d eps with respect to each weight of the regressor, species-major: energy
    /// (n_basis), gradient (n_all, 3, n_basis), strain (3, 3, n_basis).
    void design(const System&, int term, double* energy, double* gradient, double* strain);
    /// Parameters of the layers, in the order of the model file.
    std::size_t n_parameters(int layer) const;
    void set_parameters(int layer, const std::vector<double>& parameters);
    /// The derivative, with respect to the parameters of a layer that no other layer reads, of e E + the change of E
    /// along `displacements` (n_all) and the strain, for a linear term with weights w (n_species, n_features): added to
    /// parameters_adj. What variable projection needs [Golub, Pereyra, Inverse Problems 19, R1 (2003)].
    void parameter_gradient(const System&, int term, int layer, const double* w, double e, const Vec3* displacements,
                            const Mat3& strain, double* parameters_adj);

private:
    struct TermData {
        FeatureVector features;
        std::vector<int> near, far;             ///< expansions that the term depends on, also through layers
        std::unique_ptr<KernelReadout> kernel;  ///< null for a linear term or none
        std::vector<int> expansions() const;
    };
    /// Where the rows of one term go.
    struct Design {
        double* energy;
        double* gradient;
        double* strain;
        std::size_t n_basis;
        std::size_t column;  ///< of the center's species
        double* row(const FeatureTangents& tangents, std::size_t r, std::size_t n_rows) const;
    };
    const TermData& term(int index) const;
    void start(const System&);
    void start_tangents(const System&, const TermData&);
    /// Coefficients of one center in the workspace; with gradients also adjoints, which are zero.
    void center(const System&, int i, bool gradient);
    void design_linear(const System&, const TermData&, int i, const Design&);
    void design_kernel(const System&, const TermData&, int i, const Design&);
    void design_far(const System&, const TermData&, int i, const Design&);

    std::shared_ptr<const Model> model_;
    CoefficientSets sets_;
    std::vector<TermData> terms_;
    CoefficientSets::Workspace work_;
    std::vector<const double*> c_;
    std::vector<double*> c_adj_;
    FeatureTangents tangents_;
    AlignedVector<double> p_, scratch_, overlap_, powers_, slopes_, products_;
    std::vector<AlignedVector<double>> adjoints_;  ///< dk/dV per far expansion
    std::vector<double> ones_;
};

}  // namespace mlcalc
