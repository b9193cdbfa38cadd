// SPDX-License-Identifier: BSD-3-Clause
#include "far_field/slab_evaluator.hpp"

#include <cmath>
#include <cstdio>
#include <vector>

namespace mlcalc {
namespace {

Vec3 normal_of(const Atoms& atoms, const SlabPadding& padding) {
    const Vec3& vector = atoms.cell[static_cast<std::size_t>(padding.axis)];
    return (1.0 / std::sqrt(dot(vector, vector))) * vector;
}

}  // namespace

SlabEvaluator::SlabEvaluator(std::unique_ptr<FieldEvaluator> evaluator, const SlabPadding& padding,
                             Communicator& communicator)
    : evaluator_(std::move(evaluator)), padding_(padding), communicator_(&communicator) {}

void SlabEvaluator::backward(const Atoms& atoms, const double* v_adj, Vec3* gradient, Mat3& strain, Mat3* atom_strain) {
    const auto n = static_cast<std::size_t>(atoms.n_local);
    const Vec3 normal = normal_of(atoms, padding_);
    std::vector<Vec3> slopes(n + 1, Vec3{});
    Mat3 change{};
    evaluator_->backward(atoms, v_adj, slopes.data(), change, atom_strain);
    Vec3 moment{};
    for (std::size_t i = 0; i < n; ++i) {
        gradient[i] += slopes[i];
        moment += dot(atoms.positions[i], normal) * slopes[i];
    }
    const Mat3 correction = strain_correction(normal, change, moment);
    strain += change;
    strain += correction;
    if (atom_strain != nullptr) share(atoms, correction, atom_strain);
}

/// In equal parts: it is as small as the error of the evaluator, and the virials of atoms have to sum to the virial.
void SlabEvaluator::share(const Atoms& atoms, const Mat3& correction, Mat3* atom_strain) {
    double sums[10] = {};
    for (std::size_t ab = 0; ab < 9; ++ab) sums[ab] = correction[ab / 3][ab % 3];
    for (int i = 0; i < atoms.n_local; ++i) sums[9] += atoms.species[i] < 0 ? 0.0 : 1.0;
    communicator_->sum(sums, 10);
    for (int i = 0; i < atoms.n_local; ++i) {
        if (atoms.species[i] < 0) continue;
        for (std::size_t ab = 0; ab < 9; ++ab) atom_strain[i][ab / 3][ab % 3] += sums[ab] / sums[9];
    }
}

std::string SlabEvaluator::summary() const {
    char text[80];
    std::snprintf(text, sizeof text, ", slab padded to %.4g Angstrom", padding_.length);
    return evaluator_->summary() + text;
}

void SlabJacobian::jacobian(const Atoms& atoms, double* jacobian, double* strain) {
    rows_->jacobian(atoms, jacobian, strain);
    const Vec3 normal = normal_of(atoms, padding_);
    const auto n_all = static_cast<std::size_t>(atoms.n_all);
    std::vector<Vec3> moments(size_);
    for (std::size_t i = 0; i < static_cast<std::size_t>(atoms.n_local); ++i) {
        std::fill(moments.begin(), moments.end(), Vec3{});
        for (std::size_t j = 0; j < n_all; ++j) {
            const double height = dot(atoms.positions[j], normal);
            for (std::size_t x = 0; x < 3; ++x) {
                const double* slope = jacobian + ((i * n_all + j) * 3 + x) * size_;
                for (std::size_t c = 0; c < size_; ++c) moments[c][x] += height * slope[c];
            }
        }
        double* of_i = strain + i * 9 * size_;
        for (std::size_t c = 0; c < size_; ++c) {
            Mat3 change{};
            for (std::size_t ab = 0; ab < 9; ++ab) change[ab / 3][ab % 3] = of_i[ab * size_ + c];
            const Mat3 correction = strain_correction(normal, change, moments[c]);
            for (std::size_t ab = 0; ab < 9; ++ab) of_i[ab * size_ + c] += correction[ab / 3][ab % 3];
        }
    }
}

}  // namespace mlcalc
