// SPDX-License-Identifier: BSD-3-Clause
/// Derivatives of every coefficient for training.
#include <algorithm>

#include "base/threads.hpp"
#include "far_field/free/free.hpp"

namespace mlcalc {

void FreeSum::jacobian(const Atoms& atoms, double* jacobian, double* strain) {
    gather(atoms);
    const std::size_t n = static_cast<std::size_t>(atoms.n_local), size = shape_.size();
    const std::size_t per_center = static_cast<std::size_t>(atoms.n_all) * 3 * size;
    std::fill_n(strain, n * 9 * size, 0.0);
    for_shares(n_threads_, n, [&](std::size_t begin, std::size_t end, std::size_t share) {
        for (std::size_t i = begin; i < end; ++i) {
            jacobian_at(atoms, i, jacobian + i * per_center, strain + i * 9 * size, work(share));
        }
    });
}

/// Each row is filled with zeros when its pair is at hand, not all before: the Jacobian is larger than the caches.
void FreeSum::jacobian_at(const Atoms& atoms, std::size_t i, double* jacobian, double* strain, Work& mine) const {
    const std::size_t size = shape_.size(), n_pair = n_lm_ * n_max_, n_all = static_cast<std::size_t>(atoms.n_all);
    const bool is_center = atoms.species[i] >= 0;
    for (std::size_t j = 0; j < n_all; ++j) {
        const bool is_source = j < static_cast<std::size_t>(atoms.n_local) && atoms.species[j] >= 0;
        if (!is_center || !is_source || j == i) std::fill_n(jacobian + j * 3 * size, 3 * size, 0.0);
    }
    mine.slopes.resize(3 * n_pair);
    for (int a = 0; a < channels_.n_species() && is_center; ++a) {
        mine.own.assign(12 * n_pair, 0.0);
        const Group& group = groups_[static_cast<std::size_t>(a)];
        for (std::size_t chunk = group.chunk; chunk < group.chunk + static_cast<std::size_t>(group.n_chunks); ++chunk) {
            jacobian_of_chunk(atoms.positions[i], i, a, chunk, jacobian, mine);
        }
        for (std::size_t x = 0; x < 3; ++x) {
            mix(a, -1.0, &mine.own[x * n_pair], jacobian + (i * 3 + x) * size);
        }
        for (std::size_t ab = 0; ab < 9; ++ab) mix(a, 1.0, &mine.own[(3 + ab) * n_pair], strain + ab * size);
    }
}

void FreeSum::jacobian_of_chunk(const Vec3& center, std::size_t i, int species, std::size_t chunk, double* jacobian,
                                Work& mine) const {
    const std::size_t size = shape_.size(), n_pair = n_lm_ * n_max_;
    alignas(64) double geometry[5 * 8];
    kernels_->evaluate(plan(), &sources_[chunk * 4 * lanes_], center.data(), mine.scratch(), geometry);
    for (std::size_t p = 0; p < lanes_; ++p) {
        const int j = atom_[chunk * lanes_ + p];
        if (j < 0 || j == static_cast<int>(i)) continue;
        const Vec3 unit{geometry[p], geometry[lanes_ + p], geometry[2 * lanes_ + p]};
        const double distance = geometry[3 * lanes_ + p];
        harmonics_.product_gradient(unit, &mine.radial[p], 1.0, &mine.slope[p], n_max_, lanes_, mine.slopes.data());
        double* row = jacobian + static_cast<std::size_t>(j) * 3 * size;
        std::fill_n(row, 3 * size, 0.0);
        for (std::size_t x = 0; x < 3; ++x) mix(species, 1.0, &mine.slopes[x * n_pair], row + x * size);
        for (std::size_t k = 0; k < 3 * n_pair; ++k) mine.own[k] += mine.slopes[k];
        for (std::size_t a = 0; a < 3; ++a) {
            double* to = &mine.own[(3 + 3 * a) * n_pair];
            for (std::size_t k = 0; k < 3 * n_pair; ++k) to[k] += unit[a] * distance * mine.slopes[k];
        }
    }
}

}  // namespace mlcalc
