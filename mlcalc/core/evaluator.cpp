// SPDX-License-Identifier: BSD-3-Clause
#include "evaluator.hpp"

#include <omp.h>

#include <algorithm>
#include <chrono>

namespace mlcalc {
namespace {

std::vector<double> cutoffs(const std::vector<std::unique_ptr<PairPotential>>& pairs,
                            const std::vector<TripleDescription>& triples) {
    std::vector<double> out;
    for (const auto& potential : pairs) out.push_back(potential->cutoff());
    for (const TripleDescription& triple : triples) out.push_back(triple.smoothing.cutoff);
    return out;
}

/// The far field shares the threads of the short range.
FarFieldOptions far_field_of(const PotentialOptions& options) {
    FarFieldOptions out = options.far_field;
    out.n_threads = options.n_threads;
    return out;
}

double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

Evaluator::Clock::Clock() : start_(now()) {}

double Evaluator::Clock::seconds() const {
    return now() - start_;
}

Evaluator::Evaluator(std::shared_ptr<const Model> model, const PotentialOptions& options)
    : model_(std::move(model)),
      n_threads_(options.n_threads),
      pairs_(make_pair_potentials(*model_)),
      sets_(*model_, far_field_of(options), cutoffs(pairs_, model_->triples)) {
    for (const TripleDescription& triple : model_->triples) triples_.emplace_back(triple);
    for (const Term& term : model_->terms) {
        TermReadout entry;
        entry.name = term.name;
        entry.readout = make_readout(term, sets_.shapes(), static_cast<int>(model_->species.size()), model_->n_members);
        if (entry.readout == nullptr) continue;
        for (int set = 0; set < static_cast<int>(sets_.shapes().size()); ++set) {
            entry.far = entry.far || (sets_.far(set) && entry.readout->features().uses(set));
        }
        block_size_ = std::max(block_size_, entry.readout->block_size());
        terms_.push_back(std::move(entry));
    }
    threads_.resize(static_cast<std::size_t>(n_threads_));
    for (Buffers& buffers : threads_) buffers.readouts.resize(terms_.size());
}

std::string Evaluator::summary() const {
    std::string text = sets_.summary();
    for (const TermReadout& term : terms_) text += term.name + ": " + term.readout->summary() + "\n";
    return text;
}

void Evaluator::begin(const System& system, const Results& results) {
    const auto n_local = static_cast<std::size_t>(system.atoms.n_local);
    passes_.clear();
    if (results.forces != nullptr || results.atom_virials != nullptr) passes_.push_back(Readout::mean);
    if (results.member_forces != nullptr || results.member_virials != nullptr) {
        for (TermReadout& term : terms_) term.readout->prepare_members();
        for (int k = 0; k < model_->n_members; ++k) passes_.push_back(k);
    }
    energies_.assign(n_local, 0.0);
    atom_strain_.reserve(n_local + 1);  // null means "not wanted" to collective calls, on a rank without atoms too
    atom_strain_.assign(results.atom_virials == nullptr ? 0 : n_local, Mat3{});
    sets_.begin(system, static_cast<int>(std::max<std::size_t>(1, passes_.size())));
}

/// Where the derivatives of a pass go; per-atom virials are those of the mean.
Gradient Evaluator::gradient_of(Buffers& buffers, const Results& results, std::size_t pass) {
    const bool per_atom = results.atom_virials != nullptr && (pass == 0 || pass == passes_.size());
    return {buffers.gradient[pass].data(), &buffers.strain[pass], per_atom ? atom_strain_.data() : nullptr};
}

bool Evaluator::with_member_passes() const {
    return !passes_.empty() && passes_.back() != Readout::mean;
}

double* Evaluator::members_of(const Results& results, Block block) const {
    if (results.member_energies == nullptr) return nullptr;
    return results.member_energies + std::ptrdiff_t{block.begin} * model_->n_members;
}

/// Energies of the terms, and the adjoints of the coefficients of the mean where only its derivatives are wanted.
void Evaluator::readouts(const Results& results, Block block, Buffers& buffers) {
    CenterBlock& centers = buffers.work.block;
    double* energies = energies_.data() + block.begin;
    // the passes of the members give their energies, too
    double* members = with_member_passes() ? nullptr : members_of(results, block);
    const auto sum = [&] {
        double total = 0.0;
        for (int i = 0; i < centers.n; ++i) total += energies[i];
        return total;
    };
    double before = 0.0;
    for (std::size_t t = 0; t < terms_.size(); ++t) {
        const TermReadout& term = terms_[t];
        if (!passes_.empty() && passes_[0] == Readout::mean) {
            term.readout->compute_and_backward(centers, energies, members, passes_.size() > 1, buffers.readouts[t]);
        } else {
            term.readout->compute(centers, energies, members, buffers.readouts[t]);
        }
        const double after = sum();
        buffers.components[term.far ? 1 : 0] += after - before;
        before = after;
        if (results.extrapolation != nullptr) {
            term.readout->extrapolation(centers, results.extrapolation + block.begin, buffers.readouts[t]);
        }
    }
}

/// Reference energies, pair potentials and triples.
void Evaluator::baseline(const System& system, const Results& results, Block block, Buffers& buffers) {
    const CenterBlock& centers = buffers.work.block;
    const int n_members = model_->n_members;
    buffers.baseline.assign(static_cast<std::size_t>(centers.n), 0.0);
    if (!pairs_.empty() || !triples_.empty()) {
        Gradient gradient;
        if (!passes_.empty()) gradient = gradient_of(buffers, results, buffers.gradient.size() - 1);
        for (const auto& potential : pairs_) {
            add_pairs(*potential, system, *buffers.work.pairs, block, buffers.baseline.data(),
                      passes_.empty() ? nullptr : &gradient);
        }
        for (const TripleKernel& triple : triples_) {
            triple.add(system, *buffers.work.pairs, block, buffers.baseline.data(),
                       passes_.empty() ? nullptr : &gradient, buffers.triples);
        }
    }
    for (int i = 0; i < centers.n; ++i) {
        if (centers.species[i] < 0) continue;
        const double energy = buffers.baseline[static_cast<std::size_t>(i)] +
                              model_->reference_energies[static_cast<std::size_t>(centers.species[i])];
        energies_[static_cast<std::size_t>(block.begin + i)] += energy;
        buffers.components[2] += energy;
        if (results.member_energies == nullptr) continue;
        double* members = members_of(results, block) + std::ptrdiff_t{i} * n_members;
        for (int k = 0; k < n_members; ++k) members[k] += energy;
    }
}

void Evaluator::block(const System& system, const Results& results, Block block, Buffers& buffers) {
    CoefficientSets::Workspace& work = buffers.work;
    sets_.compute(system, block, !passes_.empty(), work);
    if (results.extrapolation != nullptr) {
        std::fill(results.extrapolation + block.begin, results.extrapolation + block.end, 0.0);
    }
    readouts(results, block, buffers);
    double* members = members_of(results, block);
    for (std::size_t pass = 0; pass < passes_.size(); ++pass) {
        if (passes_[pass] != Readout::mean) {
            if (pass > 0) sets_.zero_adjoints(work);
            for (std::size_t t = 0; t < terms_.size(); ++t) {
                terms_[t].readout->backward(work.block, passes_[pass], nullptr,
                                            members == nullptr ? nullptr : members + passes_[pass], model_->n_members,
                                            buffers.readouts[t]);
            }
        }
        sets_.backward(system, block, static_cast<int>(pass), gradient_of(buffers, results, pass), work);
    }
    baseline(system, results, block, buffers);
}

/// With threads, small blocks where there are few atoms: each thread should get several.
int Evaluator::block_size(int n_local) const {
    const int share = (n_local + 4 * n_threads_ - 1) / (4 * n_threads_);
    return n_threads_ == 1 ? block_size_ : std::min(block_size_, std::max(8, share));
}

void Evaluator::sweep(const System& system, Results& results) {
    const int n_local = system.atoms.n_local, size = block_size(n_local), n_blocks = (n_local + size - 1) / size;
    const int n_threads = std::max(1, std::min(n_threads_, n_blocks));
    // one set of derivatives is that of the pair potentials too
    const std::size_t n_gradients = passes_.size() > 1 ? passes_.size() + 1 : 1;
    for (int t = 0; t < n_threads; ++t) {
        Buffers& buffers = threads_[static_cast<std::size_t>(t)];
        buffers.strain.assign(n_gradients, Mat3{});
        std::fill(buffers.components, buffers.components + 3, 0.0);
        buffers.failure = nullptr;
        buffers.gradient.resize(n_gradients);
        if (passes_.empty()) continue;
        for (auto& gradient : buffers.gradient) gradient.assign(static_cast<std::size_t>(system.atoms.n_all), Vec3{});
    }
#pragma omp parallel for schedule(static, 1) num_threads(n_threads) if (n_threads > 1)
    for (int b = 0; b < n_blocks; ++b) {
        Buffers& buffers = threads_[static_cast<std::size_t>(omp_get_thread_num())];
        if (buffers.failure) continue;
        try {
            block(system, results, {b * size, std::min((b + 1) * size, n_local)}, buffers);
        } catch (...) {
            buffers.failure = std::current_exception();
        }
    }
    collect(system, static_cast<std::size_t>(n_threads), results);
}

/// The sums over threads, in the buffers of the first one.
void Evaluator::collect(const System& system, std::size_t n_threads, Results& results) {
    Buffers& first = threads_[0];
    for (std::size_t t = 0; t < n_threads; ++t) {
        const Buffers& buffers = threads_[t];
        if (buffers.failure) std::rethrow_exception(buffers.failure);
        for (int k = 0; k < 3; ++k) results.components[k] += buffers.components[k];
        for (std::size_t pass = 0; pass < first.gradient.size() && t > 0 && !passes_.empty(); ++pass) {
            first.strain[pass] += buffers.strain[pass];
            for (std::size_t i = 0; i < first.gradient[pass].size(); ++i)
                first.gradient[pass][i] += buffers.gradient[pass][i];
        }
    }
    for (int i = 0; i < system.atoms.n_local && results.energies != nullptr; ++i) {
        results.energies[i] += energies_[static_cast<std::size_t>(i)];
    }
}

void Evaluator::end(const System& system, Results& results) {
    Buffers& sums = threads_[0];
    const auto n_all = static_cast<std::size_t>(system.atoms.n_all);
    for (std::size_t pass = 0; pass < passes_.size(); ++pass) {
        sets_.end(system, static_cast<int>(pass), gradient_of(sums, results, pass));
        std::vector<Vec3>& gradient = sums.gradient[pass];
        if (passes_.size() > 1) {
            for (std::size_t i = 0; i < n_all; ++i) gradient[i] += sums.gradient.back()[i];
            sums.strain[pass] += sums.strain.back();
        }
        const bool mean = passes_[pass] == Readout::mean;
        const auto member = static_cast<std::size_t>(std::max(0, passes_[pass]));
        Vec3* forces = mean ? results.forces
                            : (results.member_forces == nullptr ? nullptr : results.member_forces + member * n_all);
        Mat3* virial =
            mean ? &results.virial : (results.member_virials == nullptr ? nullptr : results.member_virials + member);
        for (std::size_t i = 0; i < n_all && forces != nullptr; ++i) forces[i] -= gradient[i];
        if (virial != nullptr) *virial -= sums.strain[pass];
    }
    for (std::size_t i = 0; i < atom_strain_.size(); ++i) results.atom_virials[i] -= atom_strain_[i];
}

}  // namespace mlcalc
