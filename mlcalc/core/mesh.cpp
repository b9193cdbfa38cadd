// SPDX-License-Identifier: BSD-3-Clause
#include "mesh.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <stdexcept>

#include "instruction_set.hpp"
#include "mesh_plan.hpp"

namespace mlcalc {
namespace {

/// The stencils of both grids reach this far below and above the point at the atom.
int reach_below(int order) {
    return (order + 1) / 2;
}
int reach_above(int order) {
    return order / 2 + 1;
}

constexpr std::size_t overrun = 32;  // doubles that the kernels may touch beyond the last row

}  // namespace

const MeshKernels& mesh_kernels() {
#if defined(__x86_64__)
    switch (selected_instruction_set()) {
        case InstructionSet::avx512:
            return mesh_kernels_avx512;
        case InstructionSet::avx2:
            return mesh_kernels_avx2;
        default:
            return mesh_kernels_baseline;
    }
#else
    return mesh_kernels_baseline;
#endif
}

Mesh::Mesh(const PotentialDescription& description, const Settings& settings, Communicator& communicator,
           MeshBackendFactory& factory)
    : description_(description),
      settings_(settings),
      channels_(description),
      shape_(description.shape()),
      communicator_(&communicator),
      backend_(factory.make(settings.shape, reach_below(settings.order), reach_above(settings.order))),
      spline_(settings.order, description.l_max + 1),
      stencil_{settings.order, BSpline::padded(settings.order), spline_.coefficients()},
      kernels_(&mesh_kernels()),
      filters_(description, settings.shape, settings.order),
      tensors_(description.l_max, settings.shape) {
    int channel = 0;
    for (; channel + 1 < channels_.size(); channel += 2) {
        for (int grid : {0, 1}) jobs_.push_back({channel, channel + 1, grid});
    }
    if (channel < channels_.size()) jobs_.push_back({channel, -1, 2});
    long tensor = 0;
    for (std::size_t q = 0; q < filters_.size(); ++q) {
        tensor_offset_.push_back(tensor);
        tensor += tensor_size(filters_.l_max(q) + 1);
    }
    channel_stride_ = tensor;
    atom_stride_ = tensor * channels_.size();
}

void Mesh::start(const Atoms& atoms) {
    owned_ = backend_->owned();
    ghosted_ = backend_->ghosted();
    spectral_ = backend_->spectral();
    lattice_ = Lattice(atoms.cell);
    tensors_.set(lattice_);
    filters_.set(lattice_, spectral_, backend_->spectral_order());
    grid_.stride_y = 2L * (ghosted_.hi[2] - ghosted_.lo[2]);
    grid_.stride_x = grid_.stride_y * (ghosted_.hi[1] - ghosted_.lo[1]);
    std::copy(ghosted_.lo.begin(), ghosted_.lo.end(), grid_.lo);
    real_.resize(2 * ghosted_.size() + overrun);
    grid_.data = real_.data();
    complex_.resize(2 * owned_.size());
    spectrum_.resize(2 * spectral_.size());
    sources_.resize(jobs_.size());
    for (auto& source : sources_) source.resize(2 * spectral_.size());
    place_atoms(atoms);
}

/// Mesh coordinates of the centres, in the periodic image whose stencils lie in this rank's bricks.
void Mesh::place_atoms(const Atoms& atoms) {
    active_.clear();
    for (int i = 0; i < atoms.n_local; ++i) {
        if (atoms.species[i] >= 0) active_.push_back(i);
    }
    for (auto& u : u_) u.resize(3 * active_.size());
    double outside = 0.0;
    const int below = reach_below(settings_.order), above = reach_above(settings_.order);
    for (std::size_t k = 0; k < active_.size(); ++k) {
        Vec3 r = atoms.positions[active_[k]];
        for (std::size_t x = 0; x < 3; ++x) r[x] -= atoms.origin[x];
        const Vec3 fractional = lattice_.fractional(r);
        for (std::size_t a = 0; a < 3; ++a) {
            const double m = settings_.shape[a];
            double u = m * (fractional[a] - std::floor(fractional[a]));
            const auto fits = [&](double value) {
                const double point = std::floor(value);
                return point - below >= ghosted_.lo[a] && point + above < ghosted_.hi[a];
            };
            for (const double image : {0.0, -m, m}) {
                if (!fits(u + image)) continue;
                u += image;
                break;
            }
            if (!fits(u)) {
                outside = 1.0;
                u = ghosted_.lo[a] + below;
            }
            u_[0][3 * k + a] = u;
            u_[1][3 * k + a] = u + 0.5;
        }
    }
    if (communicator_->size() > 1 ? communicator_->max(outside) > 0.0 : outside > 0.0) {
        throw std::runtime_error(
            "an atom has left the part of the mesh that its rank can reach; the neighbor list must be rebuilt more "
            "often");
    }
    sort_atoms(atoms);
}

/// Atoms in the order of the mesh, so that consecutive stencils share cache lines.
void Mesh::sort_atoms(const Atoms&) {
    const std::size_t n = active_.size();
    const auto m1 = static_cast<std::size_t>(ghosted_.hi[1] - ghosted_.lo[1]);
    const auto m0 = static_cast<std::size_t>(ghosted_.hi[0] - ghosted_.lo[0]);
    const auto bin = [&](std::size_t k) {
        const auto x = static_cast<std::size_t>(std::floor(u_[0][3 * k]) - ghosted_.lo[0]);
        const auto y = static_cast<std::size_t>(std::floor(u_[0][3 * k + 1]) - ghosted_.lo[1]);
        return x * m1 + y;
    };
    bins_.assign(m0 * m1 + 1, 0);
    for (std::size_t k = 0; k < n; ++k) ++bins_[bin(k) + 1];
    for (std::size_t b = 1; b < bins_.size(); ++b) bins_[b] += bins_[b - 1];
    sorted_.resize(n);
    moved_.resize(3 * n);
    std::vector<std::size_t>& place = places_;
    place.resize(n);
    for (std::size_t k = 0; k < n; ++k) {
        place[k] = static_cast<std::size_t>(bins_[bin(k)]++);
        sorted_[place[k]] = active_[k];
    }
    for (auto& u : u_) {
        for (std::size_t k = 0; k < n; ++k) std::copy_n(&u[3 * k], 3, &moved_[3 * place[k]]);
        u.swap(moved_);
    }
    active_.swap(sorted_);
}

void Mesh::clear_grid() {
    std::fill(real_.begin(), real_.end(), 0.0);
}

void Mesh::spread(const Job& job, int degree, const double* coefficients, long atom_stride, long channel_stride) {
    const int n = static_cast<int>(active_.size());
    const double* c = coefficients + job.channel * channel_stride;
    if (job.grid == 2) {
        kernels_->spread(stencil_, grid_, degree, n, u_[0].data(), c, atom_stride, -1);
        kernels_->spread(stencil_, grid_, degree, n, u_[1].data(), c, atom_stride, -2);
    } else {
        kernels_->spread(stencil_, grid_, degree, n, u_[static_cast<std::size_t>(job.grid)].data(), c, atom_stride,
                         channel_stride);
    }
}

void Mesh::gather(const Job& job, int degree, double scale, double* out, long atom_stride, long channel_stride) {
    const int n = static_cast<int>(active_.size());
    double* o = out + job.channel * channel_stride;
    if (job.grid == 2) {
        kernels_->gather(stencil_, grid_, degree, n, u_[0].data(), scale, o, atom_stride, -1);
        kernels_->gather(stencil_, grid_, degree, n, u_[1].data(), scale, o, atom_stride, -2);
    } else {
        kernels_->gather(stencil_, grid_, degree, n, u_[static_cast<std::size_t>(job.grid)].data(), scale, o,
                         atom_stride, channel_stride);
    }
}

/// Copies the rows of the owned brick out of or into the ghosted one.
template <class Copy>
void Mesh::for_owned_rows(Copy copy) {
    const std::size_t length = 2 * static_cast<std::size_t>(std::max(0, owned_.hi[2] - owned_.lo[2]));
    double* packed = complex_.data();
    for (int x = owned_.lo[0]; x < owned_.hi[0]; ++x) {
        for (int y = owned_.lo[1]; y < owned_.hi[1]; ++y, packed += length) {
            double* row = grid_.data + (x - grid_.lo[0]) * grid_.stride_x + (y - grid_.lo[1]) * grid_.stride_y +
                          2L * (owned_.lo[2] - grid_.lo[2]);
            copy(row, packed, length);
        }
    }
}

void Mesh::to_spectrum(double* spectrum) {
    backend_->add_halo(real_.data(), 2);
    for_owned_rows([](const double* row, double* packed, std::size_t n) { std::copy_n(row, n, packed); });
    backend_->forward(complex_.data(), spectrum, 1);
}

void Mesh::from_spectrum(const double* spectrum) {
    backend_->inverse(spectrum, complex_.data(), 1);
    for_owned_rows([](double* row, const double* packed, std::size_t n) { std::copy_n(packed, n, row); });
    backend_->fill_halo(real_.data(), 2);
}

void Mesh::compute(const Atoms& atoms, double* v) {
    start(atoms);
    const std::size_t n = active_.size(), n_channels = static_cast<std::size_t>(channels_.size());
    buffer_.resize(n * n_channels);
    for (std::size_t k = 0; k < n; ++k) {
        for (std::size_t c = 0; c < n_channels; ++c) {
            buffer_[k * n_channels + c] = channels_.weight(static_cast<int>(c), atoms.species[active_[k]]);
        }
    }
    for (std::size_t j = 0; j < jobs_.size(); ++j) {
        clear_grid();
        spread(jobs_[j], 0, buffer_.data(), static_cast<long>(n_channels), 1);
        to_spectrum(sources_[j].data());
    }
    t_.assign(n * static_cast<std::size_t>(atom_stride_), 0.0);
    for (std::size_t q = 0; q < filters_.size(); ++q) {
        for (std::size_t j = 0; j < jobs_.size(); ++j) {
            filters_.apply(q, sources_[j].data(), spectrum_.data());
            from_spectrum(spectrum_.data());
            gather(jobs_[j], filters_.l_max(q) + 1, 0.5, t_.data() + tensor_offset_[q], atom_stride_, channel_stride_);
        }
    }
    std::fill_n(v, static_cast<std::size_t>(atoms.n_local) * shape_.size(), 0.0);
    solid_harmonics(v);
    correct_centers(description_, channels_, atoms, v);
}

/// V from the derivative tensors.
void Mesh::solid_harmonics(double* v) const {
    const std::size_t stride = static_cast<std::size_t>(shape_.stride());
    for (std::size_t k = 0; k < active_.size(); ++k) {
        double* v_k = v + static_cast<std::size_t>(active_[k]) * shape_.size();
        for (int channel = 0; channel < channels_.size(); ++channel) {
            for (std::size_t q = 0; q < filters_.size(); ++q) {
                const double* t = tensor(k, channel, q);
                const int degree = filters_.l_max(q) + 1;
                for (const MeshFilters::Use& use : filters_.uses(q)) {
                    const std::vector<int>& at = tensors_.indices(degree, use.l);
                    const double* solid = tensors_.solid(use.l);
                    for (int m = 0; m <= 2 * use.l; ++m) {
                        double sum = 0.0;
                        for (std::size_t s = 0; s < at.size(); ++s) sum += *solid++ * t[at[s]];
                        v_k[static_cast<std::size_t>(use.l * use.l + m) * stride +
                            static_cast<std::size_t>(channel * shape_.n_max + use.n)] += use.weight * sum;
                    }
                }
            }
        }
    }
}

void Mesh::backward(const Atoms& atoms, const double* v_adj, Vec3* gradient, Mat3& strain, Mat3* atom_strain) {
    psi_.resize(jobs_.size());
    for (auto& psi : psi_) psi.assign(2 * spectral_.size(), 0.0);
    for (std::size_t q = 0; q < filters_.size(); ++q) {
        const int degree = filters_.l_max(q);
        multipoles(q, v_adj, gradient);
        for (std::size_t j = 0; j < jobs_.size(); ++j) {
            clear_grid();
            spread(jobs_[j], degree, buffer_.data(), static_cast<long>(tensor_size(degree)) * channels_.size(),
                   tensor_size(degree));
            to_spectrum(spectrum_.data());
            filters_.add(q, spectrum_.data(), psi_[j].data());
            filters_.strain(q, spectrum_.data(), sources_[j].data(), strain);
        }
    }
    source_gradient(atoms, gradient);
    center_strain(v_adj, strain, atom_strain);
    if (atom_strain != nullptr) field_strain(v_adj, atom_strain);
}

/// dE/d(S_lm(grad) phi_q) of one channel of an atom, w[lm], from dE/dV.
void Mesh::filter_adjoint(std::size_t q, int channel, const double* v_adj, double* w) const {
    const int l_max = filters_.l_max(q);
    std::fill_n(w, (l_max + 1) * (l_max + 1), 0.0);
    for (const MeshFilters::Use& use : filters_.uses(q)) {
        for (int m = 0; m <= 2 * use.l; ++m) {
            const int lm = use.l * use.l + m;
            w[lm] += use.weight * v_adj[lm * shape_.stride() + channel * shape_.n_max + use.n];
        }
    }
}

/// The adjoint of the gather: multipoles of the centres, to be spread with the derivatives of the splines, and the
/// force on the centre itself.
void Mesh::multipoles(std::size_t q, const double* v_adj, Vec3* gradient) {
    const int l_max = filters_.l_max(q), size = tensor_size(l_max);
    buffer_.assign(active_.size() * static_cast<std::size_t>(size * channels_.size()), 0.0);
    double w[(max_mesh_degree + 1) * (max_mesh_degree + 1)];
    for (std::size_t k = 0; k < active_.size(); ++k) {
        const double* v_adj_k = v_adj + static_cast<std::size_t>(active_[k]) * shape_.size();
        double along[3] = {0.0, 0.0, 0.0};
        for (int channel = 0; channel < channels_.size(); ++channel) {
            filter_adjoint(q, channel, v_adj_k, w);
            const double* t = tensor(k, channel, q);
            double* out =
                &buffer_[(k * static_cast<std::size_t>(channels_.size()) + static_cast<std::size_t>(channel)) *
                         static_cast<std::size_t>(size)];
            for (int l = 0; l <= l_max; ++l) {
                const std::size_t n_monomials = static_cast<std::size_t>(MeshTensors::n_monomials(l));
                const double* solid = tensors_.solid(l);
                const int* at = tensors_.indices(l_max, l).data();
                const int* raised[3] = {tensors_.raised(l_max + 1, l, 0).data(),
                                        tensors_.raised(l_max + 1, l, 1).data(),
                                        tensors_.raised(l_max + 1, l, 2).data()};
                for (std::size_t s = 0; s < n_monomials; ++s) {
                    double moment = 0.0;
                    for (int m = 0; m <= 2 * l; ++m) {
                        moment += w[l * l + m] * solid[static_cast<std::size_t>(m) * n_monomials + s];
                    }
                    out[at[s]] = 0.5 * moment;  // each of the two grids is half of V
                    for (std::size_t axis = 0; axis < 3; ++axis) along[axis] += moment * t[raised[axis][s]];
                }
            }
        }
        add_gradient(active_[k], along, gradient);
    }
}

void Mesh::add_gradient(int atom, const double* along, Vec3* gradient) const {
    for (std::size_t x = 0; x < 3; ++x) {
        for (std::size_t axis = 0; axis < 3; ++axis) gradient[atom][x] += tensors_.jacobian(x, axis) * along[axis];
    }
}

/// The adjoint of the spreading of the sources.
void Mesh::source_gradient(const Atoms& atoms, Vec3* gradient) {
    const long stride = 4L * channels_.size();
    buffer_.assign(active_.size() * static_cast<std::size_t>(stride), 0.0);
    for (std::size_t j = 0; j < jobs_.size(); ++j) {
        from_spectrum(psi_[j].data());
        gather(jobs_[j], 1, 1.0, buffer_.data(), stride, 4);
    }
    for (std::size_t k = 0; k < active_.size(); ++k) {
        double along[3] = {0.0, 0.0, 0.0};
        for (int channel = 0; channel < channels_.size(); ++channel) {
            const double weight = channels_.weight(channel, atoms.species[active_[k]]);
            const double* psi = &buffer_[k * static_cast<std::size_t>(stride) + 4 * static_cast<std::size_t>(channel)];
            // order of a tensor of degree 1: value, z, y, x
            for (std::size_t axis = 0; axis < 3; ++axis) along[axis] += weight * psi[3 - axis];
        }
        add_gradient(active_[k], along, gradient);
    }
}

/// What turns with the cell at the centre: d grad_a / d eps_ab = -grad_b.
void Mesh::center_strain(const double* v_adj, Mat3& strain, Mat3* atom_strain) const {
    double w[(max_mesh_degree + 1) * (max_mesh_degree + 1)];
    for (std::size_t q = 0; q < filters_.size(); ++q) {
        const int l_max = filters_.l_max(q);
        std::vector<double> products(
            static_cast<std::size_t>((l_max + 1) * (l_max + 1) * MeshTensors::n_monomials(l_max)));
        const auto contract = [&](Mat3& out) {
            const double* p = products.data();
            for (int l = 0; l <= l_max; ++l) {
                const int n = (2 * l + 1) * MeshTensors::n_monomials(l);
                for (int ab = 0; ab < 9; ++ab) {
                    const double* turned = tensors_.turned(l, ab / 3, ab % 3);
                    for (int s = 0; s < n; ++s) {
                        out[static_cast<std::size_t>(ab / 3)][static_cast<std::size_t>(ab % 3)] -= turned[s] * p[s];
                    }
                }
                p += n;
            }
        };
        for (std::size_t k = 0; k < active_.size(); ++k) {
            for (int channel = 0; channel < channels_.size(); ++channel) {
                filter_adjoint(q, channel, v_adj + static_cast<std::size_t>(active_[k]) * shape_.size(), w);
                const double* t = tensor(k, channel, q);
                double* p = products.data();
                for (int lm = 0, l = 0; l <= l_max; ++l) {
                    const std::vector<int>& at = tensors_.indices(l_max + 1, l);
                    for (int m = 0; m <= 2 * l; ++m, ++lm) {
                        for (const int index : at) *p++ += w[lm] * t[index];
                    }
                }
            }
            if (atom_strain == nullptr) continue;
            contract(atom_strain[active_[k]]);
            contract(strain);
            std::fill(products.begin(), products.end(), 0.0);
        }
        contract(strain);
    }
}

/// The share of each centre in the strain of the filters: six more fields per filter, only on request.
void Mesh::field_strain(const double* v_adj, Mat3* atom_strain) {
    double w[(max_mesh_degree + 1) * (max_mesh_degree + 1)];
    for (std::size_t q = 0; q < filters_.size(); ++q) {
        const int l_max = filters_.l_max(q), size = tensor_size(l_max);
        const long stride = static_cast<long>(size) * channels_.size();
        for (int a = 0; a < 3; ++a) {
            for (int b = a; b < 3; ++b) {
                buffer_.assign(active_.size() * static_cast<std::size_t>(stride), 0.0);
                for (std::size_t j = 0; j < jobs_.size(); ++j) {
                    filters_.apply_strain(q, a, b, sources_[j].data(), spectrum_.data());
                    from_spectrum(spectrum_.data());
                    gather(jobs_[j], l_max, 0.5, buffer_.data(), stride, size);
                }
                for (std::size_t k = 0; k < active_.size(); ++k) {
                    double sum = 0.0;
                    for (int channel = 0; channel < channels_.size(); ++channel) {
                        filter_adjoint(q, channel, v_adj + static_cast<std::size_t>(active_[k]) * shape_.size(), w);
                        const double* t = &buffer_[k * static_cast<std::size_t>(stride)] + channel * size;
                        for (int lm = 0, l = 0; l <= l_max; ++l) {
                            const std::vector<int>& at = tensors_.indices(l_max, l);
                            const double* solid = tensors_.solid(l);
                            for (int m = 0; m <= 2 * l; ++m, ++lm) {
                                for (const int index : at) sum += w[lm] * *solid++ * t[index];
                            }
                        }
                    }
                    const auto x = static_cast<std::size_t>(a), y = static_cast<std::size_t>(b);
                    atom_strain[active_[k]][x][y] += sum;
                    if (a != b) atom_strain[active_[k]][y][x] += sum;
                }
            }
        }
    }
}

void Mesh::jacobian(const Atoms& atoms, double* jacobian, double* strain) {
    if (!ksum_) {
        const double cutoff =
            std::min(converged_cutoff(description_, settings_.accuracy), 0.9 * description_.reciprocal.x_max());
        ksum_ = std::make_unique<KSum>(description_, cutoff, atoms.cell, *communicator_);
    }
    ksum_->jacobian(atoms, jacobian, strain);
}

std::string Mesh::summary() const {
    char text[200];
    const auto& m = settings_.shape;
    int used = std::snprintf(text, sizeof text, "particle mesh %d x %d x %d, splines of order %d, interlaced", m[0],
                             m[1], m[2], settings_.order);
    if (settings_.estimate >= 0.0) {
        std::snprintf(text + used, sizeof text - static_cast<std::size_t>(used),
                      ", estimated relative force error %.1e", settings_.estimate);
    }
    return text;
}

}  // namespace mlcalc
