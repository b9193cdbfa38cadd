// SPDX-License-Identifier: GPL-2.0-only
#include "style_settings.h"

#include <functional>
#include <map>
#include <stdexcept>

#include "error.h"
#include "lammps.h"
#include "model/description.hpp"
#include "utils.h"

using mlcalc::FarFieldMethod;

namespace mlcalc_lammps {

namespace {

/// The keywords, how many values each takes, and what becomes of them.
class Reader {
public:
    explicit Reader(LAMMPS_NS::LAMMPS* lammps) : lammps_(lammps) {
        auto& far = settings_.potential.far_field;
        far.keep_integers = true;
        keywords_ = {
            {"accuracy", {1, [&](char** v) { far.accuracy = real(v[0]); }}},
            {"lode", {1, [&](char** v) { method(v[0]); }}},
            {"mesh", {3, [&](char** v) { mesh(v); }}},
            {"order", {1, [&](char** v) { far.order = integer(v[0]); }}},
            {"split", {1, [&](char** v) { split(v[0]); }}},
            {"interlaced", {0, [&](char**) { refuse("meshes have one grid; remove the keyword interlaced"); }}},
            {"memory", {1, [&](char** v) { memory(v[0]); }}},
            {"threads", {1, [&](char** v) { threads(v[0]); }}},
            {"efield", {3, [&](char** v) { field(v); }}},
            {"check", {1, [&](char** v) { settings_.check = logical(v[0]); }}},
            {"uncertainty", {1, [&](char** v) { settings_.uncertainty = logical(v[0]); }}},
            {"max_uncertainty",
             {2, [&](char** v) { settings_.on_maximum = maximum("max_uncertainty", v, settings_.max_uncertainty); }}},
            {"extrapolation", {1, [&](char** v) { settings_.extrapolation = logical(v[0]); }}},
            {"max_extrapolation",
             {2,
              [&](char** v) {
                  settings_.on_extrapolation = maximum("max_extrapolation", v, settings_.max_extrapolation);
              }}},
        };
    }

    StyleSettings read(int narg, char** arg) {
        for (int i = 0; i < narg;) {
            const auto found = keywords_.find(arg[i]);
            if (found == keywords_.end()) refuse("unknown keyword " + std::string(arg[i]) + "; known are " + known());
            const auto& [n_values, take] = found->second;
            const int n_left = narg - i - 1;
            if (n_left < n_values)
                refuse(found->first + " needs " + std::to_string(n_values) + " value(s), got " +
                       std::to_string(n_left));
            take(arg + i + 1);
            i += 1 + n_values;
        }
        try {
            mlcalc::check_options(settings_.potential.far_field);
        } catch (const std::invalid_argument& refusal) {
            refuse(refusal.what());
        }
        return settings_;
    }

private:
    using Take = std::function<void(char**)>;

    [[noreturn]] void refuse(const std::string& what) const {
        lammps_->error->all(FLERR, "pair_style mlcalc: " + what);
    }
    double real(const char* word) const { return LAMMPS_NS::utils::numeric(FLERR, word, false, lammps_); }
    int integer(const char* word) const { return LAMMPS_NS::utils::inumeric(FLERR, word, false, lammps_); }
    bool logical(const char* word) const { return LAMMPS_NS::utils::logical(FLERR, word, false, lammps_) != 0; }

    void method(const std::string& word) {
        auto& far = settings_.potential.far_field;
        const std::map<std::string, FarFieldMethod> methods = {{"auto", FarFieldMethod::automatic},
                                                               {"ksum", FarFieldMethod::ksum},
                                                               {"mesh", FarFieldMethod::mesh},
                                                               {"free", FarFieldMethod::free}};
        const auto found = methods.find(word);
        if (found != methods.end())
            far.method = found->second;
        else if (word == "check")
            settings_.check = true;
        else
            refuse("lode must be auto, ksum, mesh, free or check, got " + word);
    }
    void mesh(char** words) {
        for (std::size_t axis = 0; axis < 3; axis++) {
            int& points = settings_.potential.far_field.mesh[axis];
            points = integer(words[axis]);
            if (points < 1) refuse("mesh needs three positive integers");
        }
    }
    void field(char** words) {
        for (std::size_t axis = 0; axis < 3; axis++) settings_.potential.electric_field[axis] = real(words[axis]);
    }
    void split(const std::string& word) {
        double& radius = settings_.potential.far_field.split;
        if (word == "auto")
            radius = -1.0;
        else if (word == "no")
            radius = 0.0;
        else if ((radius = real(word.c_str())) < 1.0)
            refuse("split must be auto, no or a radius of at least 1 Angstrom, got " + word);
    }
    void memory(const char* word) {
        const double gibibytes = real(word);
        if (!(gibibytes >= 1e-3 && gibibytes <= 1e6))
            refuse("memory is the limit of each rank in GiB, from 0.001 to 10^6, got " + std::string(word));
        settings_.potential.far_field.memory_limit = static_cast<std::size_t>(gibibytes * 1073741824.0);
    }
    void threads(const char* word) {
        settings_.potential.n_threads = integer(word);
        if (settings_.potential.n_threads < 1 || settings_.potential.n_threads > 4096)
            refuse("threads must be from 1 to 4096, got " + std::string(word));
    }
    StyleSettings::OnMaximum maximum(const std::string& keyword, char** words, double& limit) const {
        limit = real(words[0]);
        if (!(limit > 0.0)) refuse(keyword + " must be positive, got " + std::string(words[0]));
        const std::string action = words[1];
        if (action != "warn" && action != "stop") refuse(keyword + " must end with warn or stop, got " + action);
        return action == "warn" ? StyleSettings::OnMaximum::warn : StyleSettings::OnMaximum::stop;
    }
    /// In the order of the documentation.
    static std::string known() {
        return "accuracy, lode, mesh, order, split, memory, efield, check, threads, uncertainty, max_uncertainty, "
               "extrapolation and max_extrapolation";
    }

    LAMMPS_NS::LAMMPS* lammps_;
    StyleSettings settings_;
    std::map<std::string, std::pair<int, Take>> keywords_;
};

}  // namespace

bool StyleSettings::same_far_field(const StyleSettings& other) const {
    const auto &a = potential.far_field, &b = other.potential.far_field;
    return a.method == b.method && a.accuracy == b.accuracy && a.mesh == b.mesh && a.order == b.order &&
           a.split == b.split && a.memory_limit == b.memory_limit;
}

StyleSettings read_style_settings(LAMMPS_NS::LAMMPS* lammps, int narg, char** arg) {
    return Reader(lammps).read(narg, arg);
}

void check_style_settings(const StyleSettings& settings, const mlcalc::Model& model, const std::string& path) {
    if (settings.on_extrapolation != StyleSettings::OnMaximum::nothing && !model.has_extrapolation())
        throw std::invalid_argument("pair_style mlcalc: " + path +
                                    " has no extrapolation measure, so there is nothing to compare with "
                                    "max_extrapolation");
    if (!settings.watches_uncertainty()) return;
    if (!model.has_committee)
        throw std::invalid_argument("pair_style mlcalc: " + path +
                                    " has no committee, so there is no uncertainty to watch");
    if (model.n_members < 2)
        throw std::invalid_argument("pair_style mlcalc: the committee of " + path +
                                    " has one member, so there is no uncertainty to watch");
}

}  // namespace mlcalc_lammps
