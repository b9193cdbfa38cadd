// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lammps_mesh.h"
#include "pair.h"
#include "potential.hpp"
#include "world_communicator.h"

namespace LAMMPS_NS {

/// pair_style mlcalc: fills the core's views from LAMMPS's atoms and full neighbor list, calls
/// mlcalc::Potential::compute, and adds what it returns to LAMMPS's accumulators. No physics in here.
class PairMLCalc : public Pair {
public:
    explicit PairMLCalc(LAMMPS* instance);
    ~PairMLCalc() override;
    PairMLCalc(const PairMLCalc&) = delete;
    PairMLCalc& operator=(const PairMLCalc&) = delete;

    // pair_mlcalc.cpp
    void init_style() override;
    double init_one(int i, int j) override;
    void compute(int eflag, int vflag) override;
    void finish() override;
    double memory_usage() override;
    void* extract(const char* name, int& dimension) override;

    // pair_mlcalc_input.cpp
    void settings(int narg, char** arg) override;
    void coeff(int narg, char** arg) override;

    // pair_mlcalc_restart.cpp
    void write_restart(FILE* file) override;
    void read_restart(FILE* file) override;
    void write_restart_settings(FILE* file) override;
    void read_restart_settings(FILE* file) override;

    // pair_mlcalc_uncertainty.cpp
    void* extract_peratom(const char* name, int& columns) override;
    int pack_reverse_comm(int n, int first, double* buffer) override;
    void unpack_reverse_comm(int n, int* list, double* buffer) override;

    // the halo of the mesh, pair_mlcalc.cpp
    void reset_grid() override;
    void pack_forward_grid(int which, void* buffer, int n, int* list) override;
    void unpack_forward_grid(int which, void* buffer, int n, int* list) override;
    void pack_reverse_grid(int which, void* buffer, int n, int* list) override;
    void unpack_reverse_grid(int which, void* buffer, int n, int* list) override;

private:
    enum class OnMaximum { nothing, warn, stop };
    struct Settings {
        mlcalc::PotentialOptions potential;
        bool check = false;            ///< measure the error of the mesh when it has been chosen
        bool uncertainty = false;      ///< every step, not only when a fix pair asks
        double max_uncertainty = 0.0;  ///< in the energy unit of the run
        OnMaximum on_maximum = OnMaximum::nothing;
    };

    void allocate();
    int read_keyword(const std::string& keyword, int n_left, char** values);
    void load(const std::string& path);
    void map_types(int narg, char** arg);
    void set_flags();
    void log_model() const;
    void log_far_field();
    void warn_of_drift();
    void renew_far_field();
    void evaluate(mlcalc::Results& results);
    void warn_of_boundaries() const;
    void check_mesh();
    void check_heat_flux() const;
    void add_centroid_virials();
    void check_settings_of_run();
    void check_pairs_of_hybrid() const;

    void fill_species();
    void fill_neighbors();
    void prepare_results(mlcalc::Results& results);
    void add_results(const mlcalc::Results& results);
    [[noreturn]] void stop_this_rank(const std::string& problem);
    void stop_all_ranks(const std::string& problem, bool everywhere);
    mlcalc::Atoms atoms_view() const;

    bool wants_uncertainty() const;
    void take_uncertainty();
    void take_force_uncertainty();
    void send_ghosts_home(mlcalc::Vec3* forces);
    void check_maximum();

    Settings settings_;
    std::string path_;
    // the potential's far field keeps references to the two before it
    mlcalc_lammps::WorldCommunicator communicator_;
    std::unique_ptr<mlcalc_lammps::LammpsMeshFactory> mesh_factory_;
    std::shared_ptr<const mlcalc::Model> model_;
    std::unique_ptr<mlcalc::Potential> potential_;

    double energy_unit_ = 1.0;           ///< eV in the units of the run
    double scale_ = 1.0;                 ///< of the whole model, for fix adapt
    std::vector<std::string> elements_;  ///< [type - 1] as given to pair_coeff
    std::vector<int> type_species_;      ///< [type] index into the model's species, -1 for NULL
    std::string last_summary_;
    bigint natoms_chosen_for_ = 0;
    bool warned_of_drift_ = false;
    double seconds_[2] = {0.0, 0.0};

    std::vector<int> species_, first_, j_;
    std::vector<mlcalc::Vec3> r_ij_, forces_;
    std::vector<double> energies_;
    std::vector<mlcalc::Mat3> atom_virials_;

    int uncertainty_flag_ = 0, force_uncertainty_flag_ = 0, extrapolation_flag_ = 0;  ///< set by fix pair
    std::vector<double> member_energies_, uncertainty_, force_uncertainty_, extrapolation_;
    std::vector<mlcalc::Vec3> member_forces_;
    mlcalc::Vec3* forces_in_flight_ = nullptr;  ///< whose ghosts' shares are on the way home
    bool warned_ = false;
};

}  // namespace LAMMPS_NS
