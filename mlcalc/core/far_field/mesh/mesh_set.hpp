// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "far_field/far_field.hpp"
#include "far_field/mesh/mesh.hpp"

namespace mlcalc {

/// V of a periodic cell by particle meshes: narrow radial functions need a fine one, wide ones are done with fewer
/// points.
class MeshSet : public FieldEvaluator {
public:
    struct Settings {
        std::vector<Mesh::Settings> meshes;
        SlabPadding padding;     ///< of the cell of a slab
        double estimate = -1.0;  ///< relative force error expected; < 0: not estimated
        int n_threads = 1;
    };
    MeshSet(const FieldDescription&, std::shared_ptr<const NearPart>, const Settings&, Communicator&,
            MeshBackendFactory&);
    void compute(const Atoms&, double* v) override;
    void backward(const Atoms&, const double* v_adj, Vec3* gradient, Mat3& strain, Mat3* atom_strain) override;
    std::string summary() const override;
    Memory memory() const override;

private:
    FieldDescription description_;
    FieldSpectrum spectrum_;
    Settings settings_;
    std::vector<std::unique_ptr<Mesh>> meshes_;
};

}  // namespace mlcalc
