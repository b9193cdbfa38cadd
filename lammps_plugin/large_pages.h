// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <set>
#include <utility>

namespace mlcalc_lammps {

/// LAMMPS's FFT keeps its work arrays to itself; on large pages its transposes take half the time. What is new in the
/// address space since this object was made is theirs.
class LargePages {
public:
    LargePages();
    /// Asks for large pages under large memory that has been mapped since.
    void advise_new_memory() const;

private:
    using Mappings = std::set<std::pair<std::uintptr_t, std::uintptr_t>>;
    static Mappings mappings();
    Mappings before_;
};

}  // namespace mlcalc_lammps
