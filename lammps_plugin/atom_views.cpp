// SPDX-License-Identifier: GPL-2.0-only
#include "atom_views.h"

#include <cmath>

#include "atom.h"
#include "base/counts.hpp"
#include "base/failure.hpp"
#include "domain.h"
#include "lammps.h"
#include "neigh_list.h"
#include "neighbor.h"

using namespace LAMMPS_NS;
using mlcalc::Vec3;

namespace mlcalc_lammps {

int bits_excluded_from_all(LAMMPS* lammps) {
    constexpr int all = 1;  // the bit of group all
    const Neighbor& neighbor = *lammps->neighbor;
    int bits = 0;
    for (int k = 0; k < neighbor.nex_group; k++) {
        if (neighbor.ex1_bit[k] == all) bits |= neighbor.ex2_bit[k];
        if (neighbor.ex2_bit[k] == all) bits |= neighbor.ex1_bit[k];
    }
    return bits;
}

void AtomViews::find_excluded() {
    const Atom& atom = *lammps_->atom;
    const int bits = bits_excluded_from_all(lammps_);
    excluded_.clear();
    if (bits == 0) return;
    excluded_.resize(static_cast<std::size_t>(atom.nlocal + atom.nghost));
    for (std::size_t i = 0; i < excluded_.size(); i++) excluded_[i] = (atom.mask[i] & bits) != 0;
}

void AtomViews::fill(const NeighList& list, const std::vector<int>& type_species, double cutoff) {
    const Atom& atom = *lammps_->atom;
    const auto n_local = static_cast<std::size_t>(atom.nlocal);
    species_.resize(n_local + static_cast<std::size_t>(atom.nghost));
    for (std::size_t i = 0; i < species_.size(); i++) {
        const bool out = i < excluded_.size() && excluded_[i] != 0;
        species_[i] = out ? -1 : type_species[static_cast<std::size_t>(atom.type[i])];
    }
    first_.assign(n_local + 1, 0);
    std::size_t n_listed = 0;
    for (int ii = 0; ii < list.inum; ii++) {
        const int i = list.ilist[ii];
        first_[static_cast<std::size_t>(i) + 1] = list.numneigh[i];
        n_listed += static_cast<std::size_t>(list.numneigh[i]);
    }
    if (j_.size() < n_listed) {
        j_.resize(n_listed + n_listed / 8);
        r_ij_.resize(j_.size());
    }
    n_ = 0;
    for (int i = 0; i < atom.nlocal; i++) add_neighbors(list, i, cutoff * cutoff);
    first_[n_local] = mlcalc::counted(n_, "pairs within the cutoff");
}

/// Keeps the pairs of LAMMPS's list (cutoff + skin) that lie within the model's cutoff.
void AtomViews::add_neighbors(const NeighList& list, int i, double cutoff_squared) {
    const auto center_index = static_cast<std::size_t>(i);
    const int listed = first_[center_index + 1];
    first_[center_index] = mlcalc::counted(n_, "pairs within the cutoff");
    if (species_[center_index] < 0) return;
    const auto* x = reinterpret_cast<const Vec3*>(lammps_->atom->x[0]);
    const int* neighbors = list.firstneigh[i];
    const Vec3 center = x[i];
    // an infinite distance would look like one beyond the cutoff
    if (!std::isfinite(center[0] + center[1] + center[2]))
        throw mlcalc::AtomFailure("A coordinate of atom {} is not a number; the dynamics has become unstable", {i});
    for (int k = 0; k < listed; k++) {
        const int j = neighbors[k] & NEIGHMASK;
        const Vec3 r = {x[j][0] - center[0], x[j][1] - center[1], x[j][2] - center[2]};
        const double r_squared = r[0] * r[0] + r[1] * r[1] + r[2] * r[2];
        // written so that a distance that is not a number is kept, and refused by the core
        if (r_squared >= cutoff_squared || species_[static_cast<std::size_t>(j)] < 0) continue;
        j_[n_] = j;
        r_ij_[n_] = r;
        n_++;
    }
}

mlcalc::Atoms AtomViews::atoms() const {
    const Atom& atom = *lammps_->atom;
    const Domain& domain = *lammps_->domain;
    mlcalc::Atoms atoms;
    atoms.n_local = atom.nlocal;
    atoms.n_all = atom.nlocal + atom.nghost;
    atoms.species = species_.data();
    atoms.positions = reinterpret_cast<const Vec3*>(atoms.n_all > 0 ? atom.x[0] : nullptr);
    const double* h = domain.h;  // xx yy zz yz xz xy
    atoms.cell = {{{h[0], 0.0, 0.0}, {h[5], h[1], 0.0}, {h[4], h[3], h[2]}}};
    atoms.origin = {domain.boxlo[0], domain.boxlo[1], domain.boxlo[2]};
    atoms.pbc = {domain.xperiodic != 0, domain.yperiodic != 0, domain.zperiodic != 0};
    return atoms;
}

double AtomViews::bytes() const {
    return static_cast<double>(excluded_.capacity() +
                               sizeof(int) * (species_.capacity() + first_.capacity() + j_.capacity()) +
                               sizeof(Vec3) * r_ij_.capacity());
}

}  // namespace mlcalc_lammps
