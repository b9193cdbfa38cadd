// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <memory>
#include <string>
#include <vector>

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

    void settings(int narg, char** arg) override;
    void coeff(int narg, char** arg) override;
    void init_style() override;
    double init_one(int i, int j) override;
    void compute(int eflag, int vflag) override;
    double memory_usage() override;

private:
    void allocate();
    void load(const std::string& path);
    void map_types(int narg, char** arg);
    void fill_species();
    void fill_neighbors();
    void prepare_results(mlcalc::Results& results);
    void add_results(const mlcalc::Results& results);
    mlcalc::Atoms atoms_view() const;

    mlcalc::PotentialOptions options_;
    std::string path_;
    std::unique_ptr<mlcalc::Potential> potential_;
    mlcalc_lammps::WorldCommunicator communicator_;
    std::unique_ptr<mlcalc::MeshBackendFactory> mesh_factory_;

    double energy_unit_ = 1.0;       ///< eV in the units of the run
    std::vector<int> type_species_;  ///< [type] index into the model's species, -1 for NULL

    std::vector<int> species_, first_, j_;
    std::vector<mlcalc::Vec3> r_ij_, forces_;
    std::vector<double> energies_;
    std::vector<mlcalc::Mat3> atom_virials_;
};

}  // namespace LAMMPS_NS
