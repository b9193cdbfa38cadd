// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "style_settings.h"

namespace LAMMPS_NS {
class LAMMPS;
}

namespace mlcalc_lammps {

/// What a restart file remembers of a style: the settings, and path and checksum of the model, the cell for which mesh
/// or k list were chosen, and the element of each atom type; all but the settings empty before pair_coeff.
struct RestartRecord {
    StyleSettings settings;
    std::string path, checksum;
    mlcalc::Mat3 reference_cell{};
    std::vector<std::string> elements;
};

/// Rank 0 writes.
void write_restart_settings(FILE*, const StyleSettings&);
void write_restart_record(FILE*, const RestartRecord&);

/// Rank 0 reads, all ranks get the values. Files of format 2 (version 0.1.0) are read, too.
StyleSettings read_restart_settings(LAMMPS_NS::LAMMPS*, FILE*);
RestartRecord read_restart_record(LAMMPS_NS::LAMMPS*, FILE*);

/// The folder of an open file, for rank 0 (others have none); empty if the system does not tell.
std::string folder_of(FILE*);

}  // namespace mlcalc_lammps
