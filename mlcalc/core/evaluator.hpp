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
#include "readouts/output_readout.hpp"
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
    /// A quantity whose derivatives are wanted: the energy of the mean or of a member, or a component of a tensor.
    struct Pass {
        int member = Readout::mean;
        int tensor = -1;  ///< index in Results::tensors, -1: the energy
        int component = 0;
    };
    /// Buffers of one thread; they grow to the largest block and stay.
    struct Buffers {
        CoefficientSets::Workspace work;
        std::vector<Readout::Scratch> readouts;   ///< per term
        std::vector<std::vector<Vec3>> gradient;  ///< per pass and of the pairs, (n_all)
        std::vector<Mat3> strain;                 ///< per pass and of the pairs
        std::vector<double> baseline;             ///< (n) reference energies, pairs and triples of the block
        TripleKernel::Scratch triples;
        OutputReadout::Scratch outputs;
        std::vector<double> dipoles;  ///< of the centers of the block
        double components[3] = {0, 0, 0};
        std::exception_ptr failure;
    };
    void begin(const System&, const Results&);
    void add_passes(const Results&);
    void sweep(const System&, Results&);
    void end(const System&, Results&);
    void block(const System&, const Results&, Block, Buffers&);
    void readouts(const System&, const Results&, Block, Buffers&);
    void energy_terms(const Results&, Block, Buffers&);
    void tensors(const System&, const Results&, Block, Buffers&);
    void field_energy(const System&, Block, int member, double* energies, int stride, Buffers&);
    void field_backward(const System&, const Results&, Block, std::size_t pass, Buffers&);
    void pass_backward(const System&, const Results&, Block, std::size_t pass, Buffers&);
    void baseline(const System&, const Results&, Block, Buffers&);
    bool with_member_passes() const;
    bool with_energy_passes() const { return !passes_.empty() && passes_[0].tensor < 0; }
    bool in_field() const { return dipole_ >= 0; }
    double* members_of(const Results&, Block) const;
    Gradient gradient_of(Buffers&, const Results&, std::size_t pass);
    void collect(const System&, std::size_t n_threads, Results&);
    int block_size(int n_local) const;

    std::shared_ptr<const Model> model_;
    int n_threads_;
    std::vector<TermReadout> terms_;
    std::vector<OutputReadout> outputs_;
    Vec3 electric_field_;
    int dipole_ = -1;  ///< the output that the electric field acts on, -1 without a field
    bool dipole_is_far_ = false;
    bool with_energy_ = true;  ///< is the energy wanted, or only tensors
    std::vector<std::unique_ptr<PairPotential>> pairs_;
    std::vector<TripleKernel> triples_;
    CoefficientSets sets_;
    int block_size_ = 16;
    std::vector<Buffers> threads_;
    std::vector<Pass> passes_;      ///< the mean and the members of the energy, then tensors
    std::vector<double> energies_;  ///< (n_local)
    std::vector<Mat3> atom_strain_;
};

}  // namespace mlcalc
