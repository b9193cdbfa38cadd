// SPDX-License-Identifier: BSD-3-Clause
#include "potential.hpp"

#include <algorithm>
#include <new>
#include <stdexcept>

#include "base/agreement.hpp"
#include "base/blas.hpp"
#include "evaluator.hpp"
#include "model/check_atoms.hpp"
#include "model/restriction.hpp"
#include "simd/instruction_set.hpp"

namespace mlcalc {

/// Between the front-end and the evaluator: checks, failures that all ranks must know, and the species that are there.
class Potential::Impl {
public:
    Impl(std::shared_ptr<const Model> m, PotentialOptions o) : model(std::move(m)), options(std::move(o)) {
        if (options.n_threads < 1) {
            throw std::invalid_argument("n_threads must be at least 1, got " + std::to_string(options.n_threads));
        }
        check_options(options.far_field);
        for (const ExpansionDescription& expansion : model->expansions) {
            const auto* field = std::get_if<FieldDescription>(&expansion);
            if (field != nullptr) check_options(options.far_field, *field);
        }
        if (options.electric_field != Vec3{}) model->dipole();
        blas::use_one_thread(options.n_threads);
        forget_species();
    }
    void compute(const Atoms&, const NeighborList&, Communicator&, MeshBackendFactory&, Results&, std::exception_ptr);
    Evaluator& evaluator();
    void forget_species();
    void forget_evaluator();

    std::shared_ptr<const Model> model;
    PotentialOptions options;
    std::unique_ptr<Evaluator> chosen;  ///< for the species `evaluated`

private:
    void check_outputs(const Atoms&, const Results&) const;
    bool add_species(const Atoms&);
    const int* as_evaluated(const Atoms&);

    std::vector<double> present_;    ///< per species 1 or 0
    std::vector<double> evaluated_;  ///< those that the evaluator knows
    std::vector<int> index_;         ///< of a species in the evaluator
    std::vector<int> species_;       ///< (n_all) of the atoms as the evaluator counts them
};

void Potential::Impl::forget_species() {
    present_.assign(model->species.size(), 0.0);
    for (const int s : options.species) present_.at(static_cast<std::size_t>(s)) = 1.0;
}

/// Memory has ended in the midst of something: what the evaluator keeps for the next time may be half made.
void Potential::Impl::forget_evaluator() {
    if (chosen == nullptr) return;
    const Mat3 cell = chosen->sets().reference_cell();
    if (cell != Mat3{}) options.far_field.reference_cell = cell;
    chosen.reset();
}

/// Are the outputs there, and defined for these boundaries?
void Potential::Impl::check_outputs(const Atoms& atoms, const Results& results) const {
    std::vector<int> wanted;
    for (const TensorResults& tensor : results.tensors) wanted.push_back(tensor.output);
    if (options.electric_field != Vec3{}) wanted.push_back(model->dipole());
    for (const int index : wanted) {
        const TensorOutput& output = model->outputs.at(static_cast<std::size_t>(index));
        if (output.needs_positions() && (atoms.pbc[0] || atoms.pbc[1] || atoms.pbc[2])) {
            throw std::invalid_argument("the output '" + output.name +
                                        "' of this model contains charges times positions, which jump where a "
                                        "periodic system is wrapped; it is for free boundaries only");
        }
    }
}

/// Are there species that were not there before?
bool Potential::Impl::add_species(const Atoms& atoms) {
    bool more = false;
    for (int i = 0; i < atoms.n_all; ++i) {
        if (atoms.species[i] < 0) continue;
        double& present = present_[static_cast<std::size_t>(atoms.species[i])];
        more = more || present == 0.0;
        present = 1.0;
    }
    return more;
}

/// Made for the present species, or for all while none is known.
Evaluator& Potential::Impl::evaluator() {
    const bool none = std::count(present_.begin(), present_.end(), 1.0) == 0;
    if (chosen != nullptr && (none || present_ == evaluated_)) return *chosen;
    evaluated_ = none ? std::vector<double>(present_.size(), 1.0) : present_;
    index_.assign(evaluated_.size(), -1);
    std::vector<int> kept;
    for (std::size_t s = 0; s < evaluated_.size(); ++s) {
        if (evaluated_[s] == 0.0) continue;
        index_[s] = static_cast<int>(kept.size());
        kept.push_back(static_cast<int>(s));
    }
    PotentialOptions continued = options;
    if (chosen != nullptr && chosen->sets().reference_cell() != Mat3{}) {
        continued.far_field.reference_cell = chosen->sets().reference_cell();
    }
    const bool all = kept.size() == evaluated_.size();
    chosen = std::make_unique<Evaluator>(all ? model : restricted(model, kept), continued);
    return *chosen;
}

const int* Potential::Impl::as_evaluated(const Atoms& atoms) {
    if (std::count(evaluated_.begin(), evaluated_.end(), 0.0) == 0) return atoms.species;
    species_.resize(static_cast<std::size_t>(atoms.n_all) + 1);
    for (int i = 0; i < atoms.n_all; ++i) {
        const int s = atoms.species[i];
        species_[static_cast<std::size_t>(i)] = s < 0 ? -1 : index_[static_cast<std::size_t>(s)];
    }
    return species_.data();
}

void Potential::Impl::compute(const Atoms& atoms, const NeighborList& list, Communicator& ranks,
                              MeshBackendFactory& meshes, Results& results, std::exception_ptr failure) {
    const bool talk = model->has_far_field() && ranks.size() > 1;
    double more = 0.0;
    try {
        if (failure) std::rethrow_exception(failure);
        check_atoms(*model, atoms);
        check_outputs(atoms, results);
        more = add_species(atoms) ? 1.0 : 0.0;
    } catch (...) {
        failure = std::current_exception();
    }
    // the channels of a far field are those of all ranks: one question serves failures and new species
    const double news = talk ? ranks.max(failure ? 2.0 : more) : more;
    agree(ranks, talk && news > 1.0, failure);
    if (talk && news > 0.0) {
        ranks.sum(present_.data(), present_.size());
        for (double& present : present_) present = std::min(present, 1.0);
    }
    Atoms evaluated = atoms;
    try {
        evaluator();
        evaluated.species = as_evaluated(atoms);
    } catch (...) {
        failure = std::current_exception();
    }
    agree(ranks, talk && news > 0.0, failure);
    const System system{evaluated, list, ranks, meshes};
    chosen->compute(system, results, [&](const std::exception_ptr& f) { agree(ranks, talk, f); });
}

Potential::Potential(std::shared_ptr<const Model> model, PotentialOptions options)
    : impl_(std::make_unique<Impl>(std::move(model), std::move(options))) {}

Potential::~Potential() = default;

const Model& Potential::model() const {
    return *impl_->model;
}

double Potential::cutoff() const {
    const double split = impl_->model->has_far_field() ? impl_->options.far_field.split : 0.0;
    return std::max(impl_->model->cutoff(), split);
}

bool Potential::has_extrapolation() const {
    return impl_->model->has_extrapolation();
}

void Potential::compute(const Atoms& atoms, const NeighborList& list, Communicator& communicator,
                        MeshBackendFactory& factory, Results& results, const std::exception_ptr& failed_before) {
    if (results.extrapolation != nullptr && !has_extrapolation()) {
        throw std::invalid_argument(
            "this model does not know what it was trained on: it has no extrapolation measure; train a linear model "
            "with a leverage, or a kernel model");
    }
    try {
        impl_->compute(atoms, list, communicator, factory, results, failed_before);
    } catch (const std::bad_alloc&) {
        impl_->forget_evaluator();
        throw;
    }
}

void Potential::reset() {
    if (impl_->chosen != nullptr) impl_->chosen->reset();
    impl_->forget_species();
}

Mat3 Potential::reference_cell() const {
    return impl_->chosen == nullptr ? Mat3{} : impl_->chosen->sets().reference_cell();
}

std::string Potential::far_field_choice() const {
    return impl_->chosen == nullptr ? std::string() : impl_->chosen->sets().far_field_choice();
}

FarField::Memory Potential::far_field_memory() const {
    return impl_->chosen == nullptr ? FarField::Memory{} : impl_->chosen->sets().far_field_memory();
}

std::string Potential::summary() const {
    const int n_threads = impl_->options.n_threads;
    return "instruction set " + std::string(instruction_set()) + ", " + std::to_string(n_threads) +
           (n_threads == 1 ? " thread\n" : " threads\n") + impl_->evaluator().summary();
}

}  // namespace mlcalc
