// SPDX-License-Identifier: BSD-3-Clause
#include "far_field/far_field.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "base/lattice.hpp"
#include "base/lattice_reduction.hpp"
#include "far_field/free/free.hpp"
#include "far_field/ksum/ksum.hpp"
#include "far_field/mesh_plan.hpp"

namespace mlcalc {
namespace {

/// Chooses an evaluator and keeps it, with its integers, for as long as it fits.
class AdaptiveFarField : public FarField {
public:
    AdaptiveFarField(const PotentialDescription& description, const FarFieldOptions& options,
                     Communicator& communicator, MeshBackendFactory& factory)
        : description_(description), options_(options), communicator_(&communicator), factory_(&factory) {
        if (!(options.accuracy >= 1e-12 && options.accuracy <= 0.1)) {
            throw std::invalid_argument("the accuracy of the far field must be from 1e-12 to 0.1, got " +
                                        std::to_string(options.accuracy));
        }
        const auto& m = options.mesh;
        const bool given = std::any_of(m.begin(), m.end(), [](int points) { return points != 0; });
        if (given && *std::min_element(m.begin(), m.end()) < 1) {
            throw std::invalid_argument("mesh needs three positive integers, or three zeros to have them chosen, got " +
                                        std::to_string(m[0]) + " " + std::to_string(m[1]) + " " + std::to_string(m[2]));
        }
    }
    void compute(const Atoms& atoms, double* v) override {
        fit(atoms);
        chosen_->compute(in_basis(atoms), v);
    }
    void backward(const Atoms& atoms, const double* v_adj, Vec3* gradient, Mat3& strain, Mat3* atom_strain) override {
        chosen_->backward(in_basis(atoms), v_adj, gradient, strain, atom_strain);
    }
    void jacobian(const Atoms& atoms, double* jacobian, double* strain) override {
        fit(atoms);
        chosen_->jacobian(in_basis(atoms), jacobian, strain);
    }
    Mat3 reference_cell() const override { return cell_; }
    Memory memory() const override { return chosen_ ? chosen_->memory() : Memory{}; }
    std::string summary() const override { return chosen_ ? chosen_->summary() : "not chosen yet"; }

    void fit(const Atoms& atoms) {
        if (chosen_ && options_.keep_integers && atoms.pbc == pbc_) return;
        std::vector<double> counts = species_counts(atoms);
        if (chosen_ && counts == counts_ && atoms.pbc == pbc_ && (!pbc_[0] || spacing_fits(cell_, atoms.cell))) return;
        const bool first = !chosen_ && atoms.pbc[0] && spacing_fits(options_.reference_cell, atoms.cell);
        const Mat3 cell = first ? options_.reference_cell : atoms.cell;
        chosen_ = choose(atoms.pbc, cell, counts);
        counts_ = std::move(counts);
        pbc_ = atoms.pbc;
        cell_ = cell;
    }

private:
    std::vector<double> species_counts(const Atoms& atoms) const {
        std::vector<double> counts(static_cast<std::size_t>(description_.n_species), 0.0);
        for (int i = 0; i < atoms.n_local; ++i) {
            if (atoms.species[i] >= 0) counts[static_cast<std::size_t>(atoms.species[i])] += 1.0;
        }
        communicator_->sum(counts.data(), counts.size());
        return counts;
    }

    /// The atoms in the cell that the evaluator works with. The basis is kept like the integers.
    Atoms in_basis(const Atoms& atoms) const {
        Atoms out = atoms;
        if (pbc_[0] && reduced_) out.cell = changed(atoms.cell, basis_);
        return out;
    }

    std::unique_ptr<FarField> choose(const std::array<bool, 3>& pbc, const Mat3& cell,
                                     const std::vector<double>& counts) {
        const int n_periodic = pbc[0] + pbc[1] + pbc[2];
        reduced_ = false;
        if (n_periodic == 1 || n_periodic == 2) {
            throw std::invalid_argument(std::string("the far field needs three periodic directions or none, got a ") +
                                        (n_periodic == 2 ? "slab" : "wire") +
                                        "; give it vacuum and make every direction periodic, or make none periodic");
        }
        if (n_periodic == 0) {
            if (options_.method == FarFieldMethod::ksum || options_.method == FarFieldMethod::mesh) {
                throw std::invalid_argument(
                    "k-sum and mesh need three periodic directions, got none; use auto or free");
            }
            return std::make_unique<FreeSum>(description_, options_.n_threads, *communicator_);
        }
        if (options_.method == FarFieldMethod::free) {
            throw std::invalid_argument("free boundaries were asked for, but the cell is periodic");
        }
        if (!Lattice(cell).valid()) throw std::invalid_argument("the cell of a periodic system has no volume");
        double n_atoms = 0.0;
        for (double count : counts) n_atoms += count;
        // a mesh over several ranks is divided as the host divides its box
        const bool given = options_.mesh[0] > 0;  // integers that belong to the vectors of the caller
        reduced_ = communicator_->size() == 1 && !given;
        basis_ = reduced_basis(cell);
        const Mat3 reduced = changed(cell, basis_);
        if (!planner_) planner_ = std::make_unique<PeriodicPlanner>(description_, options_);
        const auto plan = planner_->meshes(reduced_ ? reduced : cell, n_atoms);
        if (plan) return std::make_unique<MeshSet>(description_, *plan, *communicator_, *factory_);
        reduced_ = true;
        return planner_->make_ksum(reduced, n_atoms, *communicator_);
    }

    PotentialDescription description_;
    FarFieldOptions options_;
    Communicator* communicator_;
    MeshBackendFactory* factory_;
    std::unique_ptr<PeriodicPlanner> planner_;
    std::unique_ptr<FarField> chosen_;
    std::vector<double> counts_;
    std::array<bool, 3> pbc_{};
    Mat3 cell_{};
    bool reduced_ = false;
    BasisChange basis_{};
};

}  // namespace

bool spacing_fits(const Mat3& chosen_for, const Mat3& cell) {
    const Lattice before(chosen_for), now(cell);
    if (!before.valid() || !now.valid()) return false;
    for (int a = 0; a < 3; ++a) {
        if (std::abs(now.length(a) / before.length(a) - 1.0) > 0.1) return false;
        if (std::abs(now.height(a) / before.height(a) - 1.0) > 0.1) return false;
    }
    return true;
}

std::unique_ptr<FarField> make_far_field(const PotentialDescription& description, const FarFieldOptions& options,
                                         const Atoms& atoms, Communicator& communicator, MeshBackendFactory& factory) {
    auto field = std::make_unique<AdaptiveFarField>(description, options, communicator, factory);
    field->fit(atoms);
    return field;
}

}  // namespace mlcalc
