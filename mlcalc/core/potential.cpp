// SPDX-License-Identifier: BSD-3-Clause
#include "potential.hpp"

#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>
#include <stdexcept>

#include "base/blas.hpp"
#include "coefficient_sets.hpp"
#include "model/description.hpp"
#include "pairs/zbl.hpp"
#include "readouts/readout.hpp"
#include "simd/instruction_set.hpp"

namespace mlcalc {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

Mat3& operator+=(Mat3& to, const Mat3& from) {
    for (std::size_t a = 0; a < 3; ++a) {
        for (std::size_t b = 0; b < 3; ++b) to[a][b] += from[a][b];
    }
    return to;
}

/// The far field shares the threads of the short range.
FarFieldOptions far_field_of(const PotentialOptions& options) {
    FarFieldOptions out = options.far_field;
    out.n_threads = options.n_threads;
    return out;
}

void subtract(const Mat3& strain, Mat3& virial) {
    for (std::size_t a = 0; a < 3; ++a) {
        for (std::size_t b = 0; b < 3; ++b) virial[a][b] -= strain[a][b];
    }
}

}  // namespace

/// What a term needs to be evaluated.
struct TermEvaluator {
    std::string name;
    std::unique_ptr<Regressor> regressor;
    bool far = false;  ///< does one of its invariants contain V
};

/// Buffers of one thread; they grow to the largest block and stay.
struct ThreadBuffers {
    ExpansionSet::Workspace expansions;
    RegressorWorkspace regressor;
    std::vector<Vec3> gradient;  ///< (n_all), only with several threads
    Mat3 strain{};
    double components[3] = {0, 0, 0};
    std::vector<double> baseline;  ///< (n) reference energies and ZBL of the block
    std::exception_ptr failure;
};

struct Potential::Impl {
    Impl(std::shared_ptr<const Model> m, PotentialOptions o);
    void compute(const Atoms&, const NeighborList&, Communicator&, MeshBackendFactory&, Results&);

    /// One sweep over all centres with one weight set (or the mean): energies, and the adjoint where wanted.
    struct Sweep {
        int member = Regressor::mean;
        bool gradient = false;
        double* energies = nullptr;         ///< (n_local) scratch, overwritten
        double* member_energies = nullptr;  ///< added to
        double* extrapolation = nullptr;    ///< overwritten
        Mat3* atom_strain = nullptr;        ///< added to
    };
    void sweep(const Atoms&, const NeighborList&, const Sweep&, double* components);
    void block(const Atoms&, const NeighborList&, const Sweep&, int begin, int end, Vec3* gradient, ThreadBuffers&);
    void run(const Atoms&, const NeighborList&, Communicator&, const Sweep&, double* components, double* seconds);
    void store(Vec3* forces, Mat3* virial) const;
    void share_failure(Communicator&, const std::exception_ptr&) const;

    std::shared_ptr<const Model> model;
    PotentialOptions options;
    ExpansionSet expansions;
    std::vector<TermEvaluator> terms;
    std::unique_ptr<Zbl> zbl;
    int block_size = 16;
    std::vector<ThreadBuffers> threads;
    std::vector<double> energies;
    std::vector<Vec3> gradient;
    std::vector<Mat3> atom_strain;
    Mat3 strain{};
};

Potential::Impl::Impl(std::shared_ptr<const Model> m, PotentialOptions o)
    : model(std::move(m)), options(std::move(o)), expansions(*model, far_field_of(options)) {
    if (options.n_threads < 1) {
        throw std::invalid_argument("n_threads must be at least 1, got " + std::to_string(options.n_threads));
    }
    blas::use_one_thread();
    const int n_species = static_cast<int>(model->species.size());
    for (const Term& term : model->terms) {
        TermEvaluator evaluator;
        evaluator.name = term.name;
        evaluator.regressor = make_regressor(term, expansions.shapes(), n_species, model->n_members);
        for (const Invariant& invariant : term.invariants) {
            if (expansions.is_far(invariant.a) || (invariant.nu == 2 && expansions.is_far(invariant.b))) {
                evaluator.far = true;
            }
        }
        // the matrix products of a kernel like more atoms at a time than the caches of a linear term
        if (std::holds_alternative<KernelDescription>(term.regressor)) block_size = 64;
        if (evaluator.regressor != nullptr) terms.push_back(std::move(evaluator));
    }
    if (model->zbl) zbl = std::make_unique<Zbl>(*model->zbl, model->species);
    threads.resize(static_cast<std::size_t>(options.n_threads));
}

void Potential::Impl::block(const Atoms& atoms, const NeighborList& list, const Sweep& s, int begin, int end,
                            Vec3* gradient_of_thread, ThreadBuffers& buffers) {
    CenterBlock& centers = buffers.expansions.block;
    expansions.compute(atoms, list, begin, end, s.gradient, buffers.expansions);
    const int n_members = model->n_members;
    double* block_energies = s.energies + begin;
    double* members = s.member_energies == nullptr ? nullptr : s.member_energies + begin * n_members;
    std::fill(block_energies, block_energies + centers.n, 0.0);
    if (s.extrapolation != nullptr) std::fill(s.extrapolation + begin, s.extrapolation + end, 0.0);
    const auto sum = [&] {
        double total = 0.0;
        for (int i = 0; i < centers.n; ++i) total += block_energies[i];
        return total;
    };
    double before = 0.0;
    for (const TermEvaluator& term : terms) {
        term.regressor->compute(centers, s.member, block_energies, members, buffers.regressor);
        const double after = sum();
        buffers.components[term.far ? 1 : 0] += after - before;
        before = after;
        if (s.extrapolation != nullptr) {
            term.regressor->extrapolation(centers, s.extrapolation + begin, buffers.regressor);
        }
    }
    if (s.gradient) {
        expansions.backward(atoms, list, begin, end, gradient_of_thread, buffers.strain, s.atom_strain,
                            buffers.expansions);
    }
    std::vector<double>& baseline = buffers.baseline;
    baseline.assign(static_cast<std::size_t>(centers.n), 0.0);
    if (zbl != nullptr) {
        zbl->compute(atoms, list, begin, end, baseline.data(), s.gradient ? gradient_of_thread : nullptr,
                     buffers.strain, s.atom_strain);
    }
    for (int i = 0; i < centers.n; ++i) {
        const int species = centers.species[i];
        if (species < 0) continue;
        const double energy =
            baseline[static_cast<std::size_t>(i)] + model->reference_energies[static_cast<std::size_t>(species)];
        block_energies[i] += energy;
        buffers.components[2] += energy;
        for (int k = 0; members != nullptr && k < n_members; ++k) members[i * n_members + k] += energy;
    }
}

void Potential::Impl::sweep(const Atoms& atoms, const NeighborList& list, const Sweep& s, double* components) {
    // with threads, small blocks where there are few atoms: each thread should get several
    const int share = (atoms.n_local + 4 * options.n_threads - 1) / (4 * options.n_threads);
    const int size = options.n_threads == 1 ? block_size : std::min(block_size, std::max(8, share));
    const int n_blocks = (atoms.n_local + size - 1) / size;
    const int n_threads = std::max(1, std::min(options.n_threads, n_blocks));
    const std::size_t n_all = static_cast<std::size_t>(atoms.n_all);
    for (int t = 0; t < n_threads; ++t) {
        ThreadBuffers& buffers = threads[static_cast<std::size_t>(t)];
        buffers.strain = Mat3{};
        std::fill(buffers.components, buffers.components + 3, 0.0);
        buffers.failure = nullptr;
        if (t > 0 && s.gradient) buffers.gradient.assign(n_all, Vec3{});
    }
#pragma omp parallel for schedule(static, 1) num_threads(n_threads) if (n_threads > 1)
    for (int b = 0; b < n_blocks; ++b) {
        const int t = omp_get_thread_num();
        ThreadBuffers& buffers = threads[static_cast<std::size_t>(t)];
        if (buffers.failure) continue;
        try {
            block(atoms, list, s, b * size, std::min((b + 1) * size, atoms.n_local),
                  t == 0 ? gradient.data() : buffers.gradient.data(), buffers);
        } catch (...) {
            buffers.failure = std::current_exception();
        }
    }
    for (int t = 0; t < n_threads; ++t) {
        const ThreadBuffers& buffers = threads[static_cast<std::size_t>(t)];
        if (buffers.failure) std::rethrow_exception(buffers.failure);
        strain += buffers.strain;
        for (int k = 0; k < 3; ++k) components[k] += buffers.components[k];
        if (t == 0 || !s.gradient) continue;
        for (std::size_t i = 0; i < n_all; ++i) {
            for (std::size_t x = 0; x < 3; ++x) gradient[i][x] += buffers.gradient[i][x];
        }
    }
}

/// Throws on every rank if one of them failed. Serial and short-range models never talk.
void Potential::Impl::share_failure(Communicator& communicator, const std::exception_ptr& failure) const {
    double failed = failure ? 1.0 : 0.0;
    if (model->has_far_field() && communicator.size() > 1) failed = communicator.max(failed);
    if (failure) std::rethrow_exception(failure);
    if (failed > 0.0) throw std::runtime_error("another rank could not evaluate its atoms; its message says why");
}

void Potential::Impl::run(const Atoms& atoms, const NeighborList& list, Communicator& communicator, const Sweep& s,
                          double* components, double* seconds) {
    const auto start = Clock::now();
    std::exception_ptr failure;
    try {
        strain = Mat3{};
        if (s.gradient) gradient.assign(static_cast<std::size_t>(atoms.n_all), Vec3{});
        sweep(atoms, list, s, components);
    } catch (...) {
        failure = std::current_exception();
    }
    share_failure(communicator, failure);
    seconds[0] += seconds_since(start);
    const auto far_start = Clock::now();
    if (s.gradient) expansions.backward_far(atoms, gradient.data(), strain, s.atom_strain);
    seconds[1] += seconds_since(far_start);
}

/// Forces and virial of the last run, added where wanted.
void Potential::Impl::store(Vec3* forces, Mat3* virial) const {
    for (std::size_t i = 0; i < gradient.size() && forces != nullptr; ++i) {
        for (std::size_t x = 0; x < 3; ++x) forces[i][x] -= gradient[i][x];
    }
    if (virial != nullptr) subtract(strain, *virial);
}

void Potential::Impl::compute(const Atoms& atoms, const NeighborList& list, Communicator& communicator,
                              MeshBackendFactory& factory, Results& results) {
    const auto far_start = Clock::now();
    std::exception_ptr failure;
    try {
        expansions.check(atoms);
    } catch (...) {
        failure = std::current_exception();
    }
    share_failure(communicator, failure);
    expansions.compute_far(atoms, communicator, factory);
    results.seconds[1] += seconds_since(far_start);

    const std::size_t n_local = static_cast<std::size_t>(atoms.n_local);
    energies.resize(n_local);
    Sweep s;
    s.gradient = results.forces != nullptr || results.atom_virials != nullptr;
    s.energies = energies.data();
    s.member_energies = results.member_energies;
    s.extrapolation = results.extrapolation;
    if (results.atom_virials != nullptr) {
        atom_strain.reserve(n_local + 1);  // null means "not wanted" to collective calls, on a rank without atoms too
        atom_strain.assign(n_local, Mat3{});
        s.atom_strain = atom_strain.data();
    }
    run(atoms, list, communicator, s, results.components, results.seconds);
    for (std::size_t i = 0; i < n_local && results.energies != nullptr; ++i) results.energies[i] += energies[i];
    for (std::size_t i = 0; i < n_local && results.atom_virials != nullptr; ++i) {
        subtract(atom_strain[i], results.atom_virials[i]);
    }
    if (s.gradient) store(results.forces, &results.virial);
    if (results.member_forces == nullptr && results.member_virials == nullptr) return;
    for (int k = 0; k < model->n_members; ++k) {
        Sweep member;
        member.member = k;
        member.gradient = true;
        member.energies = energies.data();
        double ignored[3] = {0, 0, 0};
        run(atoms, list, communicator, member, ignored, results.seconds);
        store(results.member_forces == nullptr ? nullptr : results.member_forces + k * atoms.n_all,
              results.member_virials == nullptr ? nullptr : results.member_virials + k);
    }
}

Potential::Potential(std::shared_ptr<const Model> model, PotentialOptions options)
    : impl_(std::make_unique<Impl>(std::move(model), std::move(options))) {}

Potential::~Potential() = default;

const Model& Potential::model() const {
    return *impl_->model;
}

double Potential::cutoff() const {
    return std::max(impl_->expansions.cutoff(), impl_->zbl == nullptr ? 0.0 : impl_->zbl->cutoff());
}

void Potential::compute(const Atoms& atoms, const NeighborList& list, Communicator& communicator,
                        MeshBackendFactory& factory, Results& results) {
    if (results.extrapolation != nullptr && !has_extrapolation()) {
        throw std::invalid_argument(
            "this model does not know what it was trained on: it has no extrapolation measure; train a linear model "
            "with "
            "a leverage, or a kernel model");
    }
    impl_->compute(atoms, list, communicator, factory, results);
}

bool Potential::has_extrapolation() const {
    return std::any_of(impl_->terms.begin(), impl_->terms.end(),
                       [](const TermEvaluator& term) { return term.regressor->has_extrapolation(); });
}

void Potential::reset() {
    impl_->expansions.reset();
}

Mat3 Potential::reference_cell() const {
    return impl_->expansions.reference_cell();
}

std::string Potential::summary() const {
    const int n_threads = impl_->options.n_threads;
    std::string text = "instruction set " + std::string(instruction_set()) + ", " + std::to_string(n_threads) +
                       (n_threads == 1 ? " thread\n" : " threads\n") + impl_->expansions.summary();
    for (const TermEvaluator& term : impl_->terms) text += term.name + ": " + term.regressor->summary() + "\n";
    return text;
}

}  // namespace mlcalc
