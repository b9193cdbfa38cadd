// SPDX-License-Identifier: BSD-3-Clause
#include "layers/mixing.hpp"

#include <algorithm>
#include <stdexcept>

namespace mlcalc {
namespace {

std::size_t size(int n) {
    return static_cast<std::size_t>(n);
}

}  // namespace

Mixing::Mixing(const MixingDescription& description, const std::vector<CoefficientShape>& shapes)
    : name_(description.name),
      inputs_(description.inputs),
      shape_(description.shape()),
      n_centers_(description.n_centers),
      products_(&small_products()) {
    for (const int input : inputs_) parts_.push_back({shapes.at(size(input)), {}, {}});
    set_parameters(description.matrices);
}

std::size_t Mixing::n_parameters() const {
    std::size_t n_columns = 0;
    for (const Part& part : parts_) n_columns += size(part.shape.n_q());
    return size(n_centers_ * (shape_.l_max + 1)) * size(shape_.n_channels) * n_columns;
}

void Mixing::set_parameters(const std::vector<double>& matrices) {
    if (matrices.size() != n_parameters()) {
        throw std::invalid_argument("layer '" + name_ + "' needs " + std::to_string(n_parameters()) +
                                    " mixing coefficients, got " + std::to_string(matrices.size()));
    }
    const std::size_t n_blocks = size(n_centers_ * (shape_.l_max + 1)), n_k = size(shape_.n_channels);
    const std::size_t n_columns = n_parameters() / (n_blocks * n_k);
    std::size_t first = 0;
    for (Part& part : parts_) {
        const std::size_t n_q = size(part.shape.n_q()), ld = size(shape_.stride()), ld_t = size(part.shape.stride());
        part.u.assign(n_blocks * n_q * ld, 0.0);
        part.transposed.assign(n_blocks * n_k * ld_t, 0.0);
        for (std::size_t block = 0; block < n_blocks; ++block) {
            for (std::size_t k = 0; k < n_k; ++k) {
                for (std::size_t q = 0; q < n_q; ++q) {
                    const double u = matrices[(block * n_k + k) * n_columns + first + q];
                    part.u[(block * n_q + q) * ld + k] = part.transposed[(block * n_k + k) * ld_t + q] = u;
                }
            }
        }
        first += n_q;
    }
}

void Mixing::parameter_adjoint(int species, const double* const* in, const double* out_adj, double* adjoint) const {
    const int ld = shape_.stride(), n_k = shape_.n_channels, center = n_centers_ == 1 ? 0 : species;
    std::size_t n_columns = 0, first = 0;
    for (const Part& part : parts_) n_columns += size(part.shape.n_q());
    for (std::size_t p = 0; p < parts_.size(); ++p) {
        const int n_q = parts_[p].shape.n_q(), ld_in = parts_[p].shape.stride();
        for (int l = 0; l < n_l(parts_[p]); ++l) {
            double* block = adjoint + size((center * (shape_.l_max + 1) + l) * n_k) * n_columns + first;
            for (int lm = l * l; lm < (l + 1) * (l + 1); ++lm) {
                const double* c = in[p] + lm * ld_in;
                for (int k = 0; k < n_k; ++k) {
                    double* row = block + size(k) * n_columns;
                    const double a = out_adj[lm * ld + k];
                    for (int q = 0; q < n_q; ++q) row[q] += a * c[q];
                }
            }
        }
        first += size(n_q);
    }
}

const double* Mixing::matrix(const AlignedVector<double>& matrices, int rows, int stride, int species, int l) const {
    const int block = (n_centers_ == 1 ? 0 : species) * (shape_.l_max + 1) + l;
    return matrices.data() + size(block) * size(rows) * size(stride);
}

void Mixing::compute(int species, const double* const* in, double* out) const {
    const int ld = shape_.stride();
    std::fill_n(out, shape_.size(), 0.0);
    for (std::size_t p = 0; p < parts_.size(); ++p) {
        const int n_q = parts_[p].shape.n_q(), ld_in = parts_[p].shape.stride();
        for (int l = 0; l < n_l(parts_[p]); ++l) {
            products_->multiply(2 * l + 1, in[p] + l * l * ld_in, ld_in, n_q, matrix(parts_[p].u, n_q, ld, species, l),
                                ld, ld, nullptr, 0, out + l * l * ld, ld);
        }
    }
}

void Mixing::backward(int species, const double* const*, const double* out_adj, double* const* in_adj) const {
    const int ld = shape_.stride(), n_k = shape_.n_channels;
    for (std::size_t p = 0; p < parts_.size(); ++p) {
        const int ld_in = parts_[p].shape.stride();
        for (int l = 0; l < n_l(parts_[p]); ++l) {
            products_->multiply(2 * l + 1, out_adj + l * l * ld, ld, n_k,
                                matrix(parts_[p].transposed, n_k, ld_in, species, l), ld_in, ld_in, nullptr, 0,
                                in_adj[p] + l * l * ld_in, ld_in);
        }
    }
}

void Mixing::tangent(int species, const double* const*, int k, const ColumnChange& in_dot, double* out_dot) const {
    const Part& part = parts_[size(k)];
    const int ld = shape_.stride(), n_q = part.shape.n_q();
    for (int l = 0; l < n_l(part); ++l) {
        const double* u = matrix(part.u, n_q, ld, species, l) + in_dot.first * ld;
        products_->multiply(2 * l + 1, in_dot.change + l * l * in_dot.ld, in_dot.ld, in_dot.n, u, ld, ld, nullptr, 0,
                            out_dot + l * l * ld, ld);
    }
}

std::string Mixing::summary() const {
    return name_ + ": mixing into " + std::to_string(shape_.n_channels) + " channels, l_max " +
           std::to_string(shape_.l_max);
}

}  // namespace mlcalc
