// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>

#include "core/mesh_backend.hpp"
#include "core/types.hpp"

namespace mlcalc {

/// Calls into Python, implemented in _engine.pyx. Each takes the GIL. If Python raises, they keep the exception for the
/// end of the computation and return false; the classes below then throw, so that the core can tell the other ranks.
struct PythonCalls {
    bool (*sum)(void* python, double* values, std::size_t n);
    bool (*max)(void* python, double* value);
};

[[noreturn]] inline void python_raised(const char* call) {
    throw std::runtime_error(std::string("the Python communicator raised an exception in ") + call);
}

/// A communicator that is a Python object with rank, size, sum(array) and max(value).
class PythonCommunicator : public Communicator {
public:
    PythonCommunicator(void* python, PythonCalls calls, int rank, int size)
        : python_(python), calls_(calls), rank_(rank), size_(size) {}
    int rank() const override { return rank_; }
    int size() const override { return size_; }
    void sum(double* values, std::size_t n) override {
        if (n > 0 && !calls_.sum(python_, values, n)) python_raised("sum");
    }
    double max(double value) override {
        if (!calls_.max(python_, &value)) python_raised("max");
        return value;
    }

private:
    void* python_;
    PythonCalls calls_;
    int rank_, size_;
};

/// For far fields that need no mesh.
class NoMesh : public MeshBackendFactory {
public:
    std::unique_ptr<MeshBackend> make(std::array<int, 3>, int, int) override {
        throw std::invalid_argument("there is no mesh here; use lode=\"ksum\"");
    }
};

/// Checks what the core takes on trust from a front-end: indices that lead outside the arrays would end the
/// interpreter. Throws std::invalid_argument.
inline void check_views(const Atoms& atoms, const NeighborList& neighbors, int n_pairs, int n_species) {
    const auto got = [](int value) { return std::to_string(value); };
    for (int i = 0; i < atoms.n_all; i++) {
        if (atoms.species[i] < -1 || atoms.species[i] >= n_species) {
            throw std::invalid_argument("species must be -1 to " + got(n_species - 1) + ", got " +
                                        got(atoms.species[i]) + " for atom " + got(i));
        }
    }
    if (neighbors.first[0] != 0 || neighbors.first[atoms.n_local] != n_pairs) {
        throw std::invalid_argument("first must start at 0 and end at the number of pairs, " + got(n_pairs));
    }
    if (!std::is_sorted(neighbors.first, neighbors.first + atoms.n_local + 1)) {
        throw std::invalid_argument("first must not decrease");
    }
    for (int pair = 0; pair < n_pairs; pair++) {
        if (neighbors.j[pair] < 0 || neighbors.j[pair] >= atoms.n_all) {
            throw std::invalid_argument("j must be 0 to " + got(atoms.n_all - 1) + ", got " + got(neighbors.j[pair]) +
                                        " for pair " + got(pair));
        }
    }
}

}  // namespace mlcalc
