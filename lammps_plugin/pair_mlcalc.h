// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "atom_views.h"
#include "committee_watch.h"
#include "extrapolation_watch.h"
#include "failures.h"
#include "far_field_log.h"
#include "lammps_mesh.h"
#include "model_file.h"
#include "pair.h"
#include "potential.hpp"
#include "run_checks.h"
#include "style_settings.h"
#include "tensor_tally.h"
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

    // pair_mlcalc.cpp: a time step
    void compute(int eflag, int vflag) override;
    void finish() override;
    double memory_usage() override;
    void* extract(const char* name, int& dimension) override;
    void* extract_peratom(const char* name, int& columns) override;
    int pack_reverse_comm(int n, int first, double* buffer) override;
    void unpack_reverse_comm(int n, int* list, double* buffer) override;
    void reset_grid() override;

    /// Components of an output of the model; ends the run with a sentence if it has none of this name.
    int n_components(const std::string& name) const;
    /// The shares of the atoms of this rank (n_local, n_components) on this step, in the unit of the output.
    /// Collective.
    const double* tensor(const std::string& name);

    // pair_mlcalc_commands.cpp: what happens between time steps
    void settings(int narg, char** arg) override;
    void coeff(int narg, char** arg) override;
    void init_style() override;
    double init_one(int i, int j) override;
    void write_restart(FILE* file) override;
    void read_restart(FILE* file) override;
    void write_restart_settings(FILE* file) override;
    void read_restart_settings(FILE* file) override;

private:
    using Elements = std::vector<std::string>;  ///< [type - 1] as given to pair_coeff

    void allocate();
    void check_coefficients() const;
    std::unique_ptr<mlcalc::Potential> make_potential(const mlcalc_lammps::ModelFile&,
                                                      const mlcalc_lammps::StyleSettings&) const;
    std::vector<int> map_types(const mlcalc_lammps::ModelFile&, const Elements&) const;
    void adopt(mlcalc_lammps::ModelFile, const Elements&);
    void log_model() const;

    void work(int eflag, int vflag);
    double common_scale() const;
    void evaluate(mlcalc::Results&, const std::exception_ptr& failed_before);
    void add_results(const mlcalc::Results&);
    void take_uncertainty(bool trial);
    void send_ghosts_home(mlcalc::Vec3* forces);

    mlcalc_lammps::StyleSettings settings_;
    mlcalc_lammps::Failures failures_;
    mlcalc_lammps::RunChecks checks_;
    mlcalc_lammps::AtomViews views_;
    mlcalc_lammps::CommitteeWatch committee_;
    mlcalc_lammps::ExtrapolationWatch extrapolation_;
    mlcalc_lammps::TensorTally tensors_;
    // the potential's far field keeps references to these two
    mlcalc_lammps::WorldCommunicator communicator_;
    std::unique_ptr<mlcalc_lammps::LammpsMeshFactory> mesh_factory_;
    mlcalc_lammps::FarFieldLog far_field_log_;
    mlcalc_lammps::ModelFile file_;
    std::unique_ptr<mlcalc::Potential> potential_;

    Elements elements_;
    std::vector<int> type_species_;  ///< [type] index into the model's species, -1 for NULL
    std::string restart_problem_;    ///< why a restart file has not brought its model
    bool ready_ = false;             ///< has init_style seen the present model?
    bool fell_back_ = false;         ///< from the mesh to the k-sum
    double energy_unit_ = 1.0;       ///< eV in the units of the run
    double** scale_ = nullptr;       ///< [type][type] as fix adapt and compute fep set it; all are to be equal
    double unit_ = 1.0;              ///< of this step: energy_unit_ times the scale
    double seconds_[2] = {0.0, 0.0};
    std::vector<mlcalc::Vec3> forces_;
    std::vector<double> energies_;
    std::vector<mlcalc::Mat3> atom_virials_;
    mlcalc::Vec3* forces_in_flight_ = nullptr;  ///< whose ghosts' shares are on the way home
};

}  // namespace LAMMPS_NS
