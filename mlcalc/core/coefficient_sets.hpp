// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/aligned.hpp"
#include "base/types.hpp"
#include "expansions/density.hpp"
#include "far_field/far_field.hpp"
#include "model/description.hpp"
#include "readouts/readout.hpp"

namespace mlcalc {

/// All expansions of a model: densities are made block by block of centres, far fields for all centres at once.
class ExpansionSet {
public:
    ExpansionSet(const Model& model, FarFieldOptions options);

    const std::vector<CoefficientShape>& shapes() const { return shapes_; }
    bool is_far(int expansion) const { return items_[static_cast<std::size_t>(expansion)].density == nullptr; }
    bool has_far() const;
    const DensityExpansion& density(int expansion) const {
        return *items_[static_cast<std::size_t>(expansion)].density;
    }
    const FarFieldOptions& options() const { return options_; }
    double cutoff() const;        ///< largest of the densities
    Mat3 reference_cell() const;  ///< of the first far field, see FarField
    std::string summary() const;
    void reset();

    /// Throws std::invalid_argument for species out of range and, with a far field, for positions that are not finite.
    void check(const Atoms& atoms) const;

    /// V of all local atoms. Collective.
    void compute_far(const Atoms& atoms, Communicator& communicator, MeshBackendFactory& factory);
    /// Adjoint of V, after `backward` of all blocks. Collective.
    void backward_far(const Atoms& atoms, Vec3* gradient, Mat3& strain, Mat3* atom_strain);
    /// The evaluator of a potential expansion; null before compute_far.
    FarField* far_field(int expansion) { return items_[static_cast<std::size_t>(expansion)].far.get(); }

    /// Coefficients of a block of centres, one per thread.
    struct Workspace {
        CenterBlock block;
        std::vector<AlignedVector<double>> c, c_adj;
        std::vector<DensityExpansion::Workspace> density;
    };
    /// Fills work.block for the centres begin <= i < end; with `gradient` its adjoints are zero and ready to be added
    /// to.
    void compute(const Atoms& atoms, const NeighborList& list, int begin, int end, bool gradient, Workspace& work);
    /// Adjoint of the densities of that block; dE/dV is kept for backward_far.
    void backward(const Atoms& atoms, const NeighborList& list, int begin, int end, Vec3* gradient, Mat3& strain,
                  Mat3* atom_strain, Workspace& work);

private:
    struct Item {
        std::unique_ptr<DensityExpansion> density;
        const PotentialDescription* potential = nullptr;
        std::unique_ptr<FarField> far;
        AlignedVector<double> v, v_adj;  ///< (n_local, potential->shape().size())
    };
    static std::string memory(const Item&);
    int n_species_;
    FarFieldOptions options_;
    std::vector<Item> items_;
    std::vector<CoefficientShape> shapes_;
    Communicator* communicator_ = nullptr;
    MeshBackendFactory* factory_ = nullptr;
};

}  // namespace mlcalc
