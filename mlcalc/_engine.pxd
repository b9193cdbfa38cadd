# SPDX-License-Identifier: BSD-3-Clause
# cython: language_level=3
"""The parts of the C++ headers that _engine.pyx calls."""

from libc.stddef cimport size_t
from libcpp cimport bool as cbool
from libcpp.memory cimport shared_ptr
from libcpp.string cimport string
from libcpp.vector cimport vector

cdef extern from "core/base/types.hpp" namespace "mlcalc" nogil:
    cppclass Vec3:
        double& operator[](size_t)
    cppclass Mat3:
        Vec3& operator[](size_t)
    struct NeighborList:
        const int* first
        const int* j
        const Vec3* r_ij
    cppclass Bool3 "std::array<bool, 3>":
        cbool& operator[](size_t)
    cppclass Atoms:
        Atoms()
        int n_local
        int n_all
        const int* species
        const Vec3* positions
        Mat3 cell
        Vec3 origin
        Bool3 pbc
    cppclass Communicator:
        Communicator()

cdef extern from "core/far_field/mesh/mesh_backend.hpp" namespace "mlcalc" nogil:
    cppclass MeshBackendFactory:
        pass

cdef extern from "core/far_field/mesh/mesh_serial.hpp" namespace "mlcalc" nogil:
    cppclass SerialMeshFactory(MeshBackendFactory):
        SerialMeshFactory(int)

cdef extern from "core/far_field/far_field.hpp" namespace "mlcalc" nogil:
    cdef enum class FarFieldMethod:
        automatic
        ksum
        mesh
        free
    cppclass Int3 "std::array<int, 3>":
        int& operator[](size_t)
    cppclass FarFieldOptions:
        FarFieldMethod method
        double accuracy
        Int3 mesh
        int order
        double split
        double k_cutoff
        size_t memory_limit
        int n_threads

cdef extern from "core/far_field/smeared_power.hpp" namespace "mlcalc" nogil:
    cppclass SmearedPower:
        SmearedPower(int exponent, double smearing) except +
        void evaluate(double k, double& value, double& derivative)

cdef extern from "core/simd/instruction_set.hpp" namespace "mlcalc" nogil:
    const char* c_instruction_set "mlcalc::instruction_set"() except +

cdef extern from "core/model/description.hpp" namespace "mlcalc" nogil:
    const int extrapolation_interval
    double c_extrapolation_bound "mlcalc::extrapolation_bound"(double before)
    const double structure_limit

    cppclass Term:
        string name
        size_t n_features
    cppclass TensorOutput:
        string name
        int n_components()
    cppclass Model:
        cbool has_energy
        vector[TensorOutput] outputs
        vector[int] species
        vector[Term] terms
        int n_members

cdef extern from "core/model/reader.hpp" namespace "mlcalc" nogil:
    shared_ptr[const Model] parse_model(const void* data, size_t size, const string& source) except +

cdef extern from "core/base/clebsch_gordan.hpp" namespace "mlcalc" nogil:
    struct CouplingTerm:
        int m1
        int m2
        int m
        double value
    vector[CouplingTerm] c_real_clebsch_gordan "mlcalc::real_clebsch_gordan"(int l1, int l2, int l) except +

cdef extern from "core/potential.hpp" namespace "mlcalc" nogil:
    cppclass TensorResults:
        TensorResults()
        int output
        double* values
        double* member_values
        Vec3* derivatives
        Mat3* strain
    cppclass Results:
        Results()
        vector[TensorResults] tensors
        double* energies
        Vec3* forces
        Mat3 virial
        Mat3* atom_virials
        double* member_energies
        Vec3* member_forces
        Mat3* member_virials
        double* extrapolation
        double* components
        double* seconds
    cppclass PotentialOptions:
        PotentialOptions()
        FarFieldOptions far_field
        Vec3 electric_field
        int n_threads
    cppclass CPotential "mlcalc::Potential":
        CPotential(shared_ptr[const Model], PotentialOptions) except +
        const Model& model()
        double cutoff()
        void reset() except +
        string summary() except +

cdef extern from "core/base/coefficients.hpp" namespace "mlcalc" nogil:
    cppclass CoefficientShape:
        int n_channels
        int n_max
        int n_lm()

cdef extern from "core/base/system.hpp" namespace "mlcalc" nogil:
    cppclass System:
        pass

cdef extern from "core/training/descriptor.hpp" namespace "mlcalc" nogil:
    cppclass Descriptor:
        Descriptor(shared_ptr[const Model], FarFieldOptions) except +
        int find(const string&) except +
        CoefficientShape shape(int) except +
        size_t n_features(int) except +
        size_t n_basis(int) except +
        void expansion(const System&, int, double*) except +
        void features(const System&, int, double*) except +
        void features_backward(const System&, int, const double*, Vec3*, Mat3&) except +
        void feature_gradients(const System&, int, double*, double*) except +
        void design(const System&, int, double*, double*, double*) except +
        size_t n_parameters(int) except +
        void set_parameters(int, const vector[double]&) except +
        void parameter_gradient(const System&, int, int, const double*, double, const Vec3*, const Mat3&,
                                double*) except +

cdef extern from *:
    """
    static inline mlcalc::System make_system(const mlcalc::Atoms& atoms, const mlcalc::NeighborList& list,
                                                   mlcalc::Communicator& c, mlcalc::MeshBackendFactory& f) {
        return {atoms, list, c, f};
    }
    """
    System make_system(const Atoms&, const NeighborList&, Communicator&, MeshBackendFactory&) nogil

cdef extern from "core/model/safetensors.hpp" namespace "mlcalc" nogil:
    string model_checksum(const void* json, size_t json_size, const void* tensors, size_t tensors_size)

cdef extern from "python_bridge.hpp" namespace "mlcalc" nogil:
    struct PythonCalls:
        cbool (*sum)(void*, double*, size_t) noexcept
        cbool (*max)(void*, double*) noexcept
    cppclass PythonCommunicator(Communicator):
        PythonCommunicator(void*, PythonCalls, int, int)
    struct PythonMeshCalls:
        int (*make)(void*, const int*, int, int, int*) noexcept
        void (*release)(void*, int) noexcept
        cbool (*halo)(void*, int, cbool, double*, size_t, int) noexcept
        cbool (*transform)(void*, int, cbool, double*, size_t, double*, size_t, int) noexcept
    cppclass PythonMeshBackendFactory(MeshBackendFactory):
        PythonMeshBackendFactory(void*, PythonMeshCalls)
    struct FailureReport:
        cbool shared
    void compute_and_report(CPotential&, const Atoms&, const NeighborList&, Communicator&, MeshBackendFactory&, Results&,
                            int first_atom, FailureReport&) except +
    void check_views(const Atoms&, const NeighborList&, int n_pairs, int n_species) except +
