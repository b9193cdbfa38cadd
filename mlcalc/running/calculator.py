# SPDX-License-Identifier: BSD-3-Clause
"""The ASE calculator of a model file."""

from __future__ import annotations

import json
import os
import re
import warnings
from pathlib import Path

import numpy as np
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes, all_properties
from ase.stress import full_3x3_to_voigt_6_stress

from .._engine import Potential
from .boundaries import kind_of
from .extrapolation_watch import ExtrapolationWatch
from .neighbors import SkinNeighborList
from .parallel import Ranks, digest_of
from .tensors import NEUTRAL, TensorProperties, charge_of
from .views import species_index

STANDARD = ["energy", "free_energy", "energies", "forces", "stress", "stresses"]
SPREAD = ["energy_uncertainty", "energies_uncertainty", "committee_energy", "committee_energies"]
FORCE_SPREAD = ["forces_uncertainty", "stress_uncertainty", "committee_forces", "committee_stress"]
ON_REQUEST = {"stresses", "extrapolation", "energy_components", *SPREAD, *FORCE_SPREAD}
#: the limit "auto", in units of the largest force uncertainty of the training set
LIMIT_OF_LARGEST = 3.0
OF_ENERGY = [*STANDARD, "extrapolation", "energy_components", *SPREAD, *FORCE_SPREAD]
NEEDS_CELL = {"stress", "stresses", "stress_uncertainty", "committee_stress"}


class UncertaintyWarning(UserWarning):
    """Atoms are beyond the uncertainty that the user allows."""


class UncertaintyError(RuntimeError):
    """Atoms are beyond the uncertainty that the user allows: ``atoms`` are their indices, ``results`` the results that
    showed it."""

    def __init__(self, message, atoms, results):
        super().__init__(message)
        self.atoms = atoms
        self.results = results


class Results(dict):
    """Results of a calculation. Those that ASE knows are its entries, so that other programs can pass them on;
    ``extra`` has the others, and ``results[name]`` and ``name in results`` find both."""

    def __init__(self, results=()):
        super().__init__()
        self.extra: dict = {}
        for name, value in dict(results).items():
            self[name] = value

    def __setitem__(self, name, value):
        if name in all_properties:
            super().__setitem__(name, value)
        else:
            self.extra[name] = value

    def __missing__(self, name):
        return self.extra[name]

    def __contains__(self, name):
        return super().__contains__(name) or name in self.extra

    def get(self, name, default=None):
        return self[name] if name in self else default


class MLCalculator(Calculator):
    """Energy, forces, stress and uncertainty of a model, for ASE.

    ::

        atoms.calc = MLCalculator("model.mlcalc")

    Parameters
    ----------
    model
        Path of a ``*.mlcalc`` file, its contents as ``bytes``, or a :class:`mlcalc.Model`.
    skin
        The neighbor list reaches this far (Angstrom) beyond the cutoff and is kept until atoms have moved half of it.
        0 makes a new list at every call.
    comm
        An mpi4py communicator. Every rank then calls the calculator with the same atoms (compared by hash at every
        call) and gets the same result to the last bit; the work is divided. Threads and ranks can be combined.
    threads
        Threads of this process.
    uncertainty
        The largest uncertainty allowed: a number for the norm of ``forces_uncertainty`` of an atom (eV/Angstrom,
        committee models), "auto" for three times the largest in its training set, or a dict of names of per-atom
        results (``forces_uncertainty``, ``energies_uncertainty``, ``extrapolation``) and their limits, e.g.
        ``{"forces_uncertainty": 0.3, "extrapolation": 0.5}``. What is beyond it is told by ``on_uncertainty``:
        ``"warn"`` (once, an :class:`UncertaintyWarning` with the indices of the atoms) or ``"raise"``, an
        exception (:class:`UncertaintyError`).
    extrapolation
        Look at the first call for other atoms and at every hundredth whether an environment is where the model was
        trained, and warn once (:class:`UncertaintyWarning`) if its ``extrapolation`` is above 10, or above 3 at two
        looks in a row. Models that do not know the edge of their training set are not looked at.
    electric_field
        Three components in V/Angstrom: -dipole . field is part of the energy, with its forces and virial, for models
        with a dipole and neutral systems.
    lode, accuracy, mesh, order, split, k_cutoff, memory_limit
        How the far field is computed: ``lode`` is "auto", "ksum", "mesh" or "free", ``accuracy`` the relative error of
        the forces that pass through it; ``mesh`` integers and ``order`` set by hand override it. ``split`` is the
        radius (Angstrom) of the share that is summed over neighbors, 0 for none, "auto" for the cutoff of the densities
        where this is estimated to be faster. ``memory_limit`` is the
        largest number of bytes that the far field may take in each process. The integers of the k list or
        mesh are chosen at the first call and kept while the number of atoms, the species and the periodicity
        stay and their spacing drifts by less than 10 %, so that a relaxation or an equation of state sees one smooth
        energy; ``reset()`` lets the next call choose anew.

    Notes
    -----
    Results, always: ``energy``, ``free_energy`` (the same), ``energies`` (n,), ``forces`` (n, 3), and ``stress`` (6,)
    where the cell has three vectors. ``stresses`` (n, 6) sum to the stress; they and what follows are computed once
    asked for, and from then on with everything else. Of a committee, with its calibration applied: ``committee_energy``
    (K,), ``committee_energies`` (K, n), ``committee_forces`` (K, n, 3), ``committee_stress`` (K, 6), and the standard
    deviations over the members (K - 1 in the denominator) ``energy_uncertainty``, ``energies_uncertainty`` (n,),
    ``forces_uncertainty`` (n, 3), ``stress_uncertainty`` (6,). ``extrapolation`` (n,) tells how far an environment is
    from the training set, ``energy_components`` (3,) are the short range, the terms with the far field, and the
    baseline (reference energies, pair potentials). Of each tensor output NAME of the model: ``NAME``, ``NAME_atoms``,
    ``NAME_gradient`` (n, .., 3), of a committee ``committee_NAME`` and ``NAME_uncertainty``; of a dipole also
    ``polarization`` (per volume) and ``born_effective_charges`` (n, 3, 3), [i, a, b] = d dipole_a / d r_ib. A model of
    tensors alone has no energy. ``get_property(name, atoms)`` gives any of them; ``results`` passes
    on (``**calc.results``, trajectories) only the names that ASE knows, ``results.extra`` has the others. Units are
    eV and Angstrom.
    """

    def __init__(
        self,
        model,
        *,
        skin: float = 1.0,
        comm=None,
        threads: int = 1,
        uncertainty=None,
        on_uncertainty: str = "warn",
        extrapolation: bool = True,
        electric_field=(0.0, 0.0, 0.0),
        lode: str = "auto",
        accuracy: float = 1e-5,
        mesh=(0, 0, 0),
        order: int = 0,
        split: float | str = "auto",
        k_cutoff: float = 0.0,
        memory_limit: int = 4 << 30,
    ):
        super().__init__()
        if not (isinstance(threads, int | np.integer) and threads >= 1):
            raise ValueError(f"threads must be an integer of at least 1, got {threads!r}")
        engine = {"lode": lode, "accuracy": accuracy, "mesh": tuple(mesh), "order": order, "split": split}
        engine |= {"k_cutoff": k_cutoff, "memory_limit": memory_limit, "n_threads": threads}
        engine["electric_field"] = _vector(electric_field)
        if comm is None:
            self._ranks = None
            self._model, source = _read(model)
            self._start(source, engine, skin, uncertainty, on_uncertainty, extrapolation)
        else:
            self._ranks = Ranks(comm)
            with self._ranks.together():
                self._model, source = _read(model)
                self._start(source, engine, skin, uncertainty, on_uncertainty, extrapolation)
            settings = str((engine, skin, uncertainty, on_uncertainty, extrapolation))
            self._ranks.agree(digest_of(self._model, settings), "the model or the options")

    def _start(self, source, engine, skin, uncertainty, on_uncertainty, extrapolation):
        self._arguments = (source, engine, skin, uncertainty, on_uncertainty, extrapolation)
        self.parameters.update({"model": source, "skin": skin, **engine})
        self.potential = Potential(self._model, source, comm=self._ranks, **engine)
        self.neighbors = SkinNeighborList(self.potential.cutoff, skin)
        description = _description(self._model)
        far_field = any(expansion["type"] == "potential" for expansion in description["expansions"])
        self._far_field = far_field
        self._boundaries = description["boundaries"] if far_field else []
        regressors = [term["regressor"] or {} for term in description["terms"]]
        self.has_extrapolation = any(r.get("type") == "kernel" or r.get("leverage") for r in regressors)
        self._spread_scale = description["committee"]["scale"] if description["committee"] else 1.0
        self.n_members = self.potential.n_members
        outputs = description.get("outputs", [])
        self.tensors = TensorProperties(outputs, self.potential.species, self.n_members, source, OF_ENERGY)
        self._has_energy = self.potential.has_energy
        of_energy = OF_ENERGY if self.n_members > 1 else STANDARD + ["extrapolation", "energy_components"]
        self.implemented_properties = (of_energy if self._has_energy else []) + list(self.tensors.needs)
        if isinstance(uncertainty, str):
            uncertainty = _limit_of_training(uncertainty, description, source)
        self._limits = _limits(uncertainty, on_uncertainty, self.implemented_properties)
        self._raises = on_uncertainty == "raise"
        self._extra = set(self._limits)
        self._watch = ExtrapolationWatch(description, extrapolation and "extrapolation" not in self._limits)
        self._look = False
        self._known_species = self.potential.species
        self._numbers = None
        self._warned = set()

    def __getstate__(self):
        if self._ranks is not None:
            raise TypeError("a calculator with an MPI communicator cannot be pickled; make one on each rank")
        return {"model": self._model, "arguments": self._arguments}

    def __setstate__(self, state):
        super().__init__()
        self._ranks = None
        self._model = state["model"]
        self._start(*state["arguments"])

    def reset(self):
        """Forget results, neighbor list, and the integers of the far field's k list or mesh."""
        super().reset()
        self.potential.reset()
        self.neighbors.reset()
        self._extra = set(self._limits)

    def set(self, **kwargs):
        if kwargs:
            raise TypeError("the options of an MLCalculator are fixed when it is made; make a new one")
        return {}

    def check_state(self, atoms, tol=0.0):
        """What of the atoms differs from those of the results. Charges, magnetic moments and tags mean nothing here."""
        old = self.atoms
        if old is None or len(old) != len(atoms):
            return list(all_changes)
        same = {
            "positions": np.array_equal(old.positions, atoms.positions),
            "numbers": np.array_equal(old.numbers, atoms.numbers),
            "cell": np.array_equal(old.cell.array, atoms.cell.array),
            "pbc": np.array_equal(old.pbc, atoms.pbc),
        }
        return [change for change, is_same in same.items() if not is_same]

    def get_property(self, name, atoms=None, allow_calculation=True):
        if atoms is None and self.atoms is None:
            raise ValueError(f"there are no atoms to compute {name} of; pass them or ask the Atoms object")
        if self._ranks is not None and allow_calculation:
            system = self.atoms if atoms is None else atoms
            needed = name not in self.results or bool(atoms is not None and self.check_state(atoms))
            if self._ranks.agree(_digest(system, name), f"the atoms or the property ({name})", needed):
                self.results = {}
        if name in OF_ENERGY and not self._has_energy:
            tensors = ", ".join(self.tensors.outputs)
            raise PropertyNotImplementedError(f"this model has no energy, so there is no {name}; it has {tensors}")
        self.tensors.refuse(name, self.atoms if atoms is None else atoms)
        if allow_calculation and name in NEEDS_CELL and (self.atoms if atoms is None else atoms).cell.rank < 3:
            raise PropertyNotImplementedError(f"{name} needs a cell with three vectors; this system has none")
        return super().get_property(name, atoms, allow_calculation)

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        if atoms is None:
            atoms = self.atoms
        self.atoms = atoms.copy()
        self.results = {}
        self._extra.update(
            (ON_REQUEST | self.tensors.needs.keys()).intersection(properties, self.implemented_properties)
        )
        if any(self.parameters["electric_field"]) and abs(charge_of(atoms)) > NEUTRAL:
            raise ValueError(
                f"the system has the charge {charge_of(atoms):g}: its energy in an electric field depends on the "
                "origin, and the forces of this model would miss that on the charge"
            )
        self._warn_of_boundaries(atoms)
        self._look = self._watch.is_due(atoms.numbers)
        raw = self._compute(atoms) if self._ranks is None else self._compute_divided(atoms)
        results = self._results(raw, atoms)
        self._warn_of_mesh()
        self._check_uncertainty(results)
        if self._look and (message := self._watch.message(results["extrapolation"])):
            self._warn_once("watch", message, UncertaintyWarning)
        self.results = results

    def _request(self):
        """What to ask of the engine beyond energies and forces."""
        forces = bool(self._extra.intersection(FORCE_SPREAD))
        return {
            "energies": self._has_energy,
            "forces": self._has_energy,
            **self.tensors.request(self._extra),
            "atom_virials": "stresses" in self._extra,
            "members": forces or bool(self._extra.intersection(SPREAD)),
            "member_forces": forces,
            "extrapolation": self._look or "extrapolation" in self._extra,
        }

    def _compute(self, atoms):
        cell, pbc = atoms.cell.array, atoms.pbc
        species = self._species(atoms)
        first, j, r_ij = self.neighbors.update(atoms.positions, cell, pbc)
        return self.potential.compute(species, atoms.positions, cell, pbc, first, j, r_ij, **self._request())

    def _compute_divided(self, atoms):
        """As ``_compute``: this rank's block of atoms comes first, the results are those of all ranks."""
        ranks, n = self._ranks, len(atoms)
        begin, end = ranks.block(n)
        request = self._request()
        ranks.agree(_digest(atoms, str(request)), "the atoms")
        with ranks.together():
            species = np.roll(self._species(atoms), -begin)
            positions = np.roll(atoms.positions, -begin, axis=0)
            cell, pbc = atoms.cell.array, atoms.pbc
            pairs = self.neighbors.update(atoms.positions, cell, pbc, (begin, end))
        with ranks.together(collective=self._far_field):
            mine = self.potential.compute(
                species, positions, cell, pbc, *pairs, n_local=end - begin, first_atom=begin, **request
            )
        return _gather(mine, ranks, begin, end, n, self.n_members, self.tensors.shapes(n, mine))

    def _species(self, atoms):
        """Index into the model's species of every atom, kept while the atoms are the same."""
        numbers = atoms.numbers
        if self._numbers is None or not np.array_equal(numbers, self._numbers):
            owner = f"the model {self.parameters['model']}"
            indices = species_index(self._known_species, numbers, owner)
            self._numbers, self._indices = numbers.copy(), indices
        return self._indices

    def _results(self, raw, atoms):
        """The fresh dict of results from what the engine returned."""
        tensors = self.tensors.results(raw, atoms)
        if not self._has_energy:
            return Results(tensors)
        energies = raw["energies"]
        energy = float(energies.sum())
        results = Results({"energy": energy, "free_energy": energy, "energies": energies, "forces": raw["forces"]})
        if atoms.cell.rank == 3:
            volume = atoms.get_volume()
            results["stress"] = full_3x3_to_voigt_6_stress(-raw["virial"] / volume)
            if "atom_virials" in raw:
                results["stresses"] = full_3x3_to_voigt_6_stress(-raw["atom_virials"] / volume)
        if "extrapolation" in raw:
            results["extrapolation"] = raw["extrapolation"]
        if "energy_components" in self._extra:
            results["energy_components"] = raw["components"]
        if "member_energies" in raw:
            members = self._calibrated(raw["member_energies"].T)
            results["committee_energies"] = members
            results["energies_uncertainty"] = members.std(axis=0, ddof=1)
            results["committee_energy"] = members.sum(axis=1)
            results["energy_uncertainty"] = float(results["committee_energy"].std(ddof=1))
        if "member_forces" in raw:
            members = self._calibrated(raw["member_forces"])
            results["committee_forces"] = members
            results["forces_uncertainty"] = members.std(axis=0, ddof=1)
            if atoms.cell.rank == 3:
                members = self._calibrated(full_3x3_to_voigt_6_stress(-raw["member_virials"] / volume))
                results["committee_stress"] = members
                results["stress_uncertainty"] = members.std(axis=0, ddof=1)
        for name, value in tensors.items():
            results[name] = value
        return results

    def _calibrated(self, members):
        """Members (K, ...) with their distance from the mean scaled by the committee's calibration
        [Musil et al., JCTC 15, 906 (2019)]."""
        mean = members.mean(axis=0)
        return mean + self._spread_scale * (members - mean)

    def _check_uncertainty(self, results):
        for name, limit in self._limits.items():
            values = results[name] if results[name].ndim == 1 else np.linalg.norm(results[name], axis=1)
            beyond = np.flatnonzero(~(values <= limit))
            if len(beyond) == 0:
                continue
            worst = int(beyond[np.argmax(values[beyond])])
            message = (
                f"{name} is above {limit:g} for atoms {_some(beyond)}: up to {values[worst]:.3g} for atom {worst}; "
                "the model was not trained for such an environment"
            )
            if self._raises:
                raise UncertaintyError(message, beyond, results)
            self._warn_once(name, message, UncertaintyWarning)

    def _warn_of_boundaries(self, atoms):
        trained = self._boundaries
        kind = kind_of(atoms.pbc)
        if trained and kind not in trained:
            self._warn_once(
                "boundaries",
                f"this system has {kind} boundaries, but the model was trained with {' and '.join(trained)} ones; its "
                "far field may mean something else here",
                UserWarning,
            )

    def _warn_of_mesh(self):
        """A mesh set by hand is obeyed; that it is far from the accuracy is said."""
        if not any(self.parameters["mesh"]) or "mesh" in self._warned:
            return
        found = re.findall(r"estimated relative force error ([0-9.e+-]+)", self.summary())
        estimate, accuracy = max(map(float, found), default=0.0), self.parameters["accuracy"]
        if estimate > accuracy:
            self._warn_once(
                "mesh",
                f"the mesh {tuple(self.parameters['mesh'])} set by hand has an estimated relative force error of "
                f"{estimate:.1e}, above the accuracy {accuracy:.1e}; without mesh= it is chosen by the accuracy",
                UserWarning,
            )

    def _warn_once(self, about, message, category):
        if about not in self._warned and (self._ranks is None or self._ranks.rank == 0):
            warnings.warn(message, category, stacklevel=2)
        self._warned.add(about)

    def summary(self) -> str:
        """One line of the model, the evaluator of its far field, and the kernels in use."""
        return self.potential.summary()


def _read(model):
    """The bytes of a model file and what to call it."""
    if isinstance(model, bytes | bytearray | memoryview):
        return bytes(model), "<memory>"
    if hasattr(model, "to_bytes") and not isinstance(model, int):
        return model.to_bytes(), "<memory>"
    try:
        path = Path(os.fspath(model))
    except TypeError:
        raise TypeError(f"model must be a path, bytes or a Model, got {type(model).__name__}") from None
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a directory; give the path of a .mlcalc file")
    if not path.exists():
        raise FileNotFoundError(f"there is no model file {path}")
    return path.read_bytes(), str(path)


def _description(model: bytes):
    """The JSON document of a model file that the engine has checked."""
    size = int.from_bytes(model[:8], "little")
    return json.loads(json.loads(model[8 : 8 + size])["__metadata__"]["mlcalc"])


def _limit_of_training(word, description, source) -> float:
    """The limit "auto"."""
    if word != "auto":
        raise ValueError(f"uncertainty must be a number, 'auto' or a dict of limits, got {word!r}")
    spread = description["provenance"].get("force_uncertainty", {}).get("train")
    if not spread:
        raise ValueError(
            f"{source} does not know the uncertainties of its training set, so there is no limit 'auto'; train a "
            "committee anew, or give a number in eV/Angstrom"
        )
    return LIMIT_OF_LARGEST * spread["max"]


def _limits(uncertainty, on_uncertainty, available):
    if on_uncertainty not in ("warn", "raise"):
        raise ValueError(f"on_uncertainty must be 'warn' or 'raise', got {on_uncertainty!r}")
    if uncertainty is None:
        return {}
    limits = uncertainty if isinstance(uncertainty, dict) else {"forces_uncertainty": uncertainty}
    for name, limit in limits.items():
        if name not in ("energies_uncertainty", "forces_uncertainty", "extrapolation"):
            raise ValueError(f"{name} is not a per-atom uncertainty to set a limit on")
        if name not in available:
            raise ValueError(f"a limit on {name} needs a model with a committee")
        if not float(limit) >= 0:
            raise ValueError(f"the limit on {name} must be 0 or more, got {limit}")
    return {name: float(limit) for name, limit in limits.items()}


def _vector(values):
    """Three finite numbers. Raises ValueError."""
    try:
        vector = tuple(float(x) for x in values)
    except TypeError:
        vector = ()
    if len(vector) != 3 or not np.isfinite(vector).all():
        raise ValueError(f"electric_field must be three numbers in V/Angstrom, got {values!r}")
    return vector


def _digest(atoms, what):
    return digest_of(what, atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc)


def _gather(mine, ranks, begin, end, n, n_members, of_tensors):
    """The sum over ranks of results in each rank's numbering, in the numbering of the atoms."""
    shapes = {
        "energies": ((n,), 0),
        "forces": ((n, 3), 0),
        "virial": ((3, 3), None),
        "atom_virials": ((n, 3, 3), 0),
        "member_energies": ((n, n_members), 0),
        "member_forces": ((n_members, n, 3), 1),
        "member_virials": ((n_members, 3, 3), None),
        "extrapolation": ((n,), 0),
        "components": ((3,), None),
    }
    shapes = {name: shapes[name] for name in shapes if name in mine} | of_tensors
    buffer = np.zeros(sum(int(np.prod(shape)) for shape, _ in shapes.values()))
    total, offset = {}, 0
    for name, (shape, axis) in shapes.items():
        size = int(np.prod(shape))
        total[name] = buffer[offset : offset + size].reshape(shape)
        offset += size
        if axis is None:
            total[name][...] = mine[name]
        elif mine[name].shape[axis] == n:
            total[name][...] = np.roll(mine[name], begin, axis=axis)
        else:
            total[name][begin:end] = mine[name]
    ranks.sum_exactly_alike(buffer)
    return {name: array.copy() for name, array in total.items()}


def _some(indices, most=10):
    listed = ", ".join(map(str, indices[:most]))
    return listed if len(indices) <= most else f"{listed} and {len(indices) - most} more"
