# SPDX-License-Identifier: BSD-3-Clause
# Energies, features and training rows of a model.

def split_option(split):
    """The radius of the near part as the core takes it: 0 is none, -1 is chosen. Raises ValueError."""
    if split == "auto":
        return -1.0
    if isinstance(split, bool) or not isinstance(split, (int, float, np.number)) or not split >= 0:
        raise ValueError(f"split must be 'auto', 0 or a radius in Angstrom, got {split!r}")
    return float(split)


@cython.no_gc_clear
cdef class Potential:
    """Energies, forces and virials of a model; the one engine behind the ASE calculator and, in C++, the LAMMPS pair style.

    ``model`` are the bytes of a model file, ``source`` its name for messages. ``lode`` chooses how the far field is
    evaluated ("auto", "ksum", "mesh", "free"), ``accuracy`` is the requested relative error of the forces through it;
    ``mesh``, ``order`` and ``k_cutoff`` override what follows from the accuracy; ``split``
    is the radius (Angstrom) of the share of the far field that is summed over neighbors, 0 for none, "auto" for that of
    the densities if it saves time. ``electric_field`` (V/Angstrom) acts on the output ``dipole``. ``comm`` is an object with ``rank``, ``size``,
    ``sum(array)`` in place, ``max(value)`` and ``mesh(shape, below, above)``, as mlcalc.parallel.Ranks; None for
    one process.

    Raises RuntimeError with one sentence naming the file and the field if the model file is not valid.
    """
    cdef unique_ptr[CPotential] potential
    cdef unique_ptr[Descriptor] descriptor  # made when features are first asked for
    cdef shared_ptr[const Model] parsed
    cdef PotentialOptions options
    cdef unique_ptr[Communicator] communicator
    cdef unique_ptr[MeshBackendFactory] mesh_factory
    cdef Bridge bridge
    cdef bint busy
    cdef dict mixing  # of the layers for which set_mixing was called

    def __cinit__(self, const unsigned char[::1] model not None, str source="<memory>", *, str lode="auto",
                   double accuracy=1e-5, mesh=(0, 0, 0), int order=0, split="auto", double k_cutoff=0.0,
                   memory_limit=4 << 30, int n_threads=1, electric_field=(0.0, 0.0, 0.0), comm=None):
        methods = {"auto": <int> FarFieldMethod.automatic, "ksum": <int> FarFieldMethod.ksum,
                   "mesh": <int> FarFieldMethod.mesh, "free": <int> FarFieldMethod.free}
        if lode not in methods:
            raise ValueError(f"lode must be one of {', '.join(methods)}, got {lode!r}")
        cdef PotentialOptions options
        cdef int method = methods[lode]
        options.far_field.method = <FarFieldMethod> method
        options.far_field.accuracy = accuracy
        for axis in range(3):
            options.far_field.mesh[axis] = mesh[axis]
        options.far_field.order = order
        options.far_field.split = split_option(split)
        options.far_field.k_cutoff = k_cutoff
        options.far_field.memory_limit = memory_limit
        options.n_threads = options.far_field.n_threads = n_threads
        for axis in range(3):
            options.electric_field[axis] = electric_field[axis]
        cdef string name = source.encode()
        self.mixing = {}
        self.parsed = parse_model(&model[0] if model.shape[0] else NULL, model.shape[0], name)
        self.options = options
        self.potential.reset(new CPotential(self.parsed, options))
        self.bridge = Bridge()
        self.bridge.communicator = comm
        cdef PythonCalls calls
        calls.sum = call_sum
        calls.max = call_max
        cdef PythonMeshCalls mesh_calls
        mesh_calls.make = make_mesh
        mesh_calls.release = release_mesh
        mesh_calls.halo = exchange_halo
        mesh_calls.transform = transform
        if comm is None:
            self.communicator.reset(new Communicator())
            self.mesh_factory.reset(new SerialMeshFactory(n_threads))
        else:
            self.mesh_factory.reset(new PythonMeshBackendFactory(<void*> self.bridge, mesh_calls))
            self.communicator.reset(new PythonCommunicator(<void*> self.bridge, calls, comm.rank, comm.size))

    def __dealloc__(self):
        # before the bridge goes: their meshes are released through it
        self.potential.reset()
        self.descriptor.reset()

    @property
    def cutoff(self):
        """The largest cutoff of the short range in Angstrom; 0 if the model has none."""
        return self.potential.get().cutoff()

    @property
    def species(self):
        """Atomic numbers of the species, ascending."""
        return np.array(self.potential.get().model().species, dtype=np.int32)

    @property
    def n_members(self):
        """Number of committee members; 1 without a committee."""
        return self.potential.get().model().n_members

    @property
    def term_names(self):
        return [term.name.decode() for term in self.potential.get().model().terms]

    @property
    def has_energy(self):
        """False for a model of tensors alone."""
        return self.potential.get().model().has_energy

    @property
    def outputs(self):
        """{name: number of Cartesian components} of the tensors, in the order of the model."""
        return {out.name.decode(): out.n_components() for out in self.potential.get().model().outputs}

    def n_features(self, int term=0):
        """Number of features of a term, after selection."""
        cdef const vector[Term]* terms = &self.potential.get().model().terms
        if not 0 <= term < <int> terms.size():
            raise IndexError(f"the model has {terms.size()} terms, got index {term}")
        return terms[0][term].n_features

    def summary(self):
        """What the engine chose: instruction set, threads, evaluator of the far field.

        Raises RuntimeError while another thread computes.
        """
        self.check_idle()
        return self.potential.get().summary().decode()

    def reset(self):
        """Forgets the k list or mesh integers; the next computation chooses them anew.

        Raises RuntimeError while another thread computes.
        """
        self.check_idle()
        self.potential.get().reset()

    def compute(self, species, positions, cell, pbc, first, j, r_ij, *, n_local=None, origin=(0.0, 0.0, 0.0),
                int first_atom=0, bint energies=True, bint forces=True, bint atom_virials=False, bint members=False,
                bint member_forces=False, bint extrapolation=False, tensors=(), tensor_members=(),
                tensor_derivatives=()):
        """Energies and their derivatives, as a dictionary of arrays in eV and Angstrom.

        ``species`` (n_all,) are indices into ``self.species`` (-1: neither center nor source), ``first``
        (n_local + 1,), ``j`` (n_pairs,) and ``r_ij`` (n_pairs, 3) the full neighbor list. With ``energies``: energies
        (n_local,). Always: components (3,): short range, far field, baseline; seconds (2,): short range, far field. With ``forces``:
        forces (n_all, 3) and virial (3, 3) = -dE/d(strain). With ``atom_virials``: atom_virials (n_local, 3, 3). With
        ``members``: member_energies (n_local, n_members). With ``member_forces``: member_forces (n_members, n_all, 3)
        and member_virials (n_members, 3, 3). With ``extrapolation``: extrapolation (n_local,). Of the outputs named in ``tensors``: the shares of the centers as
        "NAME" (n_local, n_components); in ``tensor_members``: "NAME members" (n_local, n_members, n_components); in
        ``tensor_derivatives``: "NAME derivatives" (n_components, n_all, 3) of the sum over centers, and "NAME strain"
        (n_components, 3, 3). Without ``energies``, ``forces`` and what is theirs, the energy is not computed.

        Raises ValueError for arguments that do not fit together and for atoms the model cannot describe; it counts atoms
        from ``first_atom`` on, and on after the last from 0. On several ranks an exception has the attribute
        ``on_every_rank`` if every rank raises one.
        """
        cdef Views views = Views(species, positions, cell, pbc, first, j, r_ij, n_local, origin)
        cdef Results results
        cdef FailureReport report
        n, n_all, n_members = views.atoms.n_local, views.atoms.n_all, self.n_members
        out = {}
        if energies:
            out["energies"] = np.zeros(n)
            results.energies = <double*> data(out["energies"])
        if forces:
            out["forces"] = np.zeros((n_all, 3))
            results.forces = <Vec3*> data(out["forces"])
        if atom_virials:
            out["atom_virials"] = np.zeros((n, 3, 3))
            results.atom_virials = <Mat3*> data(out["atom_virials"])
        if members:
            out["member_energies"] = np.zeros((n, n_members))
            results.member_energies = <double*> data(out["member_energies"])
        if member_forces:
            out["member_forces"] = np.zeros((n_members, n_all, 3))
            out["member_virials"] = np.zeros((n_members, 3, 3))
            results.member_forces = <Vec3*> data(out["member_forces"])
            results.member_virials = <Mat3*> data(out["member_virials"])
        if extrapolation:
            out["extrapolation"] = np.zeros(n)
            results.extrapolation = <double*> data(out["extrapolation"])
        self.request_tensors(results, out, n, n_all, tensors, tensor_members, tensor_derivatives)
        self.enter(views)
        try:
            with nogil:
                compute_and_report(self.potential.get()[0], views.atoms, views.neighbors, self.communicator.get()[0],
                                   self.mesh_factory.get()[0], results, first_atom, report)
        except Exception as error:
            error.on_every_rank = report.shared
            raise
        finally:
            self.leave()
        if forces:
            out["virial"] = matrix(results.virial)
        out["components"] = np.array([results.components[k] for k in range(3)])
        out["seconds"] = np.array([results.seconds[k] for k in range(2)])
        return out

    cdef request_tensors(self, Results& results, dict out, n, n_all, tensors, members, derivatives):
        """Arrays for the outputs, put into ``out`` and asked for in the results."""
        cdef TensorResults request
        sizes = self.outputs
        for name in {**dict.fromkeys(tensors), **dict.fromkeys(members), **dict.fromkeys(derivatives)}:
            if name not in sizes:
                known = ", ".join(sizes) or "none"
                raise ValueError(f"the model has no output {name!r}; it has {known}")
            request = TensorResults()
            request.output = list(sizes).index(name)
            if name in tensors:
                out[name] = np.zeros((n, sizes[name]))
                request.values = <double*> data(out[name])
            if name in members:
                out[f"{name} members"] = np.zeros((n, self.n_members, sizes[name]))
                request.member_values = <double*> data(out[f"{name} members"])
            if name in derivatives:
                out[f"{name} derivatives"] = np.zeros((sizes[name], n_all, 3))
                out[f"{name} strain"] = np.zeros((sizes[name], 3, 3))
                request.derivatives = <Vec3*> data(out[f"{name} derivatives"])
                request.strain = <Mat3*> data(out[f"{name} strain"])
            results.tensors.push_back(request)

    cdef Descriptor* describe(self) except NULL:
        cdef vector[double] values
        if self.descriptor.get() == NULL:
            self.descriptor.reset(new Descriptor(self.parsed, self.options.far_field))
            for layer, matrices in self.mixing.items():
                values = matrices
                self.descriptor.get().set_parameters(layer, values)
        return self.descriptor.get()

    def n_basis(self, int term=0):
        """Number of columns of ``design``: over the center species, features (linear) or sparse points (kernel)."""
        return self.describe().n_basis(term)

    def expansion(self, species, positions, cell, pbc, first, j, r_ij, *, str name, n_local=None,
                  origin=(0.0, 0.0, 0.0)):
        """Coefficients c[i, a, n, lm] of an expansion or a layer (a its channels, one n), (n_local, n_channels, n_max, (l_max + 1)**2), lm = l*l + l + m.

        Arguments as for ``compute``. Raises ValueError for a name that is no expansion of this model.
        """
        cdef Views views = Views(species, positions, cell, pbc, first, j, r_ij, n_local, origin)
        cdef Descriptor* descriptor = self.describe()
        cdef int index = descriptor.find(name.encode())
        cdef CoefficientShape shape = descriptor.shape(index)
        out = np.zeros((views.atoms.n_local, shape.n_channels, shape.n_max, shape.n_lm()))
        cdef double* c = <double*> data(out)
        self.enter(views)
        try:
            with nogil:
                descriptor.expansion(make_system(views.atoms, views.neighbors, self.communicator.get()[0],
                                                    self.mesh_factory.get()[0]), index, c)
        except MemoryError:
            self.descriptor.reset()  # what it keeps may be half made
            raise
        finally:
            self.leave()
        return out

    def features(self, species, positions, cell, pbc, first, j, r_ij, *, int term=0, n_local=None,
                 origin=(0.0, 0.0, 0.0)):
        """Features p of a term, (n_local, n_features), after scale and selection, before the normalization of a kernel.

        Arguments as for ``compute``; the order of features is that of docs/file-format.md.
        """
        cdef Views views = Views(species, positions, cell, pbc, first, j, r_ij, n_local, origin)
        cdef Descriptor* descriptor = self.describe()
        out = np.zeros((views.atoms.n_local, descriptor.n_features(term)))
        cdef double* p = <double*> data(out)
        self.enter(views)
        try:
            with nogil:
                descriptor.features(make_system(views.atoms, views.neighbors, self.communicator.get()[0],
                                                   self.mesh_factory.get()[0]), term, p)
        except MemoryError:
            self.descriptor.reset()  # what it keeps may be half made
            raise
        finally:
            self.leave()
        return out

    def features_backward(self, species, positions, cell, pbc, first, j, r_ij, *, p_adj, int term=0, n_local=None,
                          origin=(0.0, 0.0, 0.0)):
        """(dE/dr (n_all, 3), dE/d(strain) (3, 3)) of any function E of the features with dE/dp = p_adj
        (n_local, n_features). Arguments as for ``compute``."""
        cdef Views views = Views(species, positions, cell, pbc, first, j, r_ij, n_local, origin)
        cdef Descriptor* descriptor = self.describe()
        cdef cnp.ndarray adjoint = array(p_adj, np.float64, "p_adj", (views.atoms.n_local, descriptor.n_features(term)))
        gradient = np.zeros((views.atoms.n_all, 3))
        strain = np.zeros((3, 3))
        cdef const double* p = <const double*> data(adjoint)
        cdef Vec3* g = <Vec3*> data(gradient)
        cdef Mat3* s = <Mat3*> data(strain)
        self.enter(views)
        try:
            with nogil:
                descriptor.features_backward(make_system(views.atoms, views.neighbors, self.communicator.get()[0],
                                                            self.mesh_factory.get()[0]), term, p, g, s[0])
        except MemoryError:
            self.descriptor.reset()  # what it keeps may be half made
            raise
        finally:
            self.leave()
        return gradient, strain

    def feature_gradients(self, species, positions, cell, pbc, first, j, r_ij, *, int term=0, n_local=None,
                          origin=(0.0, 0.0, 0.0)):
        """dp_i/dr_j, (n_local, n_features, n_all, 3), and dp_i/d(strain), (n_local, n_features, 3, 3); dense, for tests
        and small systems. Arguments as for ``compute``, one process only."""
        cdef Views views = Views(species, positions, cell, pbc, first, j, r_ij, n_local, origin)
        cdef Descriptor* descriptor = self.describe()
        cdef size_t n_features = descriptor.n_features(term)
        gradient = np.zeros((views.atoms.n_local, n_features, views.atoms.n_all, 3))
        strain = np.zeros((views.atoms.n_local, n_features, 3, 3))
        cdef double* g = <double*> data(gradient)
        cdef double* s = <double*> data(strain)
        self.enter(views)
        try:
            with nogil:
                descriptor.feature_gradients(make_system(views.atoms, views.neighbors, self.communicator.get()[0],
                                                            self.mesh_factory.get()[0]), term, g, s)
        except MemoryError:
            self.descriptor.reset()  # what it keeps may be half made
            raise
        finally:
            self.leave()
        return gradient, strain

    def design(self, species, positions, cell, pbc, first, j, r_ij, *, int term=0, n_local=None,
               origin=(0.0, 0.0, 0.0)):
        """Training rows: the derivatives of E, dE/dr and dE/d(strain) with respect to each weight of the term's regressor.

        Arrays (n_basis,), (n_all, 3, n_basis), (3, 3, n_basis); the weights run over center species, then over features
        (linear) or sparse points (kernel). Arguments as for ``compute``, one process only.
        """
        cdef Views views = Views(species, positions, cell, pbc, first, j, r_ij, n_local, origin)
        cdef Descriptor* descriptor = self.describe()
        cdef size_t n_basis = descriptor.n_basis(term)
        energy = np.empty(n_basis)
        gradient = np.empty((views.atoms.n_all, 3, n_basis))
        strain = np.empty((3, 3, n_basis))
        cdef double* e = <double*> data(energy)
        cdef double* g = <double*> data(gradient)
        cdef double* s = <double*> data(strain)
        self.enter(views)
        try:
            with nogil:
                descriptor.design(make_system(views.atoms, views.neighbors, self.communicator.get()[0],
                                                 self.mesh_factory.get()[0]), term, e, g, s)
        except MemoryError:
            self.descriptor.reset()  # what it keeps may be half made
            raise
        finally:
            self.leave()
        return energy, gradient, strain

    def set_mixing(self, matrices, int layer=0):
        """Replaces the matrices of a layer in what describes and trains: features, design and mixing_gradient.
        ``compute`` goes on with those of the model."""
        self.check_idle()
        flat = np.ascontiguousarray(matrices, dtype=np.float64).ravel()
        cdef vector[double] values = flat
        self.describe().set_parameters(layer, values)
        self.mixing[layer] = flat.copy()

    def mixing_gradient(self, species, positions, cell, pbc, first, j, r_ij, *, weights, double energy, displacements,
                        strain, int term=0, int layer=0, n_local=None, origin=(0.0, 0.0, 0.0)):
        """The derivative of energy * E + dE along ``displacements`` (n_all, 3) and ``strain`` (3, 3), E the energy of a
        linear term with ``weights`` (n_species, n_features), with respect to the matrices of a layer, flat. Arguments
        as for ``compute``, one process only."""
        cdef Views views = Views(species, positions, cell, pbc, first, j, r_ij, n_local, origin)
        cdef Descriptor* descriptor = self.describe()
        n_species = self.potential.get().model().species.size()
        cdef cnp.ndarray w = array(weights, np.float64, "weights", (n_species, descriptor.n_features(term)))
        cdef cnp.ndarray d = array(displacements, np.float64, "displacements", (views.atoms.n_all, 3))
        cdef cnp.ndarray e = array(strain, np.float64, "strain", (3, 3))
        out = np.zeros(descriptor.n_parameters(layer))
        cdef const double* w_ = <const double*> data(w)
        cdef const Vec3* d_ = <const Vec3*> data(d)
        cdef const Mat3* e_ = <const Mat3*> data(e)
        cdef double* o = <double*> data(out)
        self.enter(views)
        try:
            with nogil:
                descriptor.parameter_gradient(make_system(views.atoms, views.neighbors, self.communicator.get()[0],
                                                          self.mesh_factory.get()[0]), term, layer, w_, energy, d_,
                                              e_[0], o)
        except MemoryError:
            self.descriptor.reset()  # what it keeps may be half made
            raise
        finally:
            self.leave()
        return out

    cdef enter(self, Views views):
        """Before the core is called: checks the indices, and that no other thread is in the same engine."""
        self.check_idle()
        check_views(views.atoms, views.neighbors, views.n_pairs, self.potential.get().model().species.size())
        self.busy = True

    cdef check_idle(self):
        if self.busy:
            raise RuntimeError("this Potential is already computing in another thread; give each thread its own")

    cdef leave(self):
        """After the core was called: an exception of the communicator is the one that the caller sees."""
        self.busy = False
        error, self.bridge.error = self.bridge.error, None
        if error is not None:
            raise error
