// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/description.hpp"

namespace LAMMPS_NS {
class LAMMPS;
}

namespace mlcalc_lammps {

/// A model and where it was found.
struct ModelFile {
    std::string path;
    std::shared_ptr<const mlcalc::Model> model;
};

/// Where LAMMPS looks for the potential of this name: as it is written, in these folders, in LAMMPS_POTENTIALS. Empty:
/// nowhere. Looked up by rank 0, the same on all ranks.
std::string find_model_file(LAMMPS_NS::LAMMPS*, const std::string& name, const std::vector<std::string>& folders = {});

/// Rank 0 reads the file, every rank parses the same bytes. Ends the run with a sentence if one of them cannot.
ModelFile read_model_file(LAMMPS_NS::LAMMPS*, const std::string& path);

}  // namespace mlcalc_lammps
