// SPDX-License-Identifier: GPL-2.0-only
#include "model_file.h"

#include <mpi.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "comm.h"
#include "failures.h"
#include "lammps.h"
#include "lmptype.h"
#include "model/reader.hpp"
#include "utils.h"

using namespace LAMMPS_NS;

namespace mlcalc_lammps {

namespace {

bool can_be_read(const std::string& path) {
    return std::ifstream(path, std::ios::binary).good();
}

void broadcast(LAMMPS* lammps, std::string& bytes) {
    auto size = static_cast<bigint>(bytes.size());
    MPI_Bcast(&size, 1, MPI_LMP_BIGINT, 0, lammps->world);
    Failures(lammps).together([&] { bytes.resize(static_cast<std::size_t>(size)); });
    constexpr bigint chunk = bigint{1} << 30;  // MPI counts are ints
    for (bigint begin = 0; begin < size; begin += chunk)
        MPI_Bcast(bytes.data() + begin, static_cast<int>(std::min(chunk, size - begin)), MPI_CHAR, 0, lammps->world);
}

}  // namespace

std::string find_model_file(LAMMPS* lammps, const std::string& name, const std::vector<std::string>& folders) {
    std::string found;
    if (lammps->comm->me == 0) {
        std::vector<std::string> places = {name};
        if (!name.empty() && name.front() != '/')
            for (const std::string& folder : folders) places.push_back(folder + "/" + name);
        places.push_back(utils::get_potential_file_path(name));
        for (const std::string& place : places)
            if (found.empty() && !place.empty() && can_be_read(place)) found = place;
    }
    broadcast(lammps, found);
    return found;
}

ModelFile read_model_file(LAMMPS* lammps, const std::string& path) {
    const Failures failures(lammps);
    std::string bytes;
    failures.together([&] {
        if (lammps->comm->me != 0) return;
        std::ifstream file(path, std::ios::binary);
        if (!file) throw std::runtime_error("pair_style mlcalc cannot open the model file " + path);
        bytes.assign(std::istreambuf_iterator<char>(file), {});
    });
    broadcast(lammps, bytes);
    ModelFile out{path, nullptr};
    failures.together([&] {
        out.model = mlcalc::parse_model(bytes.data(), bytes.size(), path);
        const auto& terms = out.model->terms;
        if (out.model->outputs.empty() && std::all_of(terms.begin(), terms.end(), [](const mlcalc::Term& term) {
                return term.regressor.index() == 0;
            }))
            throw std::invalid_argument(path + " describes features only; it has no energy to compute");
    });
    return out;
}

}  // namespace mlcalc_lammps
