// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <string>

#include "base/coefficients.hpp"
#include "base/system.hpp"
#include "pairs/pair_geometry.hpp"

namespace mlcalc {

/// Takes the derivatives of the coefficients around one center.
class TangentSink {
public:
    virtual ~TangentSink() = default;
    /// Along axis x of the vector to neighbor j: it moves the neighbor, moves the center the other way, and strains.
    virtual void pair(int j, const Vec3& r_ij, int x, const ColumnChange&) = 0;
    /// Along axis x of atom j, whatever else depends on it.
    virtual void atom(int j, int x, const ColumnChange&) = 0;
    /// Along the strain eps_ab of atoms that `atom` has moved.
    virtual void strain(int a, int b, const ColumnChange&) = 0;
};

/// Coefficients of each center from the atoms around it: c of a block in `compute`, dE/dr from dE/dc in `backward`.
class Expansion {
public:
    /// What one thread keeps from `compute` to `backward`; grows to the largest block and is then reused.
    struct Scratch {
        virtual ~Scratch() = default;
    };
    virtual ~Expansion() = default;
    virtual CoefficientShape shape() const = 0;
    /// Angstrom; 0 for what has none.
    virtual double cutoff() const { return 0.0; }
    /// Does one center depend on all atoms, so that `begin` and `end` talk to the other ranks?
    virtual bool far() const { return false; }
    virtual std::unique_ptr<Scratch> scratch() const { return std::make_unique<Scratch>(); }

    /// Before all blocks; adjoints of `n_passes` energies will be asked for. Collective if `far`.
    virtual void begin(const System&, int /*n_passes*/) {}
    /// c[(i - begin) * shape().size() + ..] of the centers of the block, overwritten. With `keep` what `backward` and
    /// `tangents` need is kept.
    virtual void compute(const System&, const PairGeometry&, Block, double* c, Scratch&, bool keep) = 0;
    /// For c_adj = dE/dc of the same block, in the layout of c: adds the derivatives of E.
    virtual void backward(const System&, const PairGeometry&, Block, int pass, const double* c_adj, Scratch&,
                          const Gradient&) = 0;
    /// After `backward` of all blocks of a pass, what it left for all atoms together. Collective if `far`.
    virtual void end(const System&, int /*pass*/, const Gradient&) {}

    /// For training, after `begin`: what `tangents` needs of all atoms together.
    virtual void begin_tangents(const System&) {}
    /// The derivatives of the coefficients around center i, where compute({i, i + 1}, keep) went last.
    virtual void tangents(const System&, const PairGeometry&, int i, Scratch&, TangentSink&) = 0;

    /// Forget what was chosen for cell and atoms.
    virtual void reset() {}
    /// One line for the log.
    virtual std::string summary() const = 0;
};

}  // namespace mlcalc
