// SPDX-License-Identifier: BSD-3-Clause
#include "far_field/mesh/mesh.hpp"

#include <algorithm>

#include "far_field/mesh/mesh_reach.hpp"

namespace mlcalc {

Mesh::Mesh(const FieldDescription& description, const FieldSpectrum& spectrum, const Settings& settings, int n_threads,
           Communicator& communicator, MeshBackendFactory& factory)
    : settings_(settings),
      channels_(description.n_species, description.mixing),
      shape_(description.shape()),
      n_threads_(n_threads),
      communicator_(&communicator),
      backend_(factory.make(settings.shape, reach_below(settings.order), reach_above(settings.order))),
      spline_(settings.order, description.l_max + 1),
      stencil_{settings.order, BSpline::padded(settings.order), spline_.coefficients()},
      kernels_(&mesh_kernels()),
      filters_(spectrum, settings.filters, settings.shape, settings.order, n_threads),
      tensors_(description.l_max, settings.shape) {
    int channel = 0;
    for (; channel + 1 < channels_.size(); channel += 2) {
        for (int grid = 0; grid < static_cast<int>(n_grids()); ++grid) jobs_.push_back({channel, channel + 1, grid});
    }
    if (channel < channels_.size()) jobs_.push_back({channel, -1, settings.interlaced ? 2 : 0});
    long tensor = 0;
    for (std::size_t q = 0; q < filters_.size(); ++q) {
        tensor_offset_.push_back(tensor);
        tensor += tensor_size(filters_.l_max(q) + 1);
    }
    channel_stride_ = tensor;
    atom_stride_ = tensor * channels_.size();
    sources_.resize(jobs_.size());
    if (filters_.size() > 1) psi_.resize(jobs_.size());
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
    t_.assign(n * static_cast<std::size_t>(atom_stride_), 0.0);
    for (std::size_t j = 0; j < jobs_.size(); ++j) {
        spread(jobs_[j], 0, buffer_.data(), static_cast<long>(n_channels), 1);
        to_spectrum(sources_[j].data());
        for (std::size_t q = 0; q < filters_.size(); ++q) {
            filters_.apply(q, sources_[j].data(), spectrum_.data());
            from_spectrum(spectrum_.data());
            gather(jobs_[j], filters_.l_max(q) + 1, grid_weight(), t_.data() + tensor_offset_[q], atom_stride_,
                   channel_stride_);
        }
    }
    solid_harmonics(v);
}

void Mesh::backward(const Atoms& atoms, const double* v_adj, Vec3* gradient, Mat3& strain, Mat3* atom_strain) {
    const std::size_t n_slopes = 4 * static_cast<std::size_t>(channels_.size());
    slopes_.assign(active_.size() * n_slopes, 0.0);
    for (std::size_t q = 0; q < filters_.size(); ++q) {
        const int degree = filters_.l_max(q);
        multipoles(q, v_adj, gradient, strain, atom_strain);
        for (std::size_t j = 0; j < jobs_.size(); ++j) {
            spread(jobs_[j], degree, buffer_.data(), static_cast<long>(tensor_size(degree)) * channels_.size(),
                   tensor_size(degree));
            to_spectrum(spectrum_.data());
            double* psi = filters_.size() > 1 ? psi_[j].data() : spectrum_.data();
            filters_.backward(q, spectrum_.data(), sources_[j].data(), q > 0, psi, strain);
            if (q + 1 < filters_.size()) continue;
            from_spectrum(psi);
            gather(jobs_[j], 1, 1.0, slopes_.data(), static_cast<long>(n_slopes), 4);
        }
    }
    source_gradient(atoms, gradient);
    if (atom_strain != nullptr) field_strain(v_adj, atom_strain);
}

std::size_t Mesh::mesh_bytes() const {
    std::size_t n = real_.capacity() + complex_.capacity() + spectrum_.capacity();
    for (const auto& grid : sources_) n += grid.capacity();
    for (const auto& grid : psi_) n += grid.capacity();
    return 8 * n + filters_.bytes();
}

std::size_t Mesh::atom_bytes() const {
    const std::size_t doubles = moved_.capacity() + u_[0].capacity() + u_[1].capacity() + t_.capacity() +
                                buffer_.capacity() + slopes_.capacity() + places_.capacity();
    return 8 * doubles + 4 * (active_.capacity() + sorted_.capacity());
}

}  // namespace mlcalc
