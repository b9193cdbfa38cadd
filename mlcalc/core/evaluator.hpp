// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "coefficient_sets.hpp"
#include "pairs/pair_potential.hpp"
#include "pairs/triple_kernel.hpp"
#include "potential.hpp"
#include "readouts/readout.hpp"

namespace mlcalc {

/// The method, block of centers by block: expansions, layers, readouts, and the adjoints back. For one set of species.
class Evaluator {
public:
    Evaluator(std::shared_ptr<const Model> model, const PotentialOptions& options);

    const CoefficientSets& sets() const { return sets_; }
    /// Adds to the results. Collective with a far field; `agree` is called in between, by every rank, with what went
    /// wrong on this one, and throws on all if it did on any.
    template <class Agree>
    void compute(const System& system, Results& results, Agree agree) {
        const Clock start;
        begin(system, results);
        results.seconds[1] += start.seconds();
        const Clock near;
        std::exception_ptr failure;
        try {
            sweep(system, results);
        } catch (...) {
            failure = std::current_exception();
        }
        agree(failure);
        results.seconds[0] += near.seconds();
        const Clock far;
        end(system, results);
        results.seconds[1] += far.seconds();
    }
    void reset() { sets_.reset(); }
    std::string summary() const;

private:
    class Clock {
    public:
        Clock();
        double seconds() const;

    private:
        double start_;
    };
    /// A term, and whether one of its invariants depends on all atoms.
    struct TermReadout {
        std::string name;
        std::unique_ptr<Readout> readout;
        bool far = false;
    };
    /// Buffers of one thread; they grow to the largest block and stay.
    struct Buffers {
        CoefficientSets::Workspace work;
        std::vector<Readout::Scratch> readouts;   ///< per term
        std::vector<std::vector<Vec3>> gradient;  ///< per pass and of the pairs, (n_all)
        std::vector<Mat3> strain;                 ///< per pass and of the pairs
        std::vector<double> baseline;             ///< (n) reference energies, pairs and triples of the block
        TripleKernel::Scratch triples;
        double components[3] = {0, 0, 0};
        std::exception_ptr failure;
    };
    void begin(const System&, const Results&);
    void sweep(const System&, Results&);
    void end(const System&, Results&);
    void block(const System&, const Results&, Block, Buffers&);
    void readouts(const Results&, Block, Buffers&);
    void baseline(const System&, const Results&, Block, Buffers&);
    bool with_member_passes() const;
    double* members_of(const Results&, Block) const;
    Gradient gradient_of(Buffers&, const Results&, std::size_t pass);
    void collect(const System&, std::size_t n_threads, Results&);
    int block_size(int n_local) const;

    std::shared_ptr<const Model> model_;
    int n_threads_;
    std::vector<TermReadout> terms_;
    std::vector<std::unique_ptr<PairPotential>> pairs_;
    std::vector<TripleKernel> triples_;
    CoefficientSets sets_;
    int block_size_ = 16;
    std::vector<Buffers> threads_;
    /// Whose derivatives are wanted, in the order of the passes: Readout::mean and members.
    std::vector<int> passes_;
    std::vector<double> energies_;  ///< (n_local)
    std::vector<Mat3> atom_strain_;
};

}  // namespace mlcalc
