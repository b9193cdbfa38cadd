// SPDX-License-Identifier: BSD-3-Clause
#include "far_field/mesh/mesh.hpp"

#include <algorithm>

namespace mlcalc {

Mesh::Mesh(const FieldDescription& description, const FieldSpectrum& spectrum, const Settings& settings, int n_threads,
           Communicator& communicator, MeshBackendFactory& factory)
    : settings_(settings),
      channels_(description.n_species, description.mixing),
      shape_(description.shape()),
      n_threads_(n_threads),
      grid_(settings.grid, description.l_max, n_threads, spectrum.padding(), communicator, factory),
      filters_(spectrum, settings.filters, settings.grid.shape, grid_.window(), n_threads),
      tensors_(description.l_max, settings.grid.shape) {
    int channel = 0;
    for (; channel + 1 < channels_.size(); channel += 2) jobs_.push_back({channel, channel + 1});
    if (channel < channels_.size()) jobs_.push_back({channel, -1});
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
    const Lattice lattice(atoms.cell);
    grid_.start(atoms, lattice);
    tensors_.set(lattice);
    filters_.set(lattice, grid_.spectral(), grid_.spectral_order());
    spectrum_.resize(grid_.spectrum_size());
    const std::size_t n = active().size(), n_channels = static_cast<std::size_t>(channels_.size());
    buffer_.resize(n * n_channels);
    for (std::size_t k = 0; k < n; ++k) {
        for (std::size_t c = 0; c < n_channels; ++c) {
            buffer_[k * n_channels + c] = channels_.weight(static_cast<int>(c), atoms.species[active()[k]]);
        }
    }
    t_.assign(n * static_cast<std::size_t>(atom_stride_), 0.0);
    for (std::size_t j = 0; j < jobs_.size(); ++j) {
        sources_[j].resize(grid_.spectrum_size());
        const double* weights = buffer_.data();
        grid_.spread(0, tensors(weights, jobs_[j], channels_.size(), 1), sources_[j].data());
        for (std::size_t q = 0; q < filters_.size(); ++q) {
            filters_.apply(q, sources_[j].data(), spectrum_.data());
            grid_.gather(spectrum_.data(), filters_.l_max(q) + 1,
                         tensors(t_.data() + tensor_offset_[q], jobs_[j], atom_stride_, channel_stride_));
        }
    }
    solid_harmonics(v);
}

void Mesh::backward(const Atoms& atoms, const double* v_adj, Vec3* gradient, Mat3& strain, Mat3* atom_strain) {
    const long n_slopes = 4L * channels_.size();
    slopes_.assign(active().size() * static_cast<std::size_t>(n_slopes), 0.0);
    for (auto& psi : psi_) psi.resize(grid_.spectrum_size());
    for (std::size_t q = 0; q < filters_.size(); ++q) {
        const int degree = filters_.l_max(q);
        const long size = tensor_size(degree);
        multipoles(q, v_adj, gradient, strain, atom_strain);
        const double* moments = buffer_.data();
        for (std::size_t j = 0; j < jobs_.size(); ++j) {
            grid_.spread(degree, tensors(moments, jobs_[j], size * channels_.size(), size), spectrum_.data());
            double* psi = filters_.size() > 1 ? psi_[j].data() : spectrum_.data();
            filters_.backward(q, spectrum_.data(), sources_[j].data(), q > 0, psi, strain);
            if (q + 1 < filters_.size()) continue;
            grid_.gather(psi, 1, tensors(slopes_.data(), jobs_[j], n_slopes, 4));
        }
    }
    source_gradient(atoms, gradient);
    if (atom_strain != nullptr) field_strain(v_adj, atom_strain);
}

std::size_t Mesh::mesh_bytes() const {
    std::size_t n = spectrum_.capacity();
    for (const auto& grid : sources_) n += grid.capacity();
    for (const auto& grid : psi_) n += grid.capacity();
    return 8 * n + filters_.bytes() + grid_.mesh_bytes();
}

std::size_t Mesh::atom_bytes() const {
    return 8 * (t_.capacity() + buffer_.capacity() + slopes_.capacity()) + grid_.atom_bytes();
}

}  // namespace mlcalc
