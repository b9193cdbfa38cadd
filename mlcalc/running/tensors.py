# SPDX-License-Identifier: BSD-3-Clause
"""What the tensor outputs of a model are called in ASE, and how they are made of what the engine returns."""

from __future__ import annotations

import numpy as np
from ase.calculators.calculator import PropertyNotImplementedError

from ..model.outputs import SHAPES, n_components

#: a net charge up to this is none
NEUTRAL = 1e-6


class TensorProperties:
    """The properties of the outputs of a model, an entry ``outputs`` of its description.

    Of an output NAME: its sum NAME, the shares of atoms ``NAME_atoms`` (n, ..), the derivative with respect to
    positions ``NAME_gradient`` (n, .., 3); with a committee ``committee_NAME`` (K, ..) and ``NAME_uncertainty``. Of a
    dipole also ``polarization`` and ``born_effective_charges``. Raises ValueError for a name that is in use.
    """

    def __init__(self, outputs, species, n_members, source, taken):
        self.outputs = {entry["name"]: entry for entry in outputs}
        self.species = [int(z) for z in species]
        self.n_members = n_members
        self.needs: dict[str, tuple[str, str]] = {}  # name of a property: output, and what of it
        for name, entry in self.outputs.items():
            self.needs |= {name: (name, "value"), f"{name}_atoms": (name, "value"), f"{name}_gradient": (name, "slope")}
            if n_members > 1:
                self.needs |= {f"committee_{name}": (name, "members"), f"{name}_uncertainty": (name, "members")}
            if name == "dipole" and entry["type"] == "vector":
                self.needs |= {"polarization": (name, "value"), "born_effective_charges": (name, "slope")}
        for name in taken:
            if name in self.needs:
                raise ValueError(f"{source} has an output whose property '{name}' is one of the energy's; rename it")

    def request(self, wanted) -> dict:
        """Arguments of ``Potential.compute`` for these properties."""
        needs = [self.needs[name] for name in wanted if name in self.needs]
        kinds = {"tensors": "value", "tensor_members": "members", "tensor_derivatives": "slope"}
        return {key: sorted({output for output, kind in needs if kind == value}) for key, value in kinds.items()}

    def shapes(self, n, mine) -> dict:
        """Shape and axis of atoms (None: sums) of the arrays that the engine returns."""
        shapes: dict = {}
        for name, entry in self.outputs.items():
            size = n_components(entry["type"])
            shapes[name] = ((n, size), 0)
            shapes[f"{name} members"] = ((n, self.n_members, size), 0)
            shapes[f"{name} derivatives"] = ((size, n, 3), 1)
            shapes[f"{name} strain"] = ((size, 3, 3), None)
        return {name: shapes[name] for name in shapes if name in mine}

    def refuse(self, name, atoms):
        """Raises PropertyNotImplementedError if a property is not defined for these atoms."""
        if name not in self.needs:
            return
        dipole = name in ("dipole", "committee_dipole", "dipole_uncertainty")
        if dipole and atoms.pbc.any():
            raise PropertyNotImplementedError(
                "the dipole of a periodic system depends on the choice of the cell; ask for polarization, "
                "born_effective_charges or dipole_atoms"
            )
        if dipole and abs(charge_of(atoms)) > NEUTRAL and self.outputs["dipole"]["origin"] is None:
            raise PropertyNotImplementedError(
                f"the dipole of a system with the charge {charge_of(atoms):g} depends on the origin, for which this "
                "model has no convention; born_effective_charges and dipole_atoms are defined"
            )
        baseline = self.outputs["dipole"]["baseline"] if dipole else None
        if baseline is not None:
            charges = dict(zip(self.species, baseline, strict=True))
            total = sum(charges[int(z)] for z in atoms.numbers if int(z) in charges)
            if abs(total) > NEUTRAL:
                raise PropertyNotImplementedError(
                    f"the charges of the dipole's baseline sum to {total:g} in this system, so that it depends on the "
                    "origin; the model is for compositions where they sum to zero"
                )
        if name == "polarization" and not (atoms.pbc.all() and atoms.cell.rank == 3):
            raise PropertyNotImplementedError("polarization needs a system that is periodic in three directions")

    def results(self, raw, atoms) -> dict:
        """Properties from what the engine returned, those that are defined for the atoms."""
        out = {}
        for name, entry in self.outputs.items():
            shape = SHAPES[entry["type"]]
            if name in raw:
                out[f"{name}_atoms"] = raw[name].reshape(-1, *shape)
                out[name] = out[f"{name}_atoms"].sum(axis=0)
                if name == "dipole" and atoms.cell.rank == 3:
                    out["polarization"] = out[name] / atoms.get_volume()
            if f"{name} derivatives" in raw:
                slopes = np.moveaxis(raw[f"{name} derivatives"], 0, 1).reshape(len(atoms), *shape, 3)
                out[f"{name}_gradient"] = slopes
                if name == "dipole":
                    out["born_effective_charges"] = slopes
            if f"{name} members" in raw:
                members = raw[f"{name} members"].sum(axis=0).reshape(-1, *shape)
                mean = members.mean(axis=0)
                out[f"committee_{name}"] = mean + entry["committee_scale"] * (members - mean)
                out[f"{name}_uncertainty"] = out[f"committee_{name}"].std(axis=0, ddof=1)
        return {key: value for key, value in out.items() if key in self.needs and self._defined(key, atoms)}

    def _defined(self, name, atoms) -> bool:
        try:
            self.refuse(name, atoms)
        except PropertyNotImplementedError:
            return False
        return True


def charge_of(atoms) -> float:
    """The net charge, of ``info["charge"]`` or the sum of the initial charges."""
    return float(atoms.info.get("charge", atoms.get_initial_charges().sum()))
