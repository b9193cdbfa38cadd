// SPDX-License-Identifier: GPL-2.0-only
/// The library that LAMMPS loads. It needs no function of LAMMPS or MPI, so that it can always be loaded, and opens the
/// pair style, which needs many, only where that fits. Elsewhere it says why in a sentence.
#include <dlfcn.h>

#include <cstdio>
#include <string>

#include "find_symbol.h"
#include "host.h"
#include "lammps.h"

namespace {

/// LAMMPS's lammpsplugin_t, which its installed headers do not contain.
struct LammpsPlugin {
    const char* version;
    const char* style;
    const char* name;
    const char* info;
    const char* author;
    union {
        void* (*without_arguments)(void*);
        void* (*with_arguments)(void*, int, char**);
    } creator;
    void* handle;
};

using Register = void (*)(LammpsPlugin*, void*);

std::string reason_to_refuse;

/// The file of the pair style lies beside this one.
std::string style_file() {
    Dl_info here{};
    if (dladdr(reinterpret_cast<void*>(&style_file), &here) == 0 || here.dli_fname == nullptr) return "mlcalc_pair.so";
    const std::string path = here.dli_fname;
    const std::size_t slash = path.rfind('/');
    return (slash == std::string::npos ? std::string("./") : path.substr(0, slash + 1)) + "mlcalc_pair.so";
}

/// The linker's words, and what they mean.
std::string explained(const std::string& problem) {
    const std::string missing = "undefined symbol: ";
    const std::size_t at = problem.find(missing);
    if (at == std::string::npos) return problem;
    const std::string symbol = problem.substr(at + missing.size());
    if (symbol.rfind("MPI", 0) == 0 || symbol.rfind("PMPI", 0) == 0 || symbol.rfind("ompi_", 0) == 0 ||
        symbol.rfind("_ZN3MPI", 0) == 0)
        return "this LAMMPS has no " + symbol +
               ": it was built with another MPI than the plugin, or without; build the plugin with the mpi.h of this "
               "LAMMPS";
    return "this LAMMPS has no " + symbol + "; build the plugin for this LAMMPS (cmake -S lammps_plugin)";
}

/// The functions that make the styles; null, and the reason, where they cannot be had.
struct Styles {
    void* (*pair)(void*) = nullptr;
    void* (*compute)(void*, int, char**) = nullptr;
};
Styles open_styles() {
    const std::string file = style_file();
    void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library != nullptr)
        return {reinterpret_cast<void* (*)(void*)>(dlsym(library, "mlcalc_make_pair")),
                reinterpret_cast<void* (*)(void*, int, char**)>(dlsym(library, "mlcalc_make_compute"))};
    const char* problem = dlerror();
    reason_to_refuse = explained(problem == nullptr ? file + " cannot be opened" : problem);
    return {};
}

/// Ends the command with a sentence, by whichever function this LAMMPS has for it.
void* refuse(void* lammps, const std::string& style) {
    const std::string sentence = style + " cannot be used: " + reason_to_refuse, file = __FILE__;
    void* error = static_cast<LAMMPS_NS::LAMMPS*>(lammps)->error;
    using WithPointer = void(void*, const std::string&, int, int, const std::string&);
    using Plain = void(void*, const std::string&, int, const std::string&);
    if (auto* all = mlcalc_lammps::find<WithPointer>(
            "_ZN9LAMMPS_NS5Error3allERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEEiiS8_")) {
        constexpr int no_pointer = -2;  // to a word of the command: Error::NOPOINTER
        all(error, file, __LINE__, no_pointer, sentence);
    }
    if (auto* all = mlcalc_lammps::find<Plain>(
            "_ZN9LAMMPS_NS5Error3allERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEEiS8_"))
        all(error, file, __LINE__, sentence);
    std::fprintf(stderr, "ERROR: %s\n", sentence.c_str());
    return nullptr;
}

void* refuse_pair(void* lammps) {
    return refuse(lammps, "pair_style mlcalc");
}

void* refuse_compute(void* lammps, int, char**) {
    return refuse(lammps, "compute mlcalc/tensor");
}

void log(void* lammps, const std::string& text) {
    using Log = void(void*, const std::string&);
    if (auto* message = mlcalc_lammps::find<Log>(
            "_ZN9LAMMPS_NS5utils7logmesgEPNS_6LAMMPSERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"))
        message(lammps, text);
    else
        std::fputs(text.c_str(), stderr);
}

}  // namespace

/// A plugin that does not fit must not break runs that never ask for it: it registers styles that explain themselves.
extern "C" __attribute__((visibility("default"))) void lammpsplugin_init(void* lammps, void* handle, void* regfunc) {
    static LammpsPlugin plugin, compute;
    Styles styles;
    reason_to_refuse = mlcalc_lammps::why_unfit(lammps);
    if (reason_to_refuse.empty()) styles = open_styles();
    plugin.version = static_cast<LAMMPS_NS::LAMMPS*>(lammps)->version;
    plugin.style = "pair";
    plugin.name = "mlcalc";
    plugin.info = "SOAP and LODE machine-learned potentials (mlcalc)";
    plugin.author = "the mlcalc developers";
    plugin.creator.without_arguments = styles.pair != nullptr ? styles.pair : refuse_pair;
    plugin.handle = handle;
    compute = plugin;
    compute.style = "compute";
    compute.name = "mlcalc/tensor";
    compute.info = "tensors of the model of pair_style mlcalc";
    compute.creator.with_arguments = styles.compute != nullptr ? styles.compute : refuse_compute;
    if (styles.pair == nullptr) log(lammps, "WARNING: pair_style mlcalc cannot be used: " + reason_to_refuse + "\n");
    reinterpret_cast<Register>(regfunc)(&plugin, lammps);
    reinterpret_cast<Register>(regfunc)(&compute, lammps);
}
