// SPDX-License-Identifier: BSD-3-Clause
#include "far_field/free/free.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <tuple>

#include "base/threads.hpp"

namespace mlcalc {
namespace {

/// The sources of each species, neighbors in space one after the other: then most chunks are as a whole within the
/// table of radial functions or beyond it, and only one of the two is evaluated.
std::vector<std::vector<std::size_t>> sources_by_species(const std::vector<double>& all, int n_species) {
    constexpr double width = 6.0;  // Angstrom; a chunk of 8 atoms at the density of a solid fills a cube of that edge
    std::vector<std::vector<std::size_t>> out(static_cast<std::size_t>(n_species));
    const auto place = [&all](std::size_t j) {
        std::array<double, 3> column{};
        for (std::size_t x = 0; x < 3; ++x) {
            const double position = all[4 * j + x];
            if (std::isfinite(position)) column[x] = x < 2 ? std::floor(position / width) : position;
        }
        return column;
    };
    std::vector<std::array<double, 3>> places;
    for (std::size_t j = 0; j < all.size() / 4; ++j) {
        places.push_back(place(j));
        if (all[4 * j + 3] >= 0) out[static_cast<std::size_t>(all[4 * j + 3])].push_back(j);
    }
    for (std::vector<std::size_t>& group : out) {
        std::sort(group.begin(), group.end(),
                  [&places](std::size_t a, std::size_t b) { return std::tie(places[a], a) < std::tie(places[b], b); });
    }
    return out;
}

}  // namespace

FreeSum::FreeSum(const FieldDescription& description, int n_threads, Communicator& communicator)
    : description_(description),
      channels_(description.n_species, description.mixing),
      shape_(description.shape()),
      harmonics_(description.l_max),
      n_threads_(n_threads),
      communicator_(&communicator),
      kernels_(&free_kernels()),
      lanes_(static_cast<std::size_t>(kernels_->lanes)),
      n_lm_(static_cast<std::size_t>(shape_.n_lm())),
      n_max_(static_cast<std::size_t>(shape_.n_max)),
      row_((description.real.n_functions + 7) / 8 * 8),
      recurrence_(harmonics_recurrence(description.l_max)),
      work_(static_cast<std::size_t>(n_threads)) {
    const SplineTable& real = description.real;
    if (real.n_knots < 2) throw std::invalid_argument("the model has no tables for free boundaries");
    table_.assign(3 * real.n_knots * row_, 0.0);
    for (std::size_t k = 0; k < 3 * real.n_knots; ++k) {
        std::copy_n(&real.data[k * real.n_functions], real.n_functions, &table_[k * row_]);
    }
}

FreePlan FreeSum::plan() const {
    const FieldDescription& d = description_;
    return {d.n_max,
            d.l_max,
            static_cast<int>(d.real.n_functions),
            static_cast<int>(row_),
            static_cast<int>(d.real.n_knots),
            d.real.dx,
            d.real.x_max(),
            table_.data(),
            recurrence_.data(),
            d.exponent,
            d.n_far,
            d.far.data()};
}

FreeSum::Work& FreeSum::work(std::size_t thread) {
    Work& out = work_[thread];
    const std::size_t n_pair = n_lm_ * n_max_;
    out.rows.resize(2 * lanes_ * row_);
    out.radial.resize(free_chunks_at_once * row_ * lanes_);
    out.slope.resize(row_ * lanes_);
    out.harmonics.resize(free_chunks_at_once * n_lm_ * lanes_);
    out.sums.resize(n_pair * lanes_);
    out.field.resize(n_pair);
    return out;
}

/// Positions and species of the atoms of all ranks.
void FreeSum::gather(const Atoms& atoms) {
    const auto n_local = static_cast<std::size_t>(atoms.n_local);
    std::vector<double> counts(static_cast<std::size_t>(communicator_->size()), 0.0);
    counts[static_cast<std::size_t>(communicator_->rank())] = atoms.n_local;
    communicator_->sum(counts.data(), counts.size());
    std::size_t first = 0, total = 0;
    for (std::size_t rank = 0; rank < counts.size(); ++rank) {
        if (rank == static_cast<std::size_t>(communicator_->rank())) first = total;
        total += static_cast<std::size_t>(counts[rank]);
    }
    std::vector<double> all(4 * total, 0.0);
    for (std::size_t i = 0; i < n_local; ++i) {
        std::copy_n(atoms.positions[i].begin(), 3, &all[4 * (first + i)]);
        all[4 * (first + i) + 3] = atoms.species[i];
    }
    communicator_->sum(all.data(), all.size());
    sort_sources(all, first, n_local);
}

/// Chunks of one species each. What fills up the last ones is where the first source is.
void FreeSum::sort_sources(const std::vector<double>& all, std::size_t first_local, std::size_t n_local) {
    groups_.clear();
    atom_.clear();
    slot_.assign(n_local, 0);
    sources_.clear();
    for (const auto& group : sources_by_species(all, channels_.n_species())) {
        const std::size_t begin = atom_.size(), n_chunks = (group.size() + lanes_ - 1) / lanes_;
        groups_.push_back({begin / lanes_, static_cast<int>(n_chunks)});
        atom_.resize(begin + n_chunks * lanes_, -1);
        sources_.resize(4 * atom_.size());
        for (std::size_t k = 0; k < n_chunks * lanes_; ++k) {
            const std::size_t j = group[k < group.size() ? k : 0];
            double* source = &sources_[component(begin + k, 4)];
            for (std::size_t x = 0; x < 3; ++x) source[x * lanes_] = all[4 * j + x];
            source[3 * lanes_] = k < group.size() ? 1.0 : 0.0;
            if (k >= group.size() || j < first_local || j >= first_local + n_local) continue;
            slot_[j - first_local] = begin + k;
            atom_[begin + k] = static_cast<int>(j - first_local);
        }
    }
}

void FreeSum::compute(const Atoms& atoms, double* v) {
    gather(atoms);
    std::fill_n(v, static_cast<std::size_t>(atoms.n_local) * shape_.size(), 0.0);
    const auto n = static_cast<std::size_t>(atoms.n_local);
    for_shares(n_threads_, n, [&](std::size_t begin, std::size_t end, std::size_t share) {
        for (std::size_t i = begin; i < end; ++i) {
            if (atoms.species[i] >= 0) field_at(atoms.positions[i], v + i * shape_.size(), work(share));
        }
    });
}

void FreeSum::field_at(const Vec3& center, double* v_i, Work& mine) const {
    for (int a = 0; a < channels_.n_species(); ++a) {
        const FreeSources of_species = sources(groups_[static_cast<std::size_t>(a)]);
        kernels_->forward(plan(), of_species, center.data(), mine.scratch(), mine.field.data());
        mix(a, 1.0, mine.field.data(), v_i);
    }
}

/// Adds dE/dr and the strain derivative of what all sources do to the atom in this slot.
void FreeSum::backward_at(const Vec3& center, std::size_t slot, const double* v_adj_i, Work& mine, Mat3& strain) const {
    double total[12] = {};
    for (int species = 0; species < channels_.n_species(); ++species) {
        const Group& group = groups_[static_cast<std::size_t>(species)];
        const std::size_t begin = group.chunk * lanes_, end = begin + static_cast<std::size_t>(group.n_chunks) * lanes_;
        const int self = slot >= begin && slot < end ? static_cast<int>(slot - begin) : -1;
        channels_.adjoint(species, shape_, v_adj_i, mine.field.data(), static_cast<int>(n_max_));
        kernels_->backward(plan(), sources(group), center.data(), self, mine.field.data(), mine.scratch(),
                           mine.gradient.data() + 3 * begin, total);
    }
    for (std::size_t x = 0; x < 3; ++x) {
        mine.gradient[component(slot, 3) + x * lanes_] -= total[x];
        for (std::size_t a = 0; a < 3; ++a) strain[a][x] += total[3 + 3 * a + x];
    }
}

void FreeSum::backward(const Atoms& atoms, const double* v_adj, Vec3* gradient, Mat3& strain, Mat3* atom_strain) {
    const std::size_t n_local = static_cast<std::size_t>(atoms.n_local);
    for (Work& mine : work_) {
        mine.gradient.assign(3 * atom_.size(), 0.0);
        mine.strain = Mat3{};
    }
    for_shares(n_threads_, n_local, [&](std::size_t begin, std::size_t end, std::size_t share) {
        Work& mine = work(share);
        for (std::size_t i = begin; i < end; ++i) {
            if (atoms.species[i] < 0) continue;
            Mat3 of_i{};
            backward_at(atoms.positions[i], slot_[i], v_adj + i * shape_.size(), mine, of_i);
            for (std::size_t ab = 0; ab < 9; ++ab) {
                mine.strain[ab / 3][ab % 3] += of_i[ab / 3][ab % 3];
                if (atom_strain != nullptr) atom_strain[i][ab / 3][ab % 3] += of_i[ab / 3][ab % 3];
            }
        }
    });
    AlignedVector<double>& sum = work_[0].gradient;
    for (std::size_t t = 0; t < work_.size(); ++t) {
        for (std::size_t ab = 0; ab < 9; ++ab) strain[ab / 3][ab % 3] += work_[t].strain[ab / 3][ab % 3];
        for (std::size_t k = 0; k < sum.size() && t > 0; ++k) sum[k] += work_[t].gradient[k];
    }
    communicator_->sum(sum.data(), sum.size());
    for (std::size_t i = 0; i < n_local; ++i) {
        if (atoms.species[i] < 0) continue;
        for (std::size_t x = 0; x < 3; ++x) gradient[i][x] += sum[component(slot_[i], 3) + x * lanes_];
    }
}

FieldEvaluator::Memory FreeSum::memory() const {
    Memory out;
    for (const Work& mine : work_) out.atoms += 8 * mine.gradient.capacity();
    out.atoms += 8 * (sources_.capacity() + slot_.capacity()) + 4 * atom_.capacity();
    return out;
}

std::string FreeSum::summary() const {
    return "free boundaries, pair sum over all atoms, table to " + std::to_string(description_.real.x_max()) +
           " Angstrom and multipole series beyond";
}

}  // namespace mlcalc
