// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/aligned.hpp"
#include "base/center_block.hpp"
#include "expansions/expansion.hpp"
#include "far_field/far_field.hpp"
#include "layers/layer.hpp"
#include "model/description.hpp"
#include "pairs/pair_geometry.hpp"

namespace mlcalc {

class FieldExpansion;

/// The numbered coefficient sets of a model: expansions first, layers after them. Data go from the expansions through
/// the layers to the caller in `compute`, adjoints the other way in `backward`.
class CoefficientSets {
public:
    /// `other_cutoffs` of those that share the geometry of pairs. The model must outlive the sets.
    CoefficientSets(const Model& model, const FarFieldOptions& options, const std::vector<double>& other_cutoffs = {});

    int n_expansions() const { return static_cast<int>(expansions_.size()); }
    Expansion& expansion(int e) const { return *expansions_[static_cast<std::size_t>(e)]; }
    int n_layers() const { return static_cast<int>(layers_.size()); }
    Layer& layer(int k) const { return *layers_[static_cast<std::size_t>(k)]; }
    const std::vector<CoefficientShape>& shapes() const { return shapes_; }
    /// Does the set depend on all atoms?
    bool far(int set) const { return far_[static_cast<std::size_t>(set)]; }
    /// The expansions that sets with this property depend on, themselves or through layers.
    std::vector<int> expansions_behind(const std::function<bool(int)>& used) const;
    /// Of the first far field, see FarField.
    Mat3 reference_cell() const;
    std::string summary() const;
    /// See Potential.
    std::string far_field_choice() const;
    FarField::Memory far_field_memory() const;
    void reset();

    /// The coefficients of a block of centers and what the expansions keep of it, one per thread.
    struct Workspace {
        CenterBlock block;
        std::unique_ptr<PairGeometry> pairs;
        std::vector<AlignedVector<double>> c, c_adj;
        std::vector<std::unique_ptr<Expansion::Scratch>> scratch;
        std::vector<const double*> in;
        std::vector<double*> in_adj;
    };
    /// Before the blocks, for n_passes energies to be differentiated. Collective with a far field.
    void begin(const System&, int n_passes);
    /// Fills work.block; with `gradient` adjoints can be added to its c_adj, which are zero.
    void compute(const System&, Block, bool gradient, Workspace& work) const;
    void zero_adjoints(Workspace& work) const;
    /// From the adjoints of the block to dE/dr.
    void backward(const System&, Block, int pass, const Gradient&, Workspace& work) const;
    /// The adjoints of the layers of center i of the block, down to the expansions.
    void backward_layers(int i, Workspace& work) const;
    /// After the blocks of a pass. Collective with a far field.
    void end(const System&, int pass, const Gradient&);
    /// The change of all layers when columns of expansion e around the only center of the block change: changes[set] of
    /// those that depend on e, null for the others.
    void layer_tangents(int e, const ColumnChange&, Workspace& work, std::vector<AlignedVector<double>>& changes) const;

private:
    void prepare(Workspace& work) const;
    std::vector<const FieldExpansion*> fields() const;

    int n_species_;
    std::vector<std::unique_ptr<Expansion>> expansions_;
    std::vector<std::unique_ptr<Layer>> layers_;
    std::vector<CoefficientShape> shapes_;
    std::vector<bool> far_;
    std::vector<double> cutoffs_;
};

}  // namespace mlcalc
