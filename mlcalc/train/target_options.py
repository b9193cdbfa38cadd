# SPDX-License-Identifier: BSD-3-Clause
"""The options of tensors that are trained beside the energy, or alone."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from ase.units import Bohr, Debye
from pydantic import Field, model_validator

from ..model import ChannelEquivariant
from ..model.outputs import DEGREES
from .expansion_options import FactorsL
from .option_checks import Count, Number, Options, Positive, Symbol, Text, Whole, choice, one_of, text_or, word_or

#: units that are converted, and what they are in the stored one
DIPOLES = {"e*Angstrom": 1.0, "e*bohr": Bohr, "Debye": Debye}
COULOMB_PER_M2 = 1e-20 / 1.602176634e-19
POLARIZATIONS = {
    "e/Angstrom^2": 1.0,
    "e/bohr^2": 1 / Bohr**2,
    "C/m^2": COULOMB_PER_M2,
    "uC/cm^2": 0.01 * COULOMB_PER_M2,
}
VOLUMES = {"Angstrom^3": 1.0, "bohr^3": Bohr**3}


class LinearTensorOptions(Options):
    """Linear in the equivariants: fastest."""

    tag: ClassVar[str] = "type"
    type: Literal["linear"]


class KernelTensorOptions(Options):
    """Symmetry-adapted kernel times a scalar kernel: for little data."""

    tag: ClassVar[str] = "type"
    type: Literal["kernel"]
    zeta: Annotated[Whole, Field(ge=2, le=6)] = Field(2, description="power of the invariants, the tensor counted once")
    points: Count = Field(100, description="sparse points per species")
    epsilon: Positive = Field(1e-3, description="below this length features are not normalized")


class DerivativeOptions(Options):
    """Labels of the derivative of the sum over atoms with respect to positions, such as Born charges."""

    key: Text = Field(description="name of the per-atom entry, 9 numbers for each atom")
    first: choice("tensor", "displacement") = Field(
        "tensor", description="what the first index of the 3x3 of an atom counts: components of the tensor, as in "
        "d dipole_a / d r_b, or of the displacement",
    )  # fmt: skip
    error: Positive = Field(0.1, description="expected error, in the unit of the tensor per Å")


class LayerProductOptions(Options):
    """Products of any number of factors within the channels of a layer."""

    a: Text = Field(description="name of a layer")
    l_max: FactorsL = Field(description="largest l of products of 1, 2, .. factors, such as [3, 3, 2]")


class TargetOptions(Options):
    """A tensor that is learned: a sum over atoms that turns with them."""

    name: Text = Field(min_length=1, description="name of the output; dipole is what an electric field acts on")
    key: Text = Field(description="name of the labels, an entry of a structure or, with per atom, of its atoms")
    type: choice("scalar", "vector", "symmetric") = Field(description="one number, three, or a symmetric 3x3 (9 or 6)")
    products: list[text_or(LayerProductOptions)] = Field(
        min_length=1,
        description="what the equivariants are made of, names of expansions: 'rho rho', 'rho V', or one: 'V'; of a "
        "layer: {a: A, l_max: [3, 3, 2]}",
    )
    unit: Text = Field(
        "", description="of the labels; converted: vectors " + ", ".join(DIPOLES) + "; per volume "
        + ", ".join(POLARIZATIONS) + "; symmetric " + ", ".join(VOLUMES) + "; any other is kept",
    )  # fmt: skip
    per: choice("structure", "volume", "atom") = Field(
        "structure", description="what a label belongs to; volume: it is multiplied by the volume, as a polarization"
    )
    sign: choice(1, -1) = Field(1, description="factor on the labels, for another convention")
    charge: Text | None = Field("charge", description="info entry with the net charge of a structure, 0 without it")
    origin: choice(None, "center_of_mass", "coordinates") = Field(
        None, description="about what the dipoles of charged structures are; null: all are neutral"
    )
    derivative: DerivativeOptions | None = Field(None, description="labels of the derivative of a vector")
    baseline: word_or("fit", dict[Symbol, Number] | None) = Field(
        None,
        description="{symbol: number}: charges that are multiplied by positions (vectors, free boundaries), or "
        "constants (scalars, diagonals); fit: constants from the mean of the training set",
    )
    regressor: one_of(LinearTensorOptions, KernelTensorOptions) = Field(
        {"type": "linear"}, description="how equivariants become tensors", validate_default=True
    )
    error: Positive = Field(0.01, description="expected error of a label in the stored unit, times the square root of "
                                              "the number of atoms unless per is atom")  # fmt: skip
    regularization: word_or("auto", Positive) = Field("auto", description="strength; auto: chosen by solver.criterion")

    @model_validator(mode="after")
    def _consistent(self):
        of_volume = self.unit in POLARIZATIONS
        if (self.per == "volume") != of_volume and (of_volume or self.unit in (*DIPOLES, *VOLUMES)):
            raise ValueError(f": unit {self.unit} does not go with per: {self.per}")
        wrong = {"scalar": (*DIPOLES, *POLARIZATIONS), "vector": VOLUMES, "symmetric": (*DIPOLES, *POLARIZATIONS)}
        if self.unit in wrong[self.type]:
            raise ValueError(f": unit {self.unit} is not one of a {self.type} output")
        if self.name == "dipole" and (self.type != "vector" or self.stored_unit != "e*Angstrom"):
            raise ValueError(f": a dipole is a vector with one of the units {', '.join((*DIPOLES, *POLARIZATIONS))}")
        if self.derivative and (self.type != "vector" or self.regressor.type != "linear"):
            raise ValueError(".derivative: derivatives are trained for vectors with a linear regressor")
        if self.type == "vector" and self.baseline == "fit":
            raise ValueError(".baseline: the charges of a vector must be given as {symbol: number}")
        if self.per == "atom" and (self.derivative or (self.type == "vector" and self.baseline)):
            raise ValueError(": labels of atoms have no derivative, and vectors of atoms no baseline")
        for product in self.products:
            if isinstance(product, LayerProductOptions):
                self._check_channels(product)
            elif not 1 <= len(product.split()) <= 2:
                raise ValueError(f".products: '{product}' must be the names of one or two expansions")
        return self

    def _check_channels(self, product):
        for o3_lambda in self.degrees:
            try:
                ChannelEquivariant.up_to(product.a, product.l_max, o3_lambda=o3_lambda)
            except ValueError as error:
                raise ValueError(f".products: {error}") from None

    @property
    def sets(self) -> list[str]:
        """Names of the expansions and layers that its products are made of."""
        names: list[str] = []
        for product in self.products:
            names += [product.a] if isinstance(product, LayerProductOptions) else product.split()
        return names

    @property
    def factor(self) -> float:
        """Of the unit and the sign."""
        return self.sign * (DIPOLES | POLARIZATIONS | VOLUMES).get(self.unit, 1.0)

    @property
    def stored_unit(self) -> str:
        """Of the sum over atoms."""
        if self.unit in DIPOLES or self.unit in POLARIZATIONS:
            return "e*Angstrom"
        if self.unit in VOLUMES:
            return "Angstrom^3"
        return f"{self.unit}*Angstrom^3" if self.per == "volume" and self.unit else self.unit

    @property
    def degrees(self) -> tuple[int, ...]:
        """o3_lambda of its parts."""
        return DEGREES[self.type]
