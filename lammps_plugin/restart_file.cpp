// SPDX-License-Identifier: GPL-2.0-only
#include "restart_file.h"

#include <mpi.h>
#include <unistd.h>

#include <array>
#include <cstdint>

#include "comm.h"
#include "error.h"
#include "lammps.h"
#include "utils.h"

using namespace LAMMPS_NS;

namespace mlcalc_lammps {

namespace {

constexpr int restart_format = 6;

template <typename T>
void put(FILE* file, const T& value) {
    fwrite(&value, sizeof(T), 1, file);
}

void put(FILE* file, const std::string& text) {
    put(file, static_cast<int>(text.size()));
    fwrite(text.data(), 1, text.size(), file);
}

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
    int get_number(int least, int most) {
        const int number = get<int>();
        if (number < least || number > most)
            lammps_->error->all(FLERR, "The restart file's section of pair mlcalc is damaged");
        return number;
    }
    std::string get_text() {
        const int size = get_number(0, 65536);
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

StyleSettings get_settings(LAMMPS* lammps, Reader& reader) {
    const int format = reader.get<int>();
    if (format < 2 || format > restart_format)
        lammps->error->all(FLERR,
                           "The restart file was written by another version of pair mlcalc (format {}, this is {})",
                           format, restart_format);
    StyleSettings settings;
    auto& far = settings.potential.far_field;
    far.keep_integers = true;
    far.method = static_cast<mlcalc::FarFieldMethod>(reader.get_number(0, 3));
    far.accuracy = reader.get<double>();
    far.mesh = reader.get<std::array<int, 3>>();
    far.order = reader.get<int>();
    if (format < 4)
        reader.get<int>();  // whether meshes had two grids
    else
        far.split = reader.get<double>();
    if (format >= 3) far.memory_limit = static_cast<std::size_t>(reader.get<std::int64_t>());
    settings.potential.n_threads = reader.get_number(1, 1 << 20);
    settings.check = reader.get<int>() != 0;
    settings.uncertainty = reader.get<int>() != 0;
    settings.max_uncertainty = reader.get<double>();
    settings.on_maximum = static_cast<StyleSettings::OnMaximum>(reader.get_number(0, 2));
    if (format < 4 && settings.has_maximum() && lammps->comm->me == 0)
        lammps->error->warning(
            FLERR,
            "mlcalc: max_uncertainty {:.6g} of the restart file was a limit on energies of atoms, and "
            "is now one on forces; give pair_style mlcalc a new one",
            settings.max_uncertainty);
    if (format < 5) return settings;
    settings.extrapolation = reader.get<int>() != 0;
    settings.max_extrapolation = reader.get<double>();
    settings.on_extrapolation = static_cast<StyleSettings::OnMaximum>(reader.get_number(0, 2));
    if (format >= 6) settings.potential.electric_field = reader.get<mlcalc::Vec3>();
    return settings;
}

}  // namespace

void write_restart_settings(FILE* file, const StyleSettings& settings) {
    const auto& far = settings.potential.far_field;
    put(file, restart_format);
    put(file, static_cast<int>(far.method));
    put(file, far.accuracy);
    put(file, far.mesh);
    put(file, far.order);
    put(file, far.split);
    put(file, static_cast<std::int64_t>(far.memory_limit));
    put(file, settings.potential.n_threads);
    put(file, static_cast<int>(settings.check));
    put(file, static_cast<int>(settings.uncertainty));
    put(file, settings.max_uncertainty);
    put(file, static_cast<int>(settings.on_maximum));
    put(file, static_cast<int>(settings.extrapolation));
    put(file, settings.max_extrapolation);
    put(file, static_cast<int>(settings.on_extrapolation));
    put(file, settings.potential.electric_field);
}

void write_restart_record(FILE* file, const RestartRecord& record) {
    write_restart_settings(file, record.settings);
    put(file, record.path);
    put(file, record.checksum);
    put(file, record.reference_cell);
    put(file, static_cast<int>(record.elements.size()));
    for (const std::string& element : record.elements) put(file, element);
}

StyleSettings read_restart_settings(LAMMPS* lammps, FILE* file) {
    Reader reader(lammps, file);
    return get_settings(lammps, reader);
}

RestartRecord read_restart_record(LAMMPS* lammps, FILE* file) {
    Reader reader(lammps, file);
    RestartRecord record;
    record.settings = get_settings(lammps, reader);
    record.path = reader.get_text();
    record.checksum = reader.get_text();
    record.reference_cell = reader.get<mlcalc::Mat3>();
    record.elements.resize(static_cast<std::size_t>(reader.get_number(0, 1 << 20)));
    for (std::string& element : record.elements) element = reader.get_text();
    return record;
}

std::string folder_of(FILE* file) {
    if (file == nullptr) return {};
    char path[4096];
    const std::string link = "/proc/self/fd/" + std::to_string(fileno(file));
    const ssize_t size = readlink(link.c_str(), path, sizeof path);
    const std::string text(path, size > 0 ? static_cast<std::size_t>(size) : 0);
    const std::size_t slash = text.rfind('/');
    return slash == std::string::npos ? std::string() : text.substr(0, slash);
}

}  // namespace mlcalc_lammps
