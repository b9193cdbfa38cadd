# SPDX-License-Identifier: BSD-3-Clause
"""The options of the representation: expansions with their nested types, invariants, terms and regressors.

Defaults are those of the classes that the options describe.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from .. import model
from .option_checks import (
    Count,
    NotNegative,
    Number,
    Options,
    Positive,
    Text,
    Truth,
    Whole,
    choice,
    mapping_or,
    one_of,
    word_or,
)


def default_of(cls, name: str):
    """The default of a field of a dataclass."""
    field = next(f for f in fields(cls) if f.name == name)
    if field.default is MISSING:
        raise TypeError(f"{cls.__name__}.{name} has no default")
    return field.default


def described(cls, name: str, text: str, **limits):
    return Field(default_of(cls, name), description=text, **limits)


class ShiftedCosine(Options):
    """The density of a neighbor falls to zero at the cutoff along a cosine."""

    tag: ClassVar[str] = "type"
    type: Literal["shifted_cosine"]
    width: Positive = described(model.ShiftedCosine, "width", "Å below the cutoff in which a neighbor fades out")


class Step(Options):
    """Neighbors count fully up to the cutoff: for comparisons, not for dynamics."""

    tag: ClassVar[str] = "type"
    type: Literal["step"]


class Gaussian(Options):
    """Each neighbor is a Gaussian."""

    tag: ClassVar[str] = "type"
    type: Literal["gaussian"]
    width: Positive = described(model.Gaussian, "width", "standard deviation of the Gaussian, Å")


class Delta(Options):
    """Each neighbor is a point, as in ACE."""

    tag: ClassVar[str] = "type"
    type: Literal["delta"]


class Scaling(Options):
    """Neighbors farther away count less, by rate / (rate + (r / scale)^exponent)."""

    rate: Positive = Field(description="the larger, the slower the decay")
    scale: Positive = Field(description="Å")
    exponent: NotNegative = Field(description="of the decay")


class DensityGto(Options):
    """Orthonormalized Gaussian type orbitals up to the cutoff."""

    tag: ClassVar[str] = "type"
    type: Literal["gto"]
    radius: Positive | None = Field(None, description="must be the cutoff, if it is written at all")


class LaplacianEigenstates(Options):
    """Spherical Bessel functions that vanish at the cutoff."""

    tag: ClassVar[str] = "type"
    type: Literal["laplacian_eigenstates"]


class Legendre(Options):
    """Legendre polynomials, finer near the center; for densities of points."""

    tag: ClassVar[str] = "type"
    type: Literal["legendre"]
    scale: Positive = described(model.Legendre, "scale", "Å around which they are finest: a distance of neighbors")
    exponent: Positive = described(model.Legendre, "exponent", "the larger, the more they are concentrated there")


class FieldGto(Options):
    """Gaussian type orbitals."""

    tag: ClassVar[str] = "type"
    type: Literal["gto"]
    radius: Positive = Field(description="extent of the orbitals, Å")


class MultiWidth(Options):
    """Gaussians of several widths: the cheapest basis on a mesh."""

    tag: ClassVar[str] = "type"
    type: Literal["multi_width"]
    widths: list[Positive] | None = Field(
        None, description="n_max widths in Å; by default a geometric series from 0.7 to 2 times the smearing"
    )


class PcaMixing(Options):
    """Principal components of the species' densities."""

    tag: ClassVar[str] = "method"
    method: Literal["pca"]
    channels: Count = Field(description="number of channels that the species are mixed to")
    evaluations: Count | None = Field(None, description="for method optimize; pca needs none, and says so")


class OptimizedMixing(Options):
    """Channels that minimize the validation error."""

    tag: ClassVar[str] = "method"
    method: Literal["optimize"]
    channels: Count = Field(description="number of channels that the species are mixed to")
    evaluations: Count = Field(40, description="fits that may be tried")


class GivenMixing(Options):
    """Channels as written."""

    tag: ClassVar[str] = "method"
    method: Literal["given"]
    matrix: list[list[Number]] = Field(description="one row per channel, one column per species in order of number")


def _off(value):
    return None if value is False else value


Mixing = Annotated[one_of(PcaMixing, OptimizedMixing, GivenMixing) | None, BeforeValidator(_off)]


class DensityOptions(Options):
    """What an atom sees of its neighbors within a cutoff (SOAP)."""

    tag: ClassVar[str] = "type"
    name: Text = Field(min_length=1, description="name by which the invariants refer to it")
    type: Literal["density"]
    n_max: Count = Field(description="number of radial functions")
    l_max: Annotated[Whole, Field(ge=0)] = Field(description="largest angular momentum, included")
    cutoff: Positive = Field(description="Å")
    smoothing: one_of(ShiftedCosine, Step) = Field({"type": "shifted_cosine"}, description="how neighbors fade out",
                                                   validate_default=True)  # fmt: skip
    density: one_of(Gaussian, Delta) = Field({"type": "gaussian"}, description="what a neighbor looks like",
                                             validate_default=True)  # fmt: skip
    scaling: Scaling | None = Field(None, description="weight of neighbors by distance; null: all alike")
    basis: one_of(DensityGto, LaplacianEigenstates, Legendre) = Field({"type": "gto"}, description="radial functions",
                                                            validate_default=True)  # fmt: skip
    center_atom_weight: Number = described(model.DensityExpansion, "center_atom_weight",
                                           "how much an atom's own density counts")  # fmt: skip
    mixing: Mixing = Field(None, description="species mixed to fewer channels; null: each species has its own")
    accuracy: Positive = described(model.DensityExpansion, "accuracy", "relative error of the radial tables")


class FieldOptions(Options):
    """What an atom feels of all the others, the far field (LODE)."""

    tag: ClassVar[str] = "type"
    name: Text = Field(min_length=1, description="name by which the invariants refer to it")
    type: Literal["potential"]
    n_max: Count = Field(description="number of radial functions")
    l_max: Annotated[Whole, Field(ge=0)] = Field(description="largest angular momentum, included; 1 or 2 is enough")
    exponent: Annotated[Whole, Field(ge=0)] = described(model.PotentialExpansion, "exponent",
                                                        "p of 1/r^p: 1 for charges, 6 for dispersion")  # fmt: skip
    smearing: Positive = described(model.PotentialExpansion, "smearing", "width of the Gaussian charges, Å")
    basis: one_of(MultiWidth, FieldGto) = Field({"type": "multi_width"}, description="radial functions",
                                                validate_default=True)  # fmt: skip
    center_atom_weight: Number = described(model.PotentialExpansion, "center_atom_weight",
                                           "how much of the atom's own field counts")  # fmt: skip
    mixing: Mixing = Field(None, description="species mixed to fewer channels; null: each species has its own")
    accuracy: Positive = described(model.PotentialExpansion, "accuracy", "relative error of the radial tables")


Expansion = one_of(DensityOptions, FieldOptions)


#: of products of 1, 2, .. factors within the channels of a layer
FactorsL = list[Annotated[Whole, Field(ge=0)]]


class RandomChannels(Options):
    """Gaussian random numbers: needs no data, and many channels make up for it."""

    tag: ClassVar[str] = "method"
    method: Literal["random"]
    decay: NotNegative = Field(2.0, description="radial function n counts (1 + n)^-decay")


class PrincipalChannels(Options):
    """Principal components of the coefficients in the training set, the same for all angular momenta."""

    tag: ClassVar[str] = "method"
    method: Literal["pca"]


class OptimizedChannels(Options):
    """Channels that minimize the loss of the linear fit, from random ones on; for a linear term that uses this layer
    alone."""

    tag: ClassVar[str] = "method"
    method: Literal["optimize"]
    decay: NotNegative = Field(2.0, description="of the random start, as in method random")
    structures: Count = Field(300, description="training structures that are fitted meanwhile, at most")
    iterations: Count = Field(30, description="steps of the optimizer, at most")
    patience: Count = Field(8, description="steps without a better validation loss after which it ends")
    l_max: FactorsL | None = Field(
        None, description="products that are fitted meanwhile; by default those of the term, of l at most 3"
    )


class LayerOptions(Options):
    """Channels mixed from expansions, for products of any number of factors within each channel."""

    name: Text = Field(min_length=1, description="name by which the invariants refer to it")
    inputs: list[Text] = Field(min_length=1, description="names of expansions, near or far")
    channels: Count = Field(description="number of channels; multiples of 8 cost least per channel")
    l_max: Annotated[Whole, Field(ge=0)] = Field(description="largest angular momentum, included")
    per_center: Truth = Field(True, description="each species of the center has its own channels")
    mixing: one_of(RandomChannels, PrincipalChannels, OptimizedChannels) = Field(
        {"method": "random"}, description="how the channels are chosen", validate_default=True
    )


class SelectionOptions(Options):
    """Only the most different features of an invariant are kept."""

    n: Count = Field(description="number of features that are kept")
    method: choice("fps", "cur") = Field("fps", description="farthest points, or CUR (skmatter, comes with mlcalc)")


class InvariantOptions(Options):
    """A product of expansions that does not change when the system is turned: of one or two of them (nu), or of any
    number of factors within the channels of a layer (l_max)."""

    nu: choice(1, 2, None) = Field(None, description="number of expansions in the product, 1 or 2")
    a: Text = Field(description="name of an expansion or a layer")
    b: Text | None = Field(None, description="name of the second expansion, for nu 2; by default the first again")
    l_max: FactorsL | None = Field(
        None, description="in place of nu, for a layer: largest l of products of 1, 2, .. factors, such as [4, 4, 4, 3]"
    )
    scale: word_or("auto", Positive) = Field("auto", description="factor; auto: mean squared norm 1 in the data")
    select: SelectionOptions | None = Field(None, description="null: all features are kept")

    @model_validator(mode="after")
    def _second(self):
        if (self.nu is None) == (self.l_max is None):
            raise ValueError(": 'nu' is missing" if self.nu is None else ": either 'nu' or 'l_max', not both")
        if self.l_max is not None:
            if self.b is not None:
                raise ValueError(": products within the channels of a layer take no 'b'")
            try:
                model.ChannelProduct.up_to(self.a, self.l_max)
            except ValueError as error:
                raise ValueError(f".l_max: {error}") from None
        if self.nu == 1 and self.b is not None:
            raise ValueError(": nu 1 takes one expansion, 'b' is for nu 2")
        if self.nu == 2 and self.b is None:
            self.b = self.a
        return self


class LinearOptions(Options):
    """Energies linear in the features: fastest, for much data."""

    tag: ClassVar[str] = "type"
    type: Literal["linear"]
    extrapolation: choice("auto", True, False) = Field(
        "auto", description="store what the extrapolation measure needs; auto: of at most 256 features; true: of all"
    )


class KernelOptions(Options):
    """A sparse kernel: more accurate with little data."""

    tag: ClassVar[str] = "type"
    type: Literal["kernel"]
    zeta: Count = described(model.Kernel, "zeta", "power of the kernel")
    points: mapping_or(Count, Count) = Field(1000, description="sparse points per species")
    method: choice("fps", "cur") = Field("fps", description="how the points are chosen")
    normalize: Truth = described(model.Kernel, "normalize", "features of length 1")
    epsilon: NotNegative = described(model.Kernel, "epsilon", "below this length features are not normalized")
    precision: choice("double", "single") = described(model.Kernel, "precision", "of the sum over points in dynamics")


class TermOptions(Options):
    """A part of the energy: a regressor on invariants."""

    name: Text = Field(min_length=1, description="name in reports and of components")
    invariants: list[InvariantOptions] = Field(min_length=1, description="the features, one after the other")
    regressor: one_of(LinearOptions, KernelOptions) = Field(description="how features become energies")
    weight: Positive = Field(1.0, description="expected share in the energy of an atom, relative to other terms")


def entry(expansion: Any) -> dict:
    """The entry of a model's description that an expansion's options stand for; mixing is left to the data."""
    return expansion.model_dump(exclude={"mixing"}, exclude_none=True)
