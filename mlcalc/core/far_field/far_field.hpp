// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "base/coefficients.hpp"
#include "base/spline.hpp"
#include "base/types.hpp"
#include "far_field/mesh/mesh_backend.hpp"

namespace mlcalc {

/// What defines a potential (LODE) expansion of the smeared 1/r^p field of all atoms
/// [Grisafi & Ceriotti, JCP 151, 204105 (2019)].
struct PotentialDescription {
    std::string name;
    int exponent = 1;
    double smearing = 0.0;
    int n_max = 0;
    int l_max = 0;
    double center_atom_weight = 1.0;
    int n_species = 0;
    std::vector<double> mixing;  ///< (n_channels, n_species) row-major, or empty: one channel per species
    SplineTable reciprocal;      ///< F_nl(k) = I_nl(k) / k^l on [0, k_max], function index l * n_max + n
    std::vector<double> center;  ///< (n_max) V_n00 of an atom at its own centre: sqrt(4 pi) int r^2 R_n0(r) g_p(r) dr
    SplineTable real;            ///< free boundaries: F_nl(r) / r^l on [0, r_max], function index l * n_max + n
    int n_far = 0;               ///< free boundaries beyond r_max: F_nl(r) = sum_q far[q][l][n] / r^(p + l + 2q)
    std::vector<double> far;     ///< (n_far, l_max + 1, n_max)
    /// Basis sets whose k dependence hardly depends on l: F_nl(k) = sum_q filter_weights[l][n][q] filters_q(k). The
    /// mesh then needs one inverse FFT per q. Empty: every (l, n) is its own filter.
    SplineTable filters;
    std::vector<double> filter_weights;  ///< (l_max + 1, n_max, filters.n_functions)

    int n_channels() const {
        return mixing.empty() ? n_species : static_cast<int>(mixing.size() / static_cast<std::size_t>(n_species));
    }
    /// Of V, which is kept for all atoms at once: without padding.
    CoefficientShape shape() const { return CoefficientShape{n_channels(), n_max, l_max}.compact(); }
};

enum class FarFieldMethod { automatic, ksum, mesh, free };

struct FarFieldOptions {
    FarFieldMethod method = FarFieldMethod::automatic;
    double accuracy = 1e-5;     ///< requested relative error of the forces that pass through V
    std::array<int, 3> mesh{};  ///< zeros: chosen from the accuracy
    int order = 0;              ///< 0: chosen from the accuracy
    bool interlaced = true;     ///< two grids per mesh, shifted by half a spacing, or one
    double k_cutoff = 0.0;      ///< > 0: sharp cutoff of the k-sum, for comparison with featomic only
    std::size_t memory_limit = std::size_t{4} << 30;
    /// The first integers are chosen for this cell, as in the run that is continued; zeros: for that of the first
    /// atoms.
    Mat3 reference_cell{};
    int n_threads = 1;
    /// The integers stay until the evaluator is made anew, whatever becomes of cell and atoms (molecular dynamics).
    bool keep_integers = false;
};

/// Has no edge and no height of the cell become longer or shorter by more than 10 %?
bool spacing_fits(const Mat3& chosen_for, const Mat3& cell);

/// One evaluator of V for one expansion: k-sum, particle mesh or free boundaries. The k list and the mesh integers are
/// kept while the number of atoms, the species and the periodicity stay and the spacing drifts by less than 10 %, or
/// for good with `keep_integers`.
class FarField {
public:
    virtual ~FarField() = default;
    /// v[i * shape.size() + ..] of every local atom. Collective.
    virtual void compute(const Atoms&, double* v) = 0;
    /// v_adj = dE/dV: adds dE/dr of local atoms to `gradient`, this rank's share of dE/d eps to `strain` and, if not
    /// null, the strain derivative of each centre's energy to atom_strain. Rows of v_adj are zero for atoms without a
    /// species. Collective; must follow `compute` for the same atoms.
    virtual void backward(const Atoms&, const double* v_adj, Vec3* gradient, Mat3& strain, Mat3* atom_strain) = 0;
    /// dV_i/dr_j for training, jacobian[((i * n_all + j) * 3 + x) * shape.size() + ..], and dV_i/d eps,
    /// strain[(i * 9 + 3 a + b) * shape.size() + ..]. Serial only.
    virtual void jacobian(const Atoms&, double* jacobian, double* strain) = 0;
    /// The cell for which the integers were chosen; zeros before that.
    virtual Mat3 reference_cell() const { return {}; }
    struct Memory {
        std::size_t mesh = 0;   ///< bytes of what grows with the cell: grids, filters, wave vectors
        std::size_t atoms = 0;  ///< bytes of what grows with the number of atoms
    };
    virtual Memory memory() const { return {}; }
    /// One line for the log: method, integers, order, estimated accuracy.
    virtual std::string summary() const = 0;
};

/// Chooses the evaluator for the boundary conditions, atom count and options, and again when they change. Communicator
/// and factory must outlive the evaluator. Throws std::invalid_argument with a sentence for slabs and wires.
std::unique_ptr<FarField> make_far_field(const PotentialDescription&, const FarFieldOptions&, const Atoms&,
                                         Communicator&, MeshBackendFactory&);

}  // namespace mlcalc
