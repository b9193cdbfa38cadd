// SPDX-License-Identifier: BSD-3-Clause
/// Rows of a training problem: derivatives of the energy, its gradient and its strain derivative with respect to the
/// weights of a regressor.
#include <algorithm>

#include "base/blas.hpp"
#include "expansions/field.hpp"
#include "simd/small_products.hpp"
#include "training/descriptor.hpp"

namespace mlcalc {
namespace {

using blas::Op;

std::size_t size(int n) {
    return static_cast<std::size_t>(n);
}

void add(double factor, const double* from, std::size_t n, double* to) {
    for (std::size_t k = 0; k < n; ++k) to[k] += factor * from[k];
}

}  // namespace

double* Descriptor::Design::row(const FeatureTangents& tangents, std::size_t r, std::size_t n_rows) const {
    if (r + 9 >= n_rows) return strain + (r + 9 - n_rows) * n_basis + column;
    return gradient + (3 * size(tangents.atoms()[r / 3]) + r % 3) * n_basis + column;
}

void Descriptor::design(const System& s, int index, double* energy, double* gradient, double* strain) {
    const TermData& data = term(index);
    Design out{energy, gradient, strain, n_basis(index), 0};
    std::fill(energy, energy + out.n_basis, 0.0);
    std::fill(gradient, gradient + size(s.atoms.n_all) * 3 * out.n_basis, 0.0);
    std::fill(strain, strain + 9 * out.n_basis, 0.0);
    start(s);
    start_tangents(s, data);
    scratch_.resize(data.features.scratch_size());
    p_.resize(data.features.size());
    for (int i = 0; i < s.atoms.n_local; ++i) {
        const int species = s.atoms.species[i];
        if (species < 0) continue;
        center(s, i, true);
        data.features.compute(c_.data(), p_.data(), scratch_.data());
        out.column = 0;
        for (int k = 0; k < species; ++k) {
            out.column += data.kernel == nullptr ? data.features.size() : data.kernel->n_points(k);
        }
        if (data.kernel == nullptr) {
            design_linear(s, data, i, out);
        } else if (data.kernel->n_points(species) > 0) {
            design_kernel(s, data, i, out);
            design_far(s, data, i, out);
        }
    }
}

void Descriptor::design_linear(const System& s, const TermData& data, int i, const Design& out) {
    const std::size_t n_features = data.features.size();
    add(1.0, p_.data(), n_features, out.energy + out.column);
    tangents_.compute(s, sets_, data.expansions(), data.features, i, work_);
    const std::size_t n_rows = tangents_.n_rows();
    for (std::size_t r = 0; r < n_rows; ++r) add(1.0, tangents_.row(r), n_features, out.row(tangents_, r, n_rows));
}

/// With x_M = p_hat . p_hat_M and N the norm of p, dx_M/dr = (p_hat_M . dp/dr - x_M p_hat . dp/dr) / N: the derivatives
/// of p meet the sparse points in one matrix product.
void Descriptor::design_kernel(const System& s, const TermData& data, int i, const Design& out) {
    const KernelReadout& kernel = *data.kernel;
    const int species = s.atoms.species[i];
    const std::size_t n_features = data.features.size();
    const std::size_t n = kernel.n_points(species);
    const double* points = kernel.points(species);
    const double norm = kernel.normalize(p_.data());
    ones_.resize(n, 1.0);
    overlap_.resize(n);
    powers_.resize(n);
    blas::gemm(Op::none, Op::transpose, 1, n, n_features, 1.0, p_.data(), n_features, points, n_features, 0.0,
               overlap_.data(), n);
    slopes_ = overlap_;
    small_products().kernel_row(kernel.zeta(), static_cast<int>(n), ones_.data(), slopes_.data(), powers_.data());
    add(1.0, powers_.data(), n, out.energy + out.column);
    for (std::size_t m = 0; m < n; ++m) slopes_[m] = norm > 0.0 ? slopes_[m] / norm : 0.0;

    tangents_.compute(s, sets_, data.near, data.features, i, work_);
    const std::size_t n_rows = tangents_.n_rows();
    products_.resize(n_rows * n);
    blas::gemm(Op::none, Op::transpose, n_rows, n, n_features, 1.0, tangents_.rows(), n_features, points, n_features,
               0.0, products_.data(), n);
    for (std::size_t r = 0; r < n_rows; ++r) {
        double along = 0.0;
        if (kernel.normalizes()) {
            for (std::size_t f = 0; f < n_features; ++f) along += p_[f] * tangents_.row(r)[f];
        }
        double* to = out.row(tangents_, r, n_rows);
        const double* product = &products_[r * n];
        for (std::size_t m = 0; m < n; ++m) to[m] += slopes_[m] * (product[m] - along * overlap_[m]);
    }
}

/// The field of V reaches every atom, but has few coefficients: dk/dV for all sparse points, then one product with
/// dV/dr. Must follow design_kernel for the same center.
void Descriptor::design_far(const System& s, const TermData& data, int i, const Design& out) {
    if (data.far.empty()) return;
    const KernelReadout& kernel = *data.kernel;
    const int species = s.atoms.species[i];
    const std::size_t n_features = data.features.size(), n = kernel.n_points(species);
    adjoints_.resize(data.far.size());
    for (std::size_t m = 0; m <= n; ++m) {  // the last is p_hat itself
        sets_.zero_adjoints(work_);
        const double* p_adj = m < n ? kernel.points(species) + m * n_features : p_.data();
        data.features.backward(c_.data(), p_adj, c_adj_.data(), scratch_.data());
        sets_.backward_layers(0, work_);
        for (std::size_t k = 0; k < data.far.size(); ++k) {
            const CoefficientShape shape = sets_.shapes()[size(data.far[k])];
            const std::size_t n_c = shape.compact().size();
            adjoints_[k].resize((n + 1) * n_c);
            copy_coefficients(shape, c_adj_[size(data.far[k])], 1, shape.compact(), &adjoints_[k][m * n_c]);
        }
    }
    for (std::size_t k = 0; k < data.far.size(); ++k) {
        const auto& field = static_cast<const FieldExpansion&>(sets_.expansion(data.far[k]));
        const std::size_t n_c = field.shape().compact().size();
        const double* own = &adjoints_[k][n * n_c];
        for (std::size_t m = 0; m < n; ++m) {
            double* row = &adjoints_[k][m * n_c];
            const double x = kernel.normalizes() ? overlap_[m] : 0.0;
            for (std::size_t c = 0; c < n_c; ++c) row[c] = slopes_[m] * (row[c] - x * own[c]);
        }
        blas::gemm(Op::none, Op::transpose, size(s.atoms.n_all) * 3, n, n_c, 1.0, field.jacobian(i), n_c,
                   adjoints_[k].data(), n_c, 1.0, out.gradient + out.column, out.n_basis);
        blas::gemm(Op::none, Op::transpose, 9, n, n_c, 1.0, field.strain_jacobian(i), n_c, adjoints_[k].data(), n_c,
                   1.0, out.strain + out.column, out.n_basis);
    }
}

}  // namespace mlcalc
