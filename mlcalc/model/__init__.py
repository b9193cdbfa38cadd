# SPDX-License-Identifier: BSD-3-Clause
"""The description of a model: its expansions with their radial tables, its terms, and its file."""

from .combine import combined, with_species
from .description import (
    FORMAT_VERSION,
    Committee,
    Invariant,
    Kernel,
    Linear,
    Model,
    Outermost,
    Term,
    Zbl,
    _pack,
    _unpack,
)
from .equivariants import Equivariant
from .expansions import (
    Delta,
    DensityExpansion,
    Gaussian,
    Gto,
    LaplacianEigenstates,
    Legendre,
    MultiWidth,
    PotentialExpansion,
    ShiftedCosine,
    Step,
    Tabulated,
    WillattScaling,
)
from .information import Information
from .layers import Mixing
from .outputs import TensorKernel, TensorOutput, TensorPart
from .pair_table import PairTable, TabulatedPairs
from .products import ChannelEquivariant, ChannelProduct
from .triples import TripleKernel

__all__ = [
    "FORMAT_VERSION",
    "ChannelEquivariant",
    "ChannelProduct",
    "Committee",
    "Delta",
    "DensityExpansion",
    "Equivariant",
    "Gaussian",
    "Gto",
    "Information",
    "Invariant",
    "Kernel",
    "LaplacianEigenstates",
    "Legendre",
    "Linear",
    "Mixing",
    "Model",
    "MultiWidth",
    "Outermost",
    "PairTable",
    "PotentialExpansion",
    "ShiftedCosine",
    "Step",
    "Tabulated",
    "TabulatedPairs",
    "TensorKernel",
    "TensorOutput",
    "TensorPart",
    "Term",
    "TripleKernel",
    "WillattScaling",
    "Zbl",
    "_pack",
    "_unpack",
    "combined",
    "with_species",
]
