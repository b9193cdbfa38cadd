// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "far_field/far_field.hpp"
#include "far_field/ksum/ksum.hpp"
#include "far_field/mesh/mesh.hpp"

namespace mlcalc {

/// V of a periodic cell by particle meshes: narrow radial functions need a fine one, wide ones are done with fewer
/// points.
class MeshSet : public FarField {
public:
    struct Settings {
        std::vector<Mesh::Settings> meshes;
        double accuracy = 0.0;   ///< that of the k-sum behind `jacobian`
        double estimate = -1.0;  ///< relative force error expected; < 0: not estimated
        int n_threads = 1;
    };
    MeshSet(const FieldDescription&, const Settings&, Communicator&, MeshBackendFactory&);
    void compute(const Atoms&, double* v) override;
    void backward(const Atoms&, const double* v_adj, Vec3* gradient, Mat3& strain, Mat3* atom_strain) override;
    void jacobian(const Atoms&, double* jacobian, double* strain) override;
    std::string summary() const override;
    Memory memory() const override;

private:
    FieldDescription description_;
    FieldSpectrum spectrum_;
    Settings settings_;
    Communicator* communicator_;
    std::vector<std::unique_ptr<Mesh>> meshes_;
    std::unique_ptr<KSum> ksum_;
};

}  // namespace mlcalc
