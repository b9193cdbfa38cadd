// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <exception>
#include <functional>
#include <string>

namespace LAMMPS_NS {
class LAMMPS;
}

namespace mlcalc_lammps {

/// Ends the run (or the command, where LAMMPS is a library) with one sentence. A failure that all ranks know of is told
/// once and raised on all of them; for one that only this rank knows of nobody may wait: the sentence is this rank's
/// own.
class Failures {
public:
    explicit Failures(LAMMPS_NS::LAMMPS* lammps) : lammps_(lammps) {}
    /// Whatever the core or this plugin threw; see base/failure.hpp for who has to call.
    [[noreturn]] void end(const std::exception&) const;
    /// Every rank does the work, which is not collective; if it throws on one of them, all end with its sentence.
    void together(const std::function<void()>& work) const;

private:
    std::string sentence(const std::exception&) const;
    [[noreturn]] void end_here(const std::string& sentence) const;
    [[noreturn]] void end_everywhere(const std::string& sentence, bool speaks) const;

    LAMMPS_NS::LAMMPS* lammps_;
};

}  // namespace mlcalc_lammps
