// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "base/types.hpp"
#include "far_field/far_field.hpp"
#include "far_field/mesh/mesh_backend.hpp"

namespace mlcalc {

struct Model;  // model/description.hpp: the checked contents of a model file

/// What is wanted of one tensor output of the model, in its unit. Pointers that are null are not computed.
struct TensorResults {
    int output = 0;                   ///< index in Model::outputs
    double* values = nullptr;         ///< (n_local, n_components) shares of the centers, added to
    double* member_values = nullptr;  ///< (n_local, n_members, n_components), added to
    /// (n_components, n_all) dT_c/dr of the sum over the centers of all ranks: each rank adds its share
    Vec3* derivatives = nullptr;
    Mat3* strain = nullptr;  ///< (n_components) dT_c/d eps, wanted with the derivatives
};

/// Where `Potential::compute` writes. Pointers that are null are not computed. Everything is added by this rank's
/// centers: the front-end zeroes, and sums over ranks (or lets LAMMPS do it).
struct Results {
    double* energies = nullptr;         ///< (n_local) eV
    Vec3* forces = nullptr;             ///< (n_all) eV/Angstrom, ghosts included; added to
    Mat3 virial{};                      ///< this rank's share
    Mat3* atom_virials = nullptr;       ///< (n_local) W_i = -dE_i/d eps, center partition
    double* member_energies = nullptr;  ///< (n_local, n_members), calibrated spread is the front-end's to take
    Vec3* member_forces = nullptr;      ///< (n_members, n_all)
    Mat3* member_virials = nullptr;     ///< (n_members)
    double* extrapolation = nullptr;    ///< (n_local) the largest of the terms; refused if the model has none
    std::vector<TensorResults> tensors;
    double components[3] = {
        0, 0, 0};  ///< short range, far field (terms that contain V), baseline (reference energies, pairs), eV
    double seconds[2] = {0, 0};  ///< time in the short range and in the far field
};

struct PotentialOptions {
    FarFieldOptions far_field;
    int n_threads = 1;
    /// V/Angstrom: -mu . E of the output `dipole` is part of the energy. Not zero: refused without a dipole.
    Vec3 electric_field{};
    /// Species that may come, if the front-end knows; with those of the atoms so far they are what is computed.
    std::vector<int> species;
};

/// E, forces, virial of a model. Both front-ends call this one.
class Potential {
public:
    Potential(std::shared_ptr<const Model> model, PotentialOptions options);
    ~Potential();
    const Model& model() const;
    double cutoff() const;  ///< the largest of all that sum over neighbors, Angstrom; 0 if there is none
    /// Does one of the regressors hold what an extrapolation measure needs?
    bool has_extrapolation() const;
    /// Collective if the model has a far field. A failure that all ranks know of throws a Shared<...> on every rank;
    /// any other exception is known to this rank only, see base/failure.hpp. `failed_before` is what the front-end
    /// failed with on this rank, so that the others learn of it.
    void compute(const Atoms&, const NeighborList&, Communicator&, MeshBackendFactory&, Results&,
                 const std::exception_ptr& failed_before = nullptr);
    /// Forget the k list or mesh integers; the next compute chooses them anew.
    void reset();
    /// The cell for which the far field has chosen its integers; zeros without a far field or before the first compute.
    Mat3 reference_cell() const;
    std::string summary() const;
    /// Evaluators of the far fields with their integers; the same text on every rank, so that ranks can decide by it.
    std::string far_field_choice() const;
    /// Bytes of the far fields on this rank.
    FarField::Memory far_field_memory() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace mlcalc
