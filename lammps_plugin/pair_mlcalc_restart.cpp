// SPDX-License-Identifier: GPL-2.0-only
/// Restart files: the settings, the path and checksum of the model and the element of each type.
#include "atom.h"
#include "comm.h"
#include "error.h"
#include "model/description.hpp"
#include "pair_mlcalc.h"

using namespace LAMMPS_NS;

namespace {

constexpr int restart_format = 2;

template <typename T>
void put(FILE* file, const T& value) {
    fwrite(&value, sizeof(T), 1, file);
}

void put(FILE* file, const std::string& text) {
    put(file, static_cast<int>(text.size()));
    fwrite(text.data(), 1, text.size(), file);
}

/// Rank 0 reads, all ranks get the value.
class Reader {
public:
    Reader(LAMMPS* lammps, FILE* file) : lammps_(lammps), file_(file) {}

    template <typename T>
    T get() {
        T value{};
        if (lammps_->comm->me == 0) utils::sfread(FLERR, &value, sizeof(T), 1, file_, nullptr, lammps_->error);
        MPI_Bcast(&value, sizeof(T), MPI_BYTE, 0, lammps_->world);
        return value;
    }

    std::string get_text() {
        const int size = get<int>();
        if (size < 0 || size > 65536)
            lammps_->error->all(FLERR, "The restart file's section of pair mlcalc is damaged");
        std::string text(static_cast<std::size_t>(size), ' ');
        if (lammps_->comm->me == 0 && size > 0)
            utils::sfread(FLERR, text.data(), 1, text.size(), file_, nullptr, lammps_->error);
        MPI_Bcast(text.data(), size, MPI_BYTE, 0, lammps_->world);
        return text;
    }

private:
    LAMMPS* lammps_;
    FILE* file_;
};

}  // namespace

void PairMLCalc::write_restart_settings(FILE* file) {
    const auto& far = settings_.potential.far_field;
    put(file, restart_format);
    put(file, static_cast<int>(far.method));
    put(file, far.accuracy);
    put(file, far.mesh);
    put(file, far.order);
    put(file, static_cast<int>(far.interlaced));
    put(file, settings_.potential.n_threads);
    put(file, static_cast<int>(settings_.check));
    put(file, static_cast<int>(settings_.uncertainty));
    put(file, settings_.max_uncertainty);
    put(file, static_cast<int>(settings_.on_maximum));
}

void PairMLCalc::read_restart_settings(FILE* file) {
    Reader reader(lmp, file);
    const int format = reader.get<int>();
    if (format != restart_format)
        error->all(FLERR, "The restart file was written by another version of pair mlcalc (format {}, this is {})",
                   format, restart_format);
    settings_ = {};
    auto& far = settings_.potential.far_field;
    far.method = static_cast<mlcalc::FarFieldMethod>(reader.get<int>());
    far.accuracy = reader.get<double>();
    far.mesh = reader.get<std::array<int, 3>>();
    far.order = reader.get<int>();
    far.interlaced = reader.get<int>() != 0;
    settings_.potential.n_threads = reader.get<int>();
    settings_.check = reader.get<int>() != 0;
    settings_.uncertainty = reader.get<int>() != 0;
    settings_.max_uncertainty = reader.get<double>();
    settings_.on_maximum = static_cast<OnMaximum>(reader.get<int>());
}

void PairMLCalc::write_restart(FILE* file) {
    write_restart_settings(file);
    put(file, path_);
    put(file, potential_ ? potential_->model().checksum : std::string());
    put(file, potential_ ? potential_->reference_cell() : mlcalc::Mat3{});
    put(file, static_cast<int>(elements_.size()));
    for (const std::string& element : elements_) put(file, element);
}

void PairMLCalc::read_restart(FILE* file) {
    read_restart_settings(file);
    Reader reader(lmp, file);
    const std::string path = reader.get_text();
    const std::string checksum = reader.get_text();
    // k list and mesh are chosen as in the run that is continued
    settings_.potential.far_field.reference_cell = reader.get<mlcalc::Mat3>();
    const int n_names = reader.get<int>();
    if (n_names != (path.empty() ? 0 : atom->ntypes))
        error->all(FLERR, "The restart file's section of pair mlcalc is damaged");
    std::vector<std::string> names(static_cast<std::size_t>(n_names));
    for (std::string& element : names) element = reader.get_text();
    if (path.empty()) return;  // no pair_coeff had been given
    if (!allocated) allocate();
    load(path);
    if (potential_->model().checksum != checksum)
        error->all(FLERR, "The restart file was written with {} of checksum {}, but the file now has checksum {}", path,
                   checksum, potential_->model().checksum);
    std::vector<char*> arguments;
    for (std::string& element : names) arguments.push_back(element.data());
    map_types(static_cast<int>(arguments.size()), arguments.data());
    set_flags();
    log_model();
}
