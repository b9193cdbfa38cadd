// SPDX-License-Identifier: BSD-3-Clause
#include "far_field/far_field.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <stdexcept>

#include "base/lattice.hpp"
#include "base/lattice_reduction.hpp"
#include "base/number.hpp"
#include "far_field/far_field_plan.hpp"
#include "far_field/free/free.hpp"
#include "far_field/ksum/ksum.hpp"
#include "far_field/periodic_plan.hpp"
#include "far_field/slab_evaluator.hpp"
#include "far_field/slab_kernel.hpp"

namespace mlcalc {
namespace {

/// Chooses an evaluator and keeps it, with its integers, for as long as it fits.
class AdaptiveFarField : public FarField {
public:
    AdaptiveFarField(const FieldDescription& description, const FarFieldOptions& options, Communicator& communicator,
                     MeshBackendFactory& factory)
        : description_(description),
          options_(options),
          first_cell_(options.reference_cell),
          communicator_(&communicator),
          factory_(&factory) {}
    void compute(const Atoms& atoms, double* v) override {
        fit(atoms);
        chosen_->compute(in_basis(atoms), v);
    }
    void backward(const Atoms& atoms, const double* v_adj, Vec3* gradient, Mat3& strain, Mat3* atom_strain) override {
        chosen_->backward(in_basis(atoms), v_adj, gradient, strain, atom_strain);
    }
    void jacobian(const Atoms& atoms, double* jacobian, double* strain) override {
        fit(atoms);
        if (rows_ == nullptr) rows_ = make_rows();
        rows_->jacobian(in_basis(atoms), jacobian, strain);
    }
    void forget() override {
        drop();
        options_.reference_cell = first_cell_;
    }
    std::shared_ptr<const NearPart> near() const override { return near_; }
    Mat3 reference_cell() const override { return chosen_ ? plan_.reference_cell : Mat3{}; }
    Memory memory() const override { return chosen_ ? chosen_->memory() : Memory{}; }
    std::string summary() const override {
        if (chosen_ == nullptr) return "not chosen yet";
        if (near_ == nullptr) return chosen_->summary();
        return chosen_->summary() + ", split at " + number(near_->radius()) + " Angstrom";
    }

    void fit(const Atoms& atoms) {
        const bool fits = chosen_ && atoms.pbc == pbc_ && has_room(atoms);
        if (fits && options_.keep_integers) return;
        // the last number is the verdict of rank 0 on what only nearly agrees between ranks
        std::vector<double> counts = species_counts(atoms);
        const bool near_enough = fits && (is_free() || spacing_fits(plan_.reference_cell, atoms));
        counts.push_back(communicator_->rank() == 0 && !near_enough ? 1.0 : 0.0);
        communicator_->sum(counts.data(), counts.size());
        const bool renew = counts.back() != 0.0;
        counts.pop_back();
        if (!renew && counts == counts_) return;
        drop();
        choose(atoms, counts);
        counts_ = std::move(counts);
        pbc_ = atoms.pbc;
        options_.reference_cell = Mat3{};  // has served for the first choice
    }

private:
    void drop() {
        chosen_.reset();
        rows_.reset();
        near_.reset();
    }

    std::vector<double> species_counts(const Atoms& atoms) const {
        std::vector<double> counts(static_cast<std::size_t>(description_.n_species), 0.0);
        for (int i = 0; i < atoms.n_local; ++i) {
            if (atoms.species[i] >= 0) counts[static_cast<std::size_t>(atoms.species[i])] += 1.0;
        }
        return counts;
    }

    bool is_free() const { return plan_.evaluator == FarFieldPlan::Evaluator::free; }
    bool has_room(const Atoms& atoms) const {
        return !plan_.padding.there() || open_direction(atoms).height() <= plan_.padding.room;
    }
    Mat3 cell_of(const Atoms& atoms) const {
        if (!plan_.padding.there()) return atoms.cell;
        return padded(atoms.cell, open_direction(atoms), plan_.padding.length);
    }

    /// The atoms in the cell that the evaluator works with. The basis is kept like the integers.
    Atoms in_basis(const Atoms& atoms) const {
        Atoms out = atoms;
        if (is_free()) return out;
        out.cell = cell_of(atoms);
        if (plan_.reduced) out.cell = changed(out.cell, plan_.basis);
        if (!plan_.padding.there()) return out;
        const Vec3 normal = open_direction(atoms).normal;
        out.origin += (plan_.padding.start - dot(atoms.origin, normal)) * normal;
        return out;
    }

    void choose(const Atoms& atoms, const std::vector<double>& counts) {
        plan_ = plan_together(*communicator_, [&] { return make_plan(atoms, counts); });
        const int n_threads = options_.n_threads;
        if (plan_.radius > 0.0) near_ = std::make_shared<NearPart>(description_, plan_.radius, std::move(plan_.near));
        if (is_free()) {
            chosen_ = std::make_unique<FreeSum>(description_, n_threads, *communicator_);
        } else if (plan_.evaluator == FarFieldPlan::Evaluator::mesh) {
            chosen_ = std::make_unique<MeshSet>(description_, near_, plan_.meshes, *communicator_, *factory_);
        } else {
            chosen_ = std::make_unique<KSum>(description_, near_, plan_.padding, plan_.k_cutoff,
                                             std::move(plan_.wave_vectors), n_threads, *communicator_);
        }
        if (plan_.padding.there()) {
            chosen_ = std::make_unique<SlabEvaluator>(std::move(chosen_), plan_.padding, *communicator_);
        }
    }

    /// By the k-sum that would be taken without meshes and near part: V is the same to the accuracy.
    std::unique_ptr<FieldJacobian> make_rows() const {
        if (is_free()) {
            return std::make_unique<FreeSum>(description_, options_.n_threads, *communicator_);
        }
        double cutoff = plan_.k_cutoff;
        if (plan_.evaluator == FarFieldPlan::Evaluator::mesh || near_ != nullptr) {
            cutoff = std::min(converged_cutoff(description_, options_.accuracy), 0.9 * description_.reciprocal.x_max());
        }
        const Mat3 cell = plan_.reduced ? changed(plan_.reference_cell, plan_.basis) : plan_.reference_cell;
        auto rows = std::make_unique<KSum>(description_, nullptr, plan_.padding, cutoff,
                                           KSum::wave_vectors(cutoff, cell), options_.n_threads, *communicator_);
        if (!plan_.padding.there()) return rows;
        return std::make_unique<SlabJacobian>(std::move(rows), plan_.padding, description_.shape().size());
    }

    /// On rank 0 only.
    FarFieldPlan make_plan(const Atoms& atoms, const std::vector<double>& counts) {
        FarFieldPlan plan;
        const Boundaries boundaries = boundaries_of(atoms.pbc);
        check_boundaries(boundaries);
        if (boundaries == Boundaries::free) return plan;
        if (boundaries == Boundaries::slab) pad(atoms, plan);
        const Mat3 now =
            plan.padding.there() ? padded(atoms.cell, open_direction(atoms), plan.padding.length) : atoms.cell;
        const bool known = spacing_fits(options_.reference_cell, now);
        const Mat3 cell = plan.reference_cell = known ? options_.reference_cell : now;
        if (!Lattice(cell).valid()) {
            throw std::invalid_argument(plan.padding.there() ? "the two lattice vectors of a slab span no area"
                                                             : "the cell of a periodic system has no volume");
        }
        double n_atoms = 0.0;
        for (double count : counts) n_atoms += count;
        // a mesh over several ranks is divided as the host divides its box
        const bool given = options_.mesh[0] > 0;  // integers that belong to the vectors of the caller
        plan.reduced = communicator_->size() == 1 && !given;
        plan.basis = reduced_basis(cell);
        const Mat3 reduced = changed(cell, plan.basis);
        if (!planner_) {
            planner_ = std::make_unique<PeriodicPlanner>(description_, options_, communicator_->size(), *factory_);
        }
        PeriodicPlan periodic = in_words(atoms, plan.padding, [&] {
            const double filled = plan.padding.there() ? plan.padding.room / plan.padding.length : 1.0;
            return planner_->plan(Lattice(plan.reduced ? reduced : cell), Lattice(reduced), n_atoms, filled);
        });
        periodic.meshes.padding = plan.padding;
        plan.radius = periodic.radius;
        plan.near = std::move(periodic.near);
        if (!periodic.meshes.meshes.empty()) {
            plan.evaluator = FarFieldPlan::Evaluator::mesh;
            plan.meshes = std::move(periodic.meshes);
            return plan;
        }
        plan.evaluator = FarFieldPlan::Evaluator::ksum;
        plan.reduced = true;
        plan.k_cutoff = periodic.k_cutoff;
        plan.wave_vectors = KSum::wave_vectors(plan.k_cutoff, reduced);
        return plan;
    }

    /// The padding of a slab, with room for its atoms to move: that of the run that is continued, if it serves.
    void pad(const Atoms& atoms, FarFieldPlan& plan) {
        require_slab_kernel(description_);
        const OpenDirection open = open_direction(atoms);
        if (slab_reach_ < 0.0) slab_reach_ = slab_reach(description_, options_.accuracy);
        const double before = Lattice(options_.reference_cell).length(open.axis);
        plan.padding = SlabPadding::around(open, std::max(slab_reach_, split_radius(options_)), before);
    }

    /// What cannot be may be so because a slab is high.
    template <class Make>
    static PeriodicPlan in_words(const Atoms& atoms, const SlabPadding& padding, Make make) {
        if (!padding.there()) return make();
        try {
            return make();
        } catch (const std::invalid_argument& e) {
            throw std::invalid_argument(std::string(e.what()) + "; the box of the slab is " +
                                        number(open_direction(atoms).height()) +
                                        " Angstrom high, and with its padding " + number(padding.length));
        }
    }

    void check_boundaries(Boundaries boundaries) const {
        if (boundaries == Boundaries::wire) {
            throw std::invalid_argument(
                "the far field needs three periodic directions, two or none, got one, a wire; give it vacuum and make "
                "every direction periodic, or make none periodic");
        }
        const bool periodic = options_.method == FarFieldMethod::ksum || options_.method == FarFieldMethod::mesh;
        if (boundaries == Boundaries::free && periodic) {
            throw std::invalid_argument(
                "k-sum and mesh need two or three periodic directions, got none; use auto or free");
        }
        if (boundaries != Boundaries::free && options_.method == FarFieldMethod::free) {
            throw std::invalid_argument("free boundaries were asked for, but the cell is periodic");
        }
    }

    FieldDescription description_;
    FarFieldOptions options_;
    Mat3 first_cell_;  ///< the reference cell of a run that is continued
    Communicator* communicator_;
    MeshBackendFactory* factory_;
    std::unique_ptr<PeriodicPlanner> planner_;
    std::unique_ptr<FieldEvaluator> chosen_;
    std::unique_ptr<FieldJacobian> rows_;
    std::shared_ptr<const NearPart> near_;
    std::vector<double> counts_;
    std::array<bool, 3> pbc_{};
    FarFieldPlan plan_;
    double slab_reach_ = -1.0;  ///< < 0: not known yet
};

}  // namespace

std::unique_ptr<FarField> make_far_field(const FieldDescription& description, const FarFieldOptions& options,
                                         const Atoms& atoms, Communicator& communicator, MeshBackendFactory& factory) {
    auto field = std::make_unique<AdaptiveFarField>(description, options, communicator, factory);
    field->fit(atoms);
    return field;
}

}  // namespace mlcalc
