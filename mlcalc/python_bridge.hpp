// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/base/failure.hpp"
#include "core/base/types.hpp"
#include "core/far_field/mesh/mesh_backend.hpp"
#include "core/far_field/mesh/mesh_serial.hpp"
#include "core/potential.hpp"

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

/// As PythonCalls, for the mesh that the Python communicator makes; `handle` names one of them.
struct PythonMeshCalls {
    /// `bricks` receives lo and hi of the owned, the ghosted and the spectral brick. Returns the handle, or -1.
    int (*make)(void* python, const int* shape, int below, int above, int* bricks);
    void (*release)(void* python, int handle);
    bool (*halo)(void* python, int handle, bool add, double* grid, std::size_t n_doubles, int n_values);
    bool (*transform)(void* python, int handle, bool forward, double* real_space, std::size_t n_real,
                      double* reciprocal, std::size_t n_reciprocal, int n);
};

/// A mesh that is a Python object: mlcalc.parallel.SlabMesh.
class PythonMeshBackend : public MeshBackend {
public:
    PythonMeshBackend(void* python, PythonMeshCalls calls, std::array<int, 3> shape, int below, int above)
        : python_(python), calls_(calls) {
        std::array<int, 18> bricks{};
        handle_ = calls_.make(python_, shape.data(), below, above, bricks.data());
        if (handle_ < 0) python_raised("mesh");
        const auto brick = [&](int k) {
            Brick b;
            std::copy_n(&bricks[6 * k], 3, b.lo.begin());
            std::copy_n(&bricks[6 * k + 3], 3, b.hi.begin());
            return b;
        };
        owned_ = brick(0);
        ghosted_ = brick(1);
        spectral_ = brick(2);
        packed_.resize(2 * owned_.size());
    }
    PythonMeshBackend(const PythonMeshBackend&) = delete;
    PythonMeshBackend& operator=(const PythonMeshBackend&) = delete;
    ~PythonMeshBackend() override { calls_.release(python_, handle_); }
    Brick owned() const override { return owned_; }
    Brick ghosted() const override { return ghosted_; }
    Brick spectral() const override { return spectral_; }
    void forward(int n, double* const* grids, double* const* spectra) override {
        for (int k = 0; k < n; ++k) forward(grids[k], spectra[k]);
    }
    void inverse(int n, double* const* spectra, double* const* grids) override {
        for (int k = 0; k < n; ++k) inverse(spectra[k], grids[k]);
    }

private:
    void forward(double* grid, double* spectrum) {
        halo(true, grid);
        const std::size_t length = row_length();
        for_owned_rows(owned_, ghosted_, grid, [&](const double* row, std::size_t number) {
            std::copy_n(row, length, packed_.data() + number * length);
        });
        transform(true, packed_.data(), spectrum);
    }
    void inverse(double* spectrum, double* grid) {
        transform(false, packed_.data(), spectrum);
        const std::size_t length = row_length();
        for_owned_rows(owned_, ghosted_, grid, [&](double* row, std::size_t number) {
            std::copy_n(packed_.data() + number * length, length, row);
        });
        halo(false, grid);
    }
    std::size_t row_length() const { return 2 * static_cast<std::size_t>(owned_.hi[2] - owned_.lo[2]); }
    void halo(bool add, double* grid) {
        if (!calls_.halo(python_, handle_, add, grid, 2 * ghosted_.size(), 2)) python_raised("a halo exchange");
    }
    void transform(bool forward, double* real_space, double* reciprocal) {
        if (!calls_.transform(python_, handle_, forward, real_space, 2 * owned_.size(), reciprocal,
                              2 * spectral_.size(), 1)) {
            python_raised("a Fourier transform");
        }
    }

    void* python_;
    PythonMeshCalls calls_;
    int handle_ = -1;
    Brick owned_, ghosted_, spectral_;
    std::vector<double> packed_;  ///< of the owned brick
};

class PythonMeshBackendFactory : public MeshBackendFactory {
public:
    PythonMeshBackendFactory(void* python, PythonMeshCalls calls) : python_(python), calls_(calls) {}
    std::unique_ptr<MeshBackend> make(std::array<int, 3> shape, int below, int above, const SlabPadding&) override {
        return std::make_unique<PythonMeshBackend>(python_, calls_, shape, below, above);
    }

private:
    void* python_;
    PythonMeshCalls calls_;
};

/// What Python is told of a failure beside the exception.
struct FailureReport {
    bool shared = false;  ///< every rank throws
};

/// Potential::compute for a front-end whose atom i is (first_atom + i) % n_all to its user.
inline void compute_and_report(Potential& potential, const Atoms& atoms, const NeighborList& neighbors,
                               Communicator& ranks, MeshBackendFactory& meshes, Results& results, int first_atom,
                               FailureReport& report) {
    try {
        potential.compute(atoms, neighbors, ranks, meshes, results);
    } catch (const AtomFailure& failure) {
        report.shared = is_shared(failure);
        std::vector<int> numbers;
        for (const int i : failure.atoms()) {
            numbers.push_back(static_cast<int>((std::int64_t{first_atom} + i) % atoms.n_all));
        }
        std::sort(numbers.begin(), numbers.end());
        throw std::invalid_argument(failure.with(numbers));
    } catch (const std::exception& failure) {
        report.shared = is_shared(failure);
        throw;
    }
}

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
