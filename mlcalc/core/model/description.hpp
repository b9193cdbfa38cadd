// SPDX-License-Identifier: BSD-3-Clause
/// Everything in a model file as plain data: every length, index and number in it has been checked by the reader.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/aligned.hpp"
#include "base/boundaries.hpp"
#include "base/coefficients.hpp"
#include "base/cutoff_function.hpp"
#include "base/spline.hpp"
#include "model/coupling.hpp"

namespace mlcalc {

/// What both kinds of expansion have.
struct ExpansionBase {
    std::string name;
    int n_max = 0;
    int l_max = 0;
    double center_atom_weight = 1.0;
    int n_species = 0;
    std::vector<double> mixing;  ///< (n_channels, n_species) row-major, or empty: one channel per species

    int n_channels() const {
        return mixing.empty() ? n_species : static_cast<int>(mixing.size() / static_cast<std::size_t>(n_species));
    }
    /// Of the coefficients around one center as layers and readouts get them.
    CoefficientShape shape() const { return {n_channels(), n_max, l_max}; }
};

/// What defines a neighbor-density expansion. `radial` holds u(r) I_nl(r) on [0, cutoff], function index l * n_max +
/// n. The cutoff function f_c is not in the table: its second derivative jumps at cutoff - width, where a spline on a
/// uniform grid would lose its accuracy, so the core multiplies it in.
struct DensityDescription : ExpansionBase {
    double cutoff = 0.0;
    double smoothing_width = 0.0;  ///< of the shifted cosine, 0 < width <= cutoff; 0: a step
    SplineTable radial;
    /// (n_channels, n_species) row-major: what a center atom of a species adds to the channels, times
    /// center_atom_weight; empty: the same as a neighbor, its mixing.
    std::vector<double> center_weights;
};

/// What defines an expansion of the smeared 1/r^p field of all atoms (LODE)
/// [Grisafi & Ceriotti, JCP 151, 204105 (2019)].
struct FieldDescription : ExpansionBase {
    int exponent = 1;
    double smearing = 0.0;
    SplineTable reciprocal;      ///< F_nl(k) = I_nl(k) / k^l on [0, k_max], function index l * n_max + n
    std::vector<double> center;  ///< (n_max) V_n00 of an atom at its own center: sqrt(4 pi) int r^2 R_n0(r) g_p(r) dr
    SplineTable real;            ///< free boundaries: F_nl(r) / r^l on [0, r_max], function index l * n_max + n
    int n_far = 0;               ///< free boundaries beyond r_max: F_nl(r) = sum_q far[q][l][n] / r^(p + l + 2q)
    std::vector<double> far;     ///< (n_far, l_max + 1, n_max)
    /// Basis sets whose k dependence hardly depends on l: F_nl(k) = sum_q filter_weights[l][n][q] filters_q(k). The
    /// mesh then needs one inverse FFT per q. Empty: every (l, n) is its own filter.
    SplineTable filters;
    std::vector<double> filter_weights;  ///< (l_max + 1, n_max, filters.n_functions)

    /// Of V, which is kept for all atoms at once: without padding.
    CoefficientShape shape() const { return ExpansionBase::shape().compact(); }
};

using ExpansionDescription = std::variant<DensityDescription, FieldDescription>;

const ExpansionBase& base_of(const ExpansionDescription& expansion);

/// A_k,lm = sum_q u^a_l,kq c_q,lm, q over the columns of all inputs one after another, a the species of the center:
/// what products within channels multiply [Darby et al., PRL 131, 028001 (2023)].
struct MixingDescription {
    std::string name;
    std::vector<int> inputs;  ///< coefficient sets
    int n_channels = 0;
    int l_max = 0;
    int n_centers = 1;             ///< one matrix for all centers, or one per species
    std::vector<double> matrices;  ///< (n_centers, l_max + 1, n_channels, columns of the inputs)

    CoefficientShape shape() const { return {n_channels, 1, l_max}; }
};

/// The products within channels of an invariant. Nodes 0 .. l_max are the coefficients of angular momentum l; every
/// other one couples two before it, x and y, to its l. A path couples two nodes to the lambda of the product, 0 of an
/// invariant, or is node lambda itself (y = -1).
struct ChannelTable {
    struct Node {
        int l, x, y;
    };
    struct Path {
        int x, y;
    };
    std::vector<Node> nodes;  ///< without the first l_max + 1
    std::vector<Path> paths;
};

/// The highest body order of a table, from the checks of all that it couples: nodes come before their use, angular
/// momenta fulfill the triangle rule, no product vanishes, paths invert as their type, at most 6 factors. Throws
/// std::invalid_argument with what does not fit.
int body_order(const ChannelTable& table, const SphericalType& type, int l_max);

/// nu = 1: p_q = c_q,00.
/// nu = 2: p_l,qq' = (-1)^l / sqrt(2l+1) sum_m a_q,lm b_q',lm, l up to the smaller l_max. If a and b are the same
/// set only q <= q' is kept, times sqrt(2) for q < q': the dot products, and so every kernel, equal those of the
/// full set. Feature order: nu=1 q; nu=2 [l][q][q'] [Bartok, Kondor, Csanyi, PRB 87, 184115 (2013)].
/// With a table: its paths within the channels k, in the order [path][k]; of an invariant (-1)^l / sqrt(2l+1)
/// sum_m X_k,lm Y_k,lm, of an equivariant sum_(m1 m2) C^(lambda mu)_(l1 m1, l2 m2) X_k,l1m1 Y_k,l2m2, which is the same
/// for lambda 0.
/// With a type, an equivariant, which is the invariant where lambda is 0. nu=1 p^mu_q = c_q,lambda mu; nu=2
/// p^mu_(l1 l2)qq' = sum_(m1 m2) C^(lambda mu)_(l1 m1, l2 m2) a_q,l1m1 b_q',l2m2 with real_clebsch_gordan. If a and b
/// are the same set, of two features that differ by an exchange of the factors only one is kept, times sqrt(2).
/// Feature order: nu=1 q; nu=2 [block of coupled_blocks][q][q'], of every component mu = -lambda .. lambda
/// [Grisafi, Wilkins, Csanyi, Ceriotti, PRL 120, 036002 (2018)].
struct Invariant {
    int nu = 2;                  ///< the highest body order of a table
    int a = 0;                   ///< index of the coefficient set
    int b = 0;                   ///< for nu = 2
    double scale = 1.0;          ///< multiplies the features
    std::vector<int> selection;  ///< indices of the features kept; empty: all
    std::shared_ptr<const ChannelTable> table;
    std::optional<SphericalType> type;

    int n_components() const { return type ? type->n_components() : 1; }
    /// The coefficient sets that it multiplies.
    std::vector<int> sets() const { return nu == 2 && table == nullptr ? std::vector<int>{a, b} : std::vector<int>{a}; }
};

/// Number of features of an invariant before selection, or of each component.
std::size_t n_full_features(const Invariant& invariant, const std::vector<CoefficientShape>& shapes);
/// And after it.
std::size_t n_features(const Invariant& invariant, const std::vector<CoefficientShape>& shapes);

/// Ziegler-Biersack-Littmark repulsion, switched off smoothly from `inner` to `outer` as LAMMPS's pair_style zbl does.
struct ZblDescription {
    std::vector<double> inner;  ///< (n_species, n_species), symmetric, Angstrom
    std::vector<double> outer;  ///< as `inner`
};

/// The energy of a pair of species a and b: a table of one function of r - inner, from `inner` to the cutoff.
struct TableOfPair {
    int a = 0, b = 0;    ///< species, a <= b
    double inner = 0.0;  ///< 0 <= inner < cutoff
    CutoffFunction smoothing;
    SplineTable energy;  ///< eV
};

/// Pair energies from tables; pairs of species without one do not interact.
struct PairTableDescription {
    std::string name;
    std::vector<TableOfPair> tables;
};

/// A three-body kernel: sparse points in the coordinates x of a center i and two of its neighbors j and k,
/// (r_ij + r_ik, (r_ij - r_ik)^2, r_jk), or (r_ij, r_ik, r_jk) with a kernel that is symmetric in them:
/// sum_P k(P x, x_M) / sqrt(sum_P k(P x, x) sum_P k(P x_M, x_M)). Lengths are measured in the widths.
struct TripleDescription {
    enum class Shape { gaussian, wendland };  ///< exp(-s / 2); (1 - q)^4 (4 q + 1), q = sqrt(s) < 1
    std::string name;
    bool sides = false;
    Shape shape = Shape::gaussian;
    int center = -1;              ///< species, -1: any
    int neighbors[2] = {-1, -1};  ///< in any order
    CutoffFunction smoothing;
    double widths[3] = {1.0, 1.0, 1.0};
    double constant = 0.0;        ///< eV, added to the sum over the points
    std::vector<double> points;   ///< (n, 3)
    std::vector<double> weights;  ///< (n) eV
};

/// E_i = w[Z_i] . p_i
struct LinearDescription {
    std::vector<double> weights;  ///< (n_members, n_species, n_features)
    /// Per center species L (n_rows, n_columns) of the extrapolation measure |L p|^2; empty: the model has none.
    std::vector<std::vector<double>> leverage;
    std::vector<int> leverage_columns;  ///< the features p that the measure looks at, ascending; empty: all
};

/// E_i = sum_M w_M (p_hat_i . p_hat_M)^zeta, p_hat = p / sqrt(|p|^2 + epsilon^2) if normalized, else p.
struct KernelDescription {
    int zeta = 1;
    bool normalize = true;
    double epsilon = 0.0;
    bool single_precision = false;
    std::vector<AlignedVector<double>> points;  ///< per center species p_hat_M (n_points, n_features)
    std::vector<std::vector<double>> weights;   ///< per center species (n_members, n_points)
    std::vector<double> edges;  ///< per center species, by which the extrapolation measure is divided; empty: 1
    /// Per center species the points with all their features, where `points` has only those of some species
    /// (restriction.hpp); otherwise null.
    std::shared_ptr<const std::vector<const AlignedVector<double>*>> complete;
};

/// Invariants and the regressor on their concatenation. std::monostate: a descriptor, features only.
struct Term {
    std::string name;
    std::vector<Invariant> invariants;
    std::size_t n_features = 0;  ///< of the concatenation, after selection
    std::variant<std::monostate, LinearDescription, KernelDescription> regressor;
};

/// T_i^mu = sum_M (p_hat_i . p_hat_M)^(zeta-1) sum_mu' (P_i^mu . P_M^mu') w_M^mu' over the sparse points M of the
/// center's species: p_hat = p / N with the norm N = sqrt(|p|^2 + epsilon^2) of invariants, P^mu = p^mu / N, which is
/// smooth where equivariants vanish by symmetry [Grisafi, Wilkins, Csanyi, Ceriotti, PRL 120, 036002 (2018)].
struct TensorKernelDescription {
    int zeta = 2;          ///< at least 2
    double epsilon = 0.0;  ///< above 0
    std::vector<Invariant> invariants;
    std::size_t n_invariants = 0;
    std::vector<AlignedVector<double>> points;  ///< per center species p_hat_M (n_points, n_invariants)
    /// Per center species sum_mu' w_M^mu' P_M^mu' (n_members, n_points, n_features of one component).
    std::vector<AlignedVector<double>> folded;
};

/// Components of one degree of a tensor.
struct TensorPart {
    SphericalType type;
    std::vector<Invariant> equivariants;
    std::size_t n_features = 0;  ///< of one component, after selection
    std::variant<LinearDescription, TensorKernelDescription> regressor;
};

/// A sum over atoms that turns with them. Cartesian components T_c = sum C^(lambda mu)_1a,1b T^(lambda mu) (symmetric,
/// c = (a, b)), the component m of a vector, or the scalar itself.
struct TensorOutput {
    enum class Kind { scalar, vector, symmetric };
    std::string name;
    Kind kind = Kind::vector;
    std::string unit;
    std::vector<TensorPart> parts;
    /// Per species, or empty: c_i + of a scalar, c_i 1 + of a symmetric matrix, charges q_i r_i + of a vector.
    std::vector<double> baseline;
    double committee_scale = 1.0;

    int n_components() const { return kind == Kind::scalar ? 1 : (kind == Kind::vector ? 3 : 9); }
    /// Is it defined for free boundaries only?
    bool needs_positions() const { return kind == Kind::vector && !baseline.empty(); }
};

/// The extrapolations above which a run has left the training set, at two looks in a row or at one: the edge, and the
/// reach of the fluctuations of many more environments than were trained on.
constexpr double extrapolation_limit = 3.0, extrapolation_alarm = 10.0;
/// Steps, or calls, from one look to the next.
constexpr int extrapolation_interval = 100;
/// The bound of a look: one beyond the limit may be a fluctuation, two in a row are not. `before`: the look before.
double extrapolation_bound(double before);

/// The largest mean extrapolation of the atoms of a structure of the data, of those with at least so many atoms: of a
/// system that changes evenly no atom is far out, but the mean is.
struct OutermostStructure {
    double mean = 0.0;
    std::int64_t atoms = 0;

    /// The mean of `n` atoms whose measures have this sum, beside that of the outermost structure; 0 for fewer atoms,
    /// whose mean fluctuates more, and where no such structure is known.
    double ratio(double sum, std::int64_t n) const { return mean > 0.0 && n >= atoms ? sum / (mean * double(n)) : 0.0; }
};
/// The ratio above which a run has left the data, at two looks in a row.
constexpr double structure_limit = 1.1;

/// The contents of a model file.
struct Model {
    std::string source;  ///< file name, for messages
    std::string checksum;
    std::vector<int> species;                ///< atomic numbers, ascending
    bool has_energy = true;                  ///< or tensors alone
    std::vector<double> reference_energies;  ///< eV per species
    std::optional<ZblDescription> zbl;
    std::vector<PairTableDescription> pairs;
    std::vector<TripleDescription> triples;
    std::vector<ExpansionDescription> expansions;  ///< coefficient sets: the expansions ..
    std::vector<MixingDescription> layers;         ///< .. and after them the layers
    std::vector<Term> terms;
    std::vector<TensorOutput> outputs;
    int n_members = 1;
    bool has_committee = false;
    double committee_scale = 1.0;
    std::vector<Boundaries> boundaries;  ///< periodic, slab, free: what the model was trained on
    OutermostStructure outermost;

    bool has_far_field() const;
    /// The largest of all expansions and pair potentials, Angstrom; 0 if there is none.
    double cutoff() const;
    /// Does one of the regressors hold what an extrapolation measure needs?
    bool has_extrapolation() const;
    /// Is that measure 1 at the edge of the training set?
    bool knows_its_edge() const;
    /// Of all coefficient sets.
    std::vector<CoefficientShape> shapes() const;
    /// The index of the output of this name, -1 if there is none.
    int output(const std::string& name) const;
    /// The index of the output that an electric field acts on. Throws std::invalid_argument if there is no dipole.
    int dipole() const;
};

}  // namespace mlcalc
