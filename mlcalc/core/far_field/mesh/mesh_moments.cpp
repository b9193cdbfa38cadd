// SPDX-License-Identifier: BSD-3-Clause
/// Between V of the centers and the derivatives of the potentials on the mesh.
#include <algorithm>

#include "base/threads.hpp"
#include "far_field/mesh/mesh.hpp"

namespace mlcalc {
namespace {

constexpr int max_lm = max_mesh_degree * max_mesh_degree;

}  // namespace

/// S_lm(grad) phi_q of one channel of an atom, s[lm], from its derivatives up to `degree`.
void Mesh::filter_values(std::size_t q, int degree, const double* t, double* s) const {
    for (int l = 0; l <= filters_.l_max(q); ++l) {
        const std::vector<int>& at = tensors_.indices(degree, l);
        const double* solid = tensors_.solid(l);
        for (int m = 0; m <= 2 * l; ++m) {
            double sum = 0.0;
            for (const int index : at) sum += *solid++ * t[index];
            *s++ = sum;
        }
    }
}

/// Adds V from the derivative tensors.
void Mesh::solid_harmonics(double* v) const {
    const std::size_t stride = static_cast<std::size_t>(shape_.stride());
    for_shares(n_threads_, active().size(), [&](std::size_t begin, std::size_t end, std::size_t) {
        double values[max_lm];
        for (std::size_t k = begin; k < end; ++k) {
            double* v_k = v + static_cast<std::size_t>(active()[k]) * shape_.size();
            for (int channel = 0; channel < channels_.size(); ++channel) {
                for (std::size_t q = 0; q < filters_.size(); ++q) {
                    filter_values(q, filters_.l_max(q) + 1, tensor(k, channel, q), values);
                    for (const FilterBank::Use& use : filters_.uses(q)) {
                        double* out = v_k + channel * shape_.n_max + use.n;
                        for (int lm = use.l * use.l; lm < (use.l + 1) * (use.l + 1); ++lm) {
                            out[static_cast<std::size_t>(lm) * stride] += use.weight * values[lm];
                        }
                    }
                }
            }
        }
    });
}

/// dE/d(S_lm(grad) phi_q) of one channel of an atom, w[lm], from dE/dV.
void Mesh::filter_adjoint(std::size_t q, int channel, const double* v_adj, double* w) const {
    const int l_max = filters_.l_max(q);
    std::fill_n(w, (l_max + 1) * (l_max + 1), 0.0);
    for (const FilterBank::Use& use : filters_.uses(q)) {
        for (int m = 0; m <= 2 * use.l; ++m) {
            const int lm = use.l * use.l + m;
            w[lm] += use.weight * v_adj[lm * shape_.stride() + channel * shape_.n_max + use.n];
        }
    }
}

/// The adjoint of the gather: multipoles of the centers, to be spread with the derivatives of the splines, the force on
/// the center itself, and what turns with the cell there, d grad_a / d eps_ab = -grad_b.
void Mesh::multipoles(std::size_t q, const double* v_adj, Vec3* gradient, Mat3& strain, Mat3* atom_strain) {
    const int l_max = filters_.l_max(q), size = tensor_size(l_max), n_channels = channels_.size();
    const std::size_t stride = static_cast<std::size_t>(size * n_channels);
    const auto n_products = static_cast<std::size_t>((l_max + 1) * (l_max + 1) * MeshTensors::n_monomials(l_max));
    std::vector<Mat3> strains(static_cast<std::size_t>(n_threads_), Mat3{});
    buffer_.resize(active().size() * stride);
    for_shares(n_threads_, active().size(), [&](std::size_t begin, std::size_t end, std::size_t share) {
        double w[max_lm];
        std::vector<double> products(n_products, 0.0);
        for (std::size_t k = begin; k < end; ++k) {
            const double* v_adj_k = v_adj + static_cast<std::size_t>(active()[k]) * shape_.size();
            double along[3] = {0.0, 0.0, 0.0};
            for (int channel = 0; channel < n_channels; ++channel) {
                filter_adjoint(q, channel, v_adj_k, w);
                double* out = &buffer_[k * stride + static_cast<std::size_t>(channel * size)];
                multipole(q, w, tensor(k, channel, q), out, along, products.data());
            }
            add_gradient(active()[k], along, gradient);
            if (atom_strain == nullptr) continue;
            turn(l_max, products.data(), atom_strain[active()[k]]);
            turn(l_max, products.data(), strains[share]);
            std::fill(products.begin(), products.end(), 0.0);
        }
        turn(l_max, products.data(), strains[share]);
    });
    for (const Mat3& part : strains) {
        for (std::size_t ab = 0; ab < 9; ++ab) strain[ab / 3][ab % 3] += part[ab / 3][ab % 3];
    }
}

/// One channel of one atom. products[l][m][monomial] += w_lm t_monomial.
void Mesh::multipole(std::size_t q, const double* w, const double* t, double* out, double* along,
                     double* products) const {
    const int l_max = filters_.l_max(q);
    for (int l = 0; l <= l_max; ++l, w += 2 * l - 1) {
        const std::size_t n_monomials = static_cast<std::size_t>(MeshTensors::n_monomials(l));
        const double* solid = tensors_.solid(l);
        const int* at = tensors_.indices(l_max, l).data();
        const int* here = tensors_.indices(l_max + 1, l).data();
        const int* raised[3] = {tensors_.raised(l_max + 1, l, 0).data(), tensors_.raised(l_max + 1, l, 1).data(),
                                tensors_.raised(l_max + 1, l, 2).data()};
        for (std::size_t s = 0; s < n_monomials; ++s) {
            double moment = 0.0;
            for (std::size_t m = 0; m <= static_cast<std::size_t>(2 * l); ++m) {
                moment += w[m] * solid[m * n_monomials + s];
                products[m * n_monomials + s] += w[m] * t[here[s]];
            }
            out[at[s]] = moment;
            for (std::size_t axis = 0; axis < 3; ++axis) along[axis] += moment * t[raised[axis][s]];
        }
        products += static_cast<std::size_t>(2 * l + 1) * n_monomials;
    }
}

void Mesh::turn(int l_max, const double* products, Mat3& strain) const {
    for (int l = 0; l <= l_max; ++l) {
        const int n = (2 * l + 1) * MeshTensors::n_monomials(l);
        for (int ab = 0; ab < 9; ++ab) {
            const double* turned = tensors_.turned(l, ab / 3, ab % 3);
            double sum = 0.0;
            for (int s = 0; s < n; ++s) sum += turned[s] * products[s];
            strain[static_cast<std::size_t>(ab / 3)][static_cast<std::size_t>(ab % 3)] -= sum;
        }
        products += n;
    }
}

void Mesh::add_gradient(int atom, const double* along, Vec3* gradient) const {
    for (std::size_t x = 0; x < 3; ++x) {
        for (std::size_t axis = 0; axis < 3; ++axis) gradient[atom][x] += tensors_.jacobian(x, axis) * along[axis];
    }
}

/// The adjoint of the spreading of the sources.
void Mesh::source_gradient(const Atoms& atoms, Vec3* gradient) const {
    const std::size_t stride = 4 * static_cast<std::size_t>(channels_.size());
    for_shares(n_threads_, active().size(), [&](std::size_t begin, std::size_t end, std::size_t) {
        for (std::size_t k = begin; k < end; ++k) {
            double along[3] = {0.0, 0.0, 0.0};
            for (int channel = 0; channel < channels_.size(); ++channel) {
                const double weight = channels_.weight(channel, atoms.species[active()[k]]);
                const double* psi = &slopes_[k * stride + 4 * static_cast<std::size_t>(channel)];
                // order of a tensor of degree 1: value, z, y, x
                for (std::size_t axis = 0; axis < 3; ++axis) along[axis] += weight * psi[3 - axis];
            }
            add_gradient(active()[k], along, gradient);
        }
    });
}

/// The share of each center in the strain of the filters: six more fields per filter, only on request.
void Mesh::field_strain(const double* v_adj, Mat3* atom_strain) {
    const auto contract = [&](std::size_t q, std::size_t k, const double* t) {
        const int l_max = filters_.l_max(q);
        double w[max_lm], values[max_lm], sum = 0.0;
        for (int channel = 0; channel < channels_.size(); ++channel, t += tensor_size(l_max)) {
            filter_adjoint(q, channel, v_adj + static_cast<std::size_t>(active()[k]) * shape_.size(), w);
            filter_values(q, l_max, t, values);
            for (int lm = 0; lm < (l_max + 1) * (l_max + 1); ++lm) sum += w[lm] * values[lm];
        }
        return sum;
    };
    for (std::size_t q = 0; q < filters_.size(); ++q) {
        const int size = tensor_size(filters_.l_max(q));
        const long stride = static_cast<long>(size) * channels_.size();
        for (std::size_t ab : {0, 1, 2, 4, 5, 8}) {
            const std::size_t a = ab / 3, b = ab % 3;
            buffer_.assign(active().size() * static_cast<std::size_t>(stride), 0.0);
            in_batches(jobs_.size(), [&](std::size_t begin, std::size_t end) {
                const std::vector<double*> spectra = scratch(end - begin);
                for (std::size_t j = begin; j < end; ++j) {
                    filters_.apply_strain(q, static_cast<int>(a), static_cast<int>(b), sources_[j].data(),
                                          spectra[j - begin]);
                }
                grid_.inverse(spectra.size(), spectra.data());
                for (std::size_t j = begin; j < end; ++j) {
                    grid_.gather(j - begin, filters_.l_max(q), tensors(buffer_.data(), jobs_[j], stride, size));
                }
            });
            for_shares(n_threads_, active().size(), [&](std::size_t begin, std::size_t end, std::size_t) {
                for (std::size_t k = begin; k < end; ++k) {
                    const double sum = contract(q, k, &buffer_[k * static_cast<std::size_t>(stride)]);
                    atom_strain[active()[k]][a][b] += sum;
                    if (a != b) atom_strain[active()[k]][b][a] += sum;
                }
            });
        }
    }
}

}  // namespace mlcalc
