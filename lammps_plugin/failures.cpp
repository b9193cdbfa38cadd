// SPDX-License-Identifier: GPL-2.0-only
#include "failures.h"

#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <new>
#include <thread>
#include <vector>

#include "atom.h"
#include "base/failure.hpp"
#include "comm.h"
#include "error.h"
#include "exceptions.h"
#include "lammps.h"

using namespace LAMMPS_NS;

namespace mlcalc_lammps {

/// With the IDs that LAMMPS's user knows in place of the core's own numbers.
std::string Failures::sentence(const std::exception& failure) const {
    if (dynamic_cast<const std::bad_alloc*>(&failure) != nullptr)
        return "pair_style mlcalc: the memory of this rank does not suffice; use more ranks or fewer on a node, a "
               "coarser mesh, or a lower accuracy";
    const auto* about_atoms = dynamic_cast<const mlcalc::AtomFailure*>(&failure);
    const Atom& atom = *lammps_->atom;
    if (about_atoms == nullptr || atom.tag_enable == 0) return failure.what();
    std::vector<tagint> ids;
    for (const int i : about_atoms->atoms()) {
        if (i < 0 || i >= atom.nlocal + atom.nghost) return failure.what();
        ids.push_back(atom.tag[i]);
    }
    std::sort(ids.begin(), ids.end());
    return about_atoms->with(ids);
}

void Failures::end(const std::exception& failure) const {
    if (dynamic_cast<const LAMMPSException*>(&failure) != nullptr) throw;  // told already
    const bool elsewhere = dynamic_cast<const mlcalc::FailureElsewhere*>(&failure) != nullptr;
    if (lammps_->comm->nprocs == 1 || mlcalc::is_shared(failure)) end_everywhere(sentence(failure), !elsewhere);
    end_here(sentence(failure));
}

void Failures::together(const std::function<void()>& work) const {
    std::string problem;
    try {
        work();
    } catch (const LAMMPSException&) {
        throw;
    } catch (const std::exception& failure) {
        problem = sentence(failure);
    }
    int failed = problem.empty() ? 0 : 1;
    MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MAX, lammps_->world);
    if (failed != 0) end_everywhere(problem, !problem.empty());
}

/// The other ranks wait for this one. LAMMPS's own error ends the program, but not an interpreter that uses LAMMPS as a
/// library, where they would wait for ever.
void Failures::end_here(const std::string& sentence) const {
    try {
        lammps_->error->one(FLERR, sentence);
    } catch (...) {
        // mpirun may lose what a rank printed right before it aborted
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
        MPI_Abort(lammps_->world, 1);
        throw;
    }
}

/// Every rank calls; the lowest of those that speak says what has happened.
void Failures::end_everywhere(const std::string& sentence, bool speaks) const {
    const Comm& comm = *lammps_->comm;
    int speaker = speaks ? comm.me : comm.nprocs;
    MPI_Allreduce(MPI_IN_PLACE, &speaker, 1, MPI_INT, MPI_MIN, lammps_->world);
    speaker = std::min(speaker, comm.nprocs - 1);
    int size = static_cast<int>(sentence.size());
    MPI_Bcast(&size, 1, MPI_INT, speaker, lammps_->world);
    std::string told = sentence;
    told.resize(static_cast<std::size_t>(size));
    MPI_Bcast(told.data(), size, MPI_CHAR, speaker, lammps_->world);
    lammps_->error->all(FLERR, told);
}

}  // namespace mlcalc_lammps
