// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "base/types.hpp"
#include "far_field/mesh/mesh_backend.hpp"
#include "far_field/near_part.hpp"
#include "model/description.hpp"

namespace mlcalc {

enum class FarFieldMethod { automatic, ksum, mesh, free };

struct FarFieldOptions {
    FarFieldMethod method = FarFieldMethod::automatic;
    double accuracy = 1e-5;     ///< requested relative error of the forces that pass through V
    std::array<int, 3> mesh{};  ///< zeros: chosen from the accuracy
    int order = 0;              ///< 0: chosen from the accuracy
    /// Radius in Angstrom of the near part, which is summed over neighbors; 0: none; < 0: that of the neighbors which
    /// densities visit anyway, if this is faster.
    double split = -1.0;
    double densities_cutoff = 0.0;  ///< of those densities, from the model
    double k_cutoff = 0.0;          ///< > 0: sharp cutoff of the k-sum, for comparison with featomic only
    std::size_t memory_limit = std::size_t{4} << 30;
    /// The first integers are chosen for this cell, as in the run that is continued; zeros: for that of the first
    /// atoms.
    Mat3 reference_cell{};
    int n_threads = 1;
    /// The integers stay until the evaluator is made anew, whatever becomes of cell and atoms (molecular dynamics).
    bool keep_integers = false;
};

/// The radius of a near part that these options allow; 0: none.
double split_radius(const FarFieldOptions&);

/// Throws std::invalid_argument with a sentence for settings that no system can be computed with.
void check_options(const FarFieldOptions&);
/// The same for this expansion.
void check_options(const FarFieldOptions&, const FieldDescription&);

/// Has no edge and no height of the cell become longer or shorter by more than 10 %?
bool spacing_fits(const Mat3& chosen_for, const Mat3& cell);
/// The same of a periodic system or, in its padded cell, a slab.
bool spacing_fits(const Mat3& chosen_for, const Atoms&);

/// One way to evaluate V, or its far share, of one expansion for one configuration after the other.
class FieldEvaluator {
public:
    virtual ~FieldEvaluator() = default;
    /// v[i * shape.size() + ..] of every local atom. Collective.
    virtual void compute(const Atoms&, double* v) = 0;
    /// v_adj = dE/dV: adds dE/dr of local atoms to `gradient`, this rank's share of dE/d eps to `strain` and, if not
    /// null, the strain derivative of each center's energy to atom_strain. Rows of v_adj are zero for atoms without a
    /// species. Collective; must follow `compute` for the same atoms.
    virtual void backward(const Atoms&, const double* v_adj, Vec3* gradient, Mat3& strain, Mat3* atom_strain) = 0;
    struct Memory {
        std::size_t mesh = 0;   ///< bytes of what grows with the cell: grids, filters, wave vectors
        std::size_t atoms = 0;  ///< bytes of what grows with the number of atoms
    };
    virtual Memory memory() const { return {}; }
    /// One line for the log: method, integers, order, estimated accuracy. The same on every rank.
    virtual std::string summary() const = 0;
};

/// Derivatives of V for training.
class FieldJacobian {
public:
    virtual ~FieldJacobian() = default;
    /// dV_i/dr_j, jacobian[((i * n_all + j) * 3 + x) * shape.size() + ..], and dV_i/d eps, strain[(i * 9 + 3 a + b) *
    /// shape.size() + ..]. Serial only.
    virtual void jacobian(const Atoms&, double* jacobian, double* strain) = 0;
};

/// The evaluator that fits: k-sum, particle mesh or free boundaries. The k list and the mesh integers are kept while
/// the number of atoms, the species and the periodicity stay and the spacing drifts by less than 10 %, or for good with
/// `keep_integers`.
class FarField : public FieldEvaluator, public FieldJacobian {
public:
    /// The cell for which the integers were chosen; zeros before that.
    virtual Mat3 reference_cell() const = 0;
    /// The next system gets a choice of its own, as of a new evaluator; what belongs to no system is kept.
    virtual void forget() = 0;
    /// What neighbors add to V, which `compute` leaves out; null: nothing. Chosen anew with the integers.
    virtual std::shared_ptr<const NearPart> near() const = 0;
};

/// Chooses the evaluator for the boundary conditions, atom count and options, and again when they change. Communicator
/// and factory must outlive the evaluator. The choice is made on rank 0 and followed by all; if it cannot be made,
/// every rank throws a Shared<...> with its sentence: std::invalid_argument for wires, for example.
std::unique_ptr<FarField> make_far_field(const FieldDescription&, const FarFieldOptions&, const Atoms&, Communicator&,
                                         MeshBackendFactory&);

}  // namespace mlcalc
