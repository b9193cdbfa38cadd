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
    const std::size_t n = active().size(), n_channels = static_cast<std::size_t>(channels_.size());
    buffer_.resize(n * n_channels);
    for (std::size_t k = 0; k < n; ++k) {
        for (std::size_t c = 0; c < n_channels; ++c) {
            buffer_[k * n_channels + c] = channels_.weight(static_cast<int>(c), atoms.species[active()[k]]);
        }
    }
    t_.assign(n * static_cast<std::size_t>(atom_stride_), 0.0);
    transform_sources();
    const std::size_t n_filters = filters_.size();
    in_batches(jobs_.size() * n_filters, [&](std::size_t begin, std::size_t end) {
        std::vector<double*> spectra = scratch(end - begin);
        for (std::size_t i = begin; i < end; ++i) {
            filters_.apply(i % n_filters, sources_[i / n_filters].data(), spectra[i - begin]);
        }
        grid_.inverse(spectra.size(), spectra.data());
        for (std::size_t i = begin; i < end; ++i) {
            const std::size_t q = i % n_filters;
            grid_.gather(i - begin, filters_.l_max(q) + 1,
                         tensors(t_.data() + tensor_offset_[q], jobs_[i / n_filters], atom_stride_, channel_stride_));
        }
    });
    solid_harmonics(v);
}

void Mesh::transform_sources() {
    for (auto& source : sources_) source.resize(grid_.spectrum_size());
    const double* weights = buffer_.data();
    in_batches(jobs_.size(), [&](std::size_t begin, std::size_t end) {
        std::vector<double*> spectra;
        for (std::size_t j = begin; j < end; ++j) {
            grid_.spread(j - begin, 0, tensors(weights, jobs_[j], channels_.size(), 1));
            spectra.push_back(sources_[j].data());
        }
        grid_.forward(spectra.size(), spectra.data());
    });
}

/// Spectra that serve for the moment.
std::vector<double*> Mesh::scratch(std::size_t n) {
    if (scratch_.size() < n) scratch_.resize(n);
    std::vector<double*> out;
    for (std::size_t k = 0; k < n; ++k) {
        scratch_[k].resize(grid_.spectrum_size());
        out.push_back(scratch_[k].data());
    }
    return out;
}

void Mesh::backward(const Atoms& atoms, const double* v_adj, Vec3* gradient, Mat3& strain, Mat3* atom_strain) {
    slopes_.assign(active().size() * 4 * static_cast<std::size_t>(channels_.size()), 0.0);
    for (auto& psi : psi_) psi.resize(grid_.spectrum_size());
    const std::size_t n_jobs = jobs_.size();
    in_batches(filters_.size() * n_jobs, [&](std::size_t begin, std::size_t end) {
        std::vector<double*> spectra = scratch(end - begin);
        for (std::size_t i = begin; i < end; ++i) {
            const std::size_t q = i / n_jobs, j = i % n_jobs;
            if (j == 0) multipoles(q, v_adj, gradient, strain, atom_strain);
            const double* moments = buffer_.data();
            const long size = tensor_size(filters_.l_max(q));
            grid_.spread(i - begin, filters_.l_max(q), tensors(moments, jobs_[j], size * channels_.size(), size));
        }
        grid_.forward(spectra.size(), spectra.data());
        std::vector<double*> complete;  // adjoint potentials, of the last jobs that are done
        for (std::size_t i = begin; i < end; ++i) {
            const std::size_t q = i / n_jobs, j = i % n_jobs;
            double* psi = filters_.size() > 1 ? psi_[j].data() : spectra[i - begin];
            filters_.backward(q, spectra[i - begin], sources_[j].data(), q > 0, psi, strain);
            if (q + 1 == filters_.size()) complete.push_back(psi);
        }
        if (!complete.empty()) gather_slopes(end - (filters_.size() - 1) * n_jobs, complete);
    });
    source_gradient(atoms, gradient);
    if (atom_strain != nullptr) field_strain(v_adj, atom_strain);
}

/// Of the jobs before `end`, at the sources.
void Mesh::gather_slopes(std::size_t end, const std::vector<double*>& psi) {
    grid_.inverse(psi.size(), psi.data());
    for (std::size_t k = 0; k < psi.size(); ++k) {
        const Job& job = jobs_[end - psi.size() + k];
        grid_.gather(k, 1, tensors(slopes_.data(), job, 4L * channels_.size(), 4));
    }
}

std::size_t Mesh::mesh_bytes() const {
    std::size_t n = 0;
    for (const auto& grid : scratch_) n += grid.capacity();
    for (const auto& grid : sources_) n += grid.capacity();
    for (const auto& grid : psi_) n += grid.capacity();
    return 8 * n + filters_.bytes() + grid_.mesh_bytes();
}

std::size_t Mesh::atom_bytes() const {
    return 8 * (t_.capacity() + buffer_.capacity() + slopes_.capacity()) + grid_.atom_bytes();
}

}  // namespace mlcalc
