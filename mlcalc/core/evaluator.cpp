// SPDX-License-Identifier: BSD-3-Clause
#include "evaluator.hpp"

#include <omp.h>

#include <algorithm>
#include <chrono>
#include <limits>

#include "base/reserve.hpp"

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
      electric_field_(options.electric_field),
      dipole_(options.electric_field != Vec3{} ? model_->dipole() : -1),
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
    for (const TensorOutput& output : model_->outputs) {
        outputs_.emplace_back(output, sets_.shapes(), static_cast<int>(model_->species.size()), model_->n_members);
    }
    for (int set = 0; set < static_cast<int>(sets_.shapes().size()) && in_field(); ++set) {
        dipole_is_far_ = dipole_is_far_ || (sets_.far(set) && outputs_[static_cast<std::size_t>(dipole_)].uses(set));
    }
    threads_.resize(static_cast<std::size_t>(n_threads_));
    for (Buffers& buffers : threads_) buffers.readouts.resize(terms_.size());
}

std::string Evaluator::summary() const {
    std::string text = sets_.summary();
    for (const TermReadout& term : terms_) text += term.name + ": " + term.readout->summary() + "\n";
    for (const OutputReadout& output : outputs_) text += output.summary() + "\n";
    return text;
}

void Evaluator::begin(const System& system, const Results& results) {
    const auto n_local = static_cast<std::size_t>(system.atoms.n_local);
    add_passes(results);
    energies_.assign(n_local, 0.0);
    atom_strain_.reserve(n_local + 1);  // null means "not wanted" to collective calls, on a rank without atoms too
    atom_strain_.assign(results.atom_virials == nullptr ? 0 : n_local, Mat3{});
    sets_.begin(system, static_cast<int>(std::max<std::size_t>(1, passes_.size())));
}

void Evaluator::add_passes(const Results& results) {
    passes_.clear();
    if (results.forces != nullptr || results.atom_virials != nullptr) passes_.push_back({});
    if (results.member_forces != nullptr || results.member_virials != nullptr) {
        for (TermReadout& term : terms_) term.readout->prepare_members();
        for (int k = 0; k < model_->n_members; ++k) passes_.push_back({k, -1, 0});
    }
    const bool members = results.member_energies != nullptr || with_member_passes();
    with_energy_ = results.energies != nullptr || members || !passes_.empty() || results.extrapolation != nullptr;
    if (members && in_field()) outputs_[static_cast<std::size_t>(dipole_)].prepare_members();
    for (std::size_t t = 0; t < results.tensors.size(); ++t) {
        OutputReadout& output = outputs_[static_cast<std::size_t>(results.tensors[t].output)];
        if (results.tensors[t].member_values != nullptr) output.prepare_members();
        for (int c = 0; c < output.n_components() && results.tensors[t].derivatives != nullptr; ++c) {
            passes_.push_back({Readout::mean, static_cast<int>(t), c});
        }
    }
}

/// Where the derivatives of a pass go; per-atom virials are those of the mean.
Gradient Evaluator::gradient_of(Buffers& buffers, const Results& results, std::size_t pass) {
    const bool per_atom = results.atom_virials != nullptr && (pass == 0 || pass == passes_.size());
    return {buffers.gradient[pass].data(), &buffers.strain[pass], per_atom ? atom_strain_.data() : nullptr};
}

bool Evaluator::with_member_passes() const {
    return std::any_of(passes_.begin(), passes_.end(), [](const Pass& pass) { return pass.member != Readout::mean; });
}

double* Evaluator::members_of(const Results& results, Block block) const {
    if (results.member_energies == nullptr) return nullptr;
    return results.member_energies + std::ptrdiff_t{block.begin} * model_->n_members;
}

/// Energies of the terms, and the adjoints of the coefficients of the mean where only its derivatives are wanted.
void Evaluator::energy_terms(const Results& results, Block block, Buffers& buffers) {
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
        if (with_energy_passes() && passes_[0].member == Readout::mean) {
            term.readout->compute_and_backward(centers, energies, members, with_member_passes(), buffers.readouts[t]);
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

/// -mu . E of the centers, mu from the weights of a member or the mean.
void Evaluator::field_energy(const System& system, Block block, int member, double* energies, int stride,
                             Buffers& buffers) {
    const CenterBlock& centers = buffers.work.block;
    buffers.dipoles.assign(3 * static_cast<std::size_t>(centers.n), 0.0);
    outputs_[static_cast<std::size_t>(dipole_)].compute(system, block, centers, member, buffers.dipoles.data(), 3,
                                                        buffers.outputs);
    for (int i = 0; i < centers.n; ++i) {
        const double* mu = &buffers.dipoles[3 * static_cast<std::size_t>(i)];
        energies[i * stride] -= mu[0] * electric_field_[0] + mu[1] * electric_field_[1] + mu[2] * electric_field_[2];
    }
}

void Evaluator::field_backward(const System& system, const Results& results, Block block, std::size_t pass,
                               Buffers& buffers) {
    const Vec3 adjoint = -1.0 * electric_field_;
    outputs_[static_cast<std::size_t>(dipole_)].backward(system, block, buffers.work.block, passes_[pass].member,
                                                         adjoint.data(), gradient_of(buffers, results, pass),
                                                         buffers.outputs);
}

void Evaluator::tensors(const System& system, const Results& results, Block block, Buffers& buffers) {
    const CenterBlock& centers = buffers.work.block;
    for (const TensorResults& tensor : results.tensors) {
        const OutputReadout& output = outputs_[static_cast<std::size_t>(tensor.output)];
        const std::size_t n_c = static_cast<std::size_t>(output.n_components());
        const std::size_t begin = static_cast<std::size_t>(block.begin),
                          k_max = static_cast<std::size_t>(model_->n_members);
        if (tensor.values != nullptr) {
            output.compute(system, block, centers, Readout::mean, tensor.values + begin * n_c, n_c, buffers.outputs);
        }
        for (std::size_t k = 0; k < k_max && tensor.member_values != nullptr; ++k) {
            output.compute(system, block, centers, static_cast<int>(k),
                           tensor.member_values + (begin * k_max + k) * n_c, k_max * n_c, buffers.outputs);
        }
    }
}

/// Energies and tensors of the block, and the adjoints of the mean energy if its derivatives are wanted.
void Evaluator::readouts(const System& system, const Results& results, Block block, Buffers& buffers) {
    tensors(system, results, block, buffers);
    if (!with_energy_) return;
    energy_terms(results, block, buffers);
    if (!in_field()) return;
    double* energies = energies_.data() + block.begin;
    double before = 0.0, after = 0.0;
    for (int i = 0; i < block.size(); ++i) before += energies[i];
    field_energy(system, block, Readout::mean, energies, 1, buffers);
    for (int i = 0; i < block.size(); ++i) after += energies[i];
    buffers.components[dipole_is_far_ ? 1 : 0] += after - before;
    if (with_energy_passes() && passes_[0].member == Readout::mean) field_backward(system, results, block, 0, buffers);
    double* members = members_of(results, block);
    for (int k = 0; k < model_->n_members && members != nullptr; ++k) {
        field_energy(system, block, k, members + k, model_->n_members, buffers);
    }
}

/// Reference energies, pair potentials and triples.
void Evaluator::baseline(const System& system, const Results& results, Block block, Buffers& buffers) {
    const CenterBlock& centers = buffers.work.block;
    const int n_members = model_->n_members;
    buffers.baseline.assign(static_cast<std::size_t>(centers.n), 0.0);
    if (!pairs_.empty() || !triples_.empty()) {
        Gradient gradient;
        if (with_energy_passes()) gradient = gradient_of(buffers, results, buffers.gradient.size() - 1);
        for (const auto& potential : pairs_) {
            add_pairs(*potential, system, *buffers.work.pairs, block, buffers.baseline.data(),
                      with_energy_passes() ? &gradient : nullptr);
        }
        for (const TripleKernel& triple : triples_) {
            triple.add(system, *buffers.work.pairs, block, buffers.baseline.data(),
                       with_energy_passes() ? &gradient : nullptr, buffers.triples);
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
    double* measure = results.extrapolation;
    if (measure != nullptr) std::fill(measure + block.begin, measure + block.end, Readout::nothing_known);
    readouts(system, results, block, buffers);
    for (int i = block.begin; measure != nullptr && i < block.end; ++i) {
        const bool absent = work.block.species[i - block.begin] < 0;
        if (measure[i] == Readout::nothing_known) measure[i] = absent ? 0.0 : std::numeric_limits<double>::infinity();
    }
    for (std::size_t pass = 0; pass < passes_.size(); ++pass) {
        if (pass > 0) sets_.zero_adjoints(work);
        pass_backward(system, results, block, pass, buffers);
        sets_.backward(system, block, static_cast<int>(pass), gradient_of(buffers, results, pass), work);
    }
    if (with_energy_) baseline(system, results, block, buffers);
}

/// The adjoints of the coefficients for one pass; those of the mean energy are there already.
void Evaluator::pass_backward(const System& system, const Results& results, Block block, std::size_t index,
                              Buffers& buffers) {
    const Pass& pass = passes_[index];
    const CenterBlock& centers = buffers.work.block;
    if (pass.tensor >= 0) {
        const OutputReadout& output =
            outputs_[static_cast<std::size_t>(results.tensors[static_cast<std::size_t>(pass.tensor)].output)];
        std::vector<double> adjoint(static_cast<std::size_t>(output.n_components()), 0.0);
        adjoint[static_cast<std::size_t>(pass.component)] = 1.0;
        output.backward(system, block, centers, pass.member, adjoint.data(), gradient_of(buffers, results, index),
                        buffers.outputs);
    } else if (pass.member != Readout::mean) {
        double* members = members_of(results, block);
        for (std::size_t t = 0; t < terms_.size(); ++t) {
            terms_[t].readout->backward(centers, pass.member, nullptr,
                                        members == nullptr ? nullptr : members + pass.member, model_->n_members,
                                        buffers.readouts[t]);
        }
        if (in_field()) field_backward(system, results, block, index, buffers);
    }
}

/// With threads, small blocks where there are few atoms: each thread should get several.
int Evaluator::block_size(int n_local) const {
    const int share = (n_local + 4 * n_threads_ - 1) / (4 * n_threads_);
    return n_threads_ == 1 ? block_size_ : std::min(block_size_, std::max(8, share));
}

void Evaluator::sweep(const System& system, Results& results) {
    const int n_local = system.atoms.n_local, size = block_size(n_local), n_blocks = (n_local + size - 1) / size;
    const int n_threads = std::max(1, std::min(n_threads_, n_blocks));
    // the derivatives of one energy alone are those of the pair potentials too
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
    reserve_threads(n_threads);
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
        if (passes_[pass].tensor >= 0) {
            const TensorResults& tensor = results.tensors[static_cast<std::size_t>(passes_[pass].tensor)];
            const auto c = static_cast<std::size_t>(passes_[pass].component);
            for (std::size_t i = 0; i < n_all; ++i) tensor.derivatives[c * n_all + i] += gradient[i];
            if (tensor.strain != nullptr) tensor.strain[c] += sums.strain[pass];
            continue;
        }
        if (passes_.size() > 1) {
            for (std::size_t i = 0; i < n_all; ++i) gradient[i] += sums.gradient.back()[i];
            sums.strain[pass] += sums.strain.back();
        }
        const bool mean = passes_[pass].member == Readout::mean;
        const auto member = static_cast<std::size_t>(std::max(0, passes_[pass].member));
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
