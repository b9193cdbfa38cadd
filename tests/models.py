# SPDX-License-Identifier: BSD-3-Clause
"""Small models of every kind with random weights and fixed seeds, and the one way the tests evaluate them."""

import functools
import json
from dataclasses import replace

import numpy as np

from mlcalc import _engine
from mlcalc import model as model_module
from mlcalc.expansions import (
    Delta,
    DensityExpansion,
    Gto,
    LaplacianEigenstates,
    MultiWidth,
    PotentialExpansion,
    ShiftedCosine,
    Tabulated,
    WillattScaling,
)
from mlcalc.model import (
    ChannelEquivariant,
    ChannelProduct,
    Committee,
    Equivariant,
    Invariant,
    Kernel,
    Linear,
    Mixing,
    Model,
    Outermost,
    PairTable,
    TabulatedPairs,
    TensorKernel,
    TensorOutput,
    TensorPart,
    Term,
    TripleKernel,
    Zbl,
)
from mlcalc.neighbors import full_neighbor_list

SALT = [11, 17]


def gaussians(r):
    """Radial functions of a user, the same for three l; as in docs/developer.md."""
    return np.repeat(np.exp(-((r[:, None] - np.linspace(0.5, 3.5, 4)) ** 2) / (2 * 0.7**2))[:, None, :], 3, axis=1)


RHO = DensityExpansion(name="rho", cutoff=4.2, n_max=3, l_max=3)
SHORT = DensityExpansion(name="short", cutoff=3.3, n_max=2, l_max=2, smoothing=ShiftedCosine(1.0))
SCALED = DensityExpansion(name="rho", cutoff=4.2, n_max=3, l_max=2, scaling=WillattScaling(1.0, 2.0, 4.0))
EIGENSTATES = DensityExpansion(
    name="rho", cutoff=4.0, n_max=3, l_max=2, density=Delta(), basis=LaplacianEigenstates(), center_atom_weight=0.0
)
BUMPS = DensityExpansion(name="rho", cutoff=4.2, n_max=4, l_max=2, basis=Tabulated(gaussians))
MIXED = DensityExpansion(name="rho", cutoff=4.2, n_max=3, l_max=2, mixing=((0.8, -0.3),))
CENTERED = DensityExpansion(
    name="rho", cutoff=4.2, n_max=3, l_max=2, center_atom_weight=0.6, center_weights=((1.0, 0.4), (-0.3, 0.7))
)
V = PotentialExpansion(name="V", n_max=2, l_max=3, smearing=1.0, basis=MultiWidth((1.0, 1.8)))
V_GTO = PotentialExpansion(name="V", n_max=2, l_max=2, smearing=0.9, basis=Gto(2.5))
V3 = PotentialExpansion(name="V", n_max=2, l_max=2, exponent=3, smearing=1.0, basis=MultiWidth((1.0, 1.8)))
V6 = PotentialExpansion(name="V", n_max=2, l_max=2, exponent=6, smearing=1.1, basis=Gto(2.5), center_atom_weight=0.0)
V_MIXED = PotentialExpansion(
    name="V", n_max=2, l_max=2, smearing=1.0, basis=MultiWidth((1.0, 1.8)), mixing=((1.0, -1.0), (0.4, 0.7))
)


def morse(r):
    """Energy of a pair with two derivatives, (3, len(r))."""
    x = np.exp(-1.4 * (r - 2.6))
    return np.stack([0.3 * (x * x - 2 * x), 0.3 * -1.4 * (2 * x * x - 2 * x), 0.3 * 1.4**2 * (4 * x * x - 2 * x)])


# two cutoffs, one from points, none between Na and Na; no pairs of salt are where the cutoff functions begin
PAIRS = TabulatedPairs(
    "pairs",
    {
        (17, 11): PairTable.from_function(morse, 4.0, smoothing=ShiftedCosine(1.8)),
        (17, 17): PairTable.from_points(
            np.linspace(2.0, 5.0, 9), 0.4 * np.linspace(1, 0, 9) ** 3, smoothing=ShiftedCosine(1.7)
        ),
    },
)


def triples(name, n=7, seed=40, **options):
    """Points in the range of the triples of salt; no pairs of salt are where the cutoff function begins."""
    points = np.random.default_rng(seed).uniform([2.0, 2.0, 2.0], [4.5, 4.5, 5.0], (n, 3))
    if options.get("coordinates", "angle") == "angle":
        points[:, 0], points[:, 1] = points[:, 0] + points[:, 1], (points[:, 0] - points[:, 1]) ** 2
    weights = 0.3 * np.random.default_rng(seed + 1).normal(size=n)
    return TripleKernel(name, points, weights, **{"cutoff": 4.5537, "smoothing": ShiftedCosine(1.2837), **options})


TRIPLES = [
    triples("angle", widths=(1.5, 1.2, 1.4), center=11, neighbors=(17, 11), constant=0.02),
    triples("any", widths=(1.1, 1.1, 1.1), coordinates="sides", seed=50),
]
COMPACT = [
    triples("angle2", widths=(3.0, 3.5, 4.0), kernel="wendland", neighbors=(None, 17), seed=60),
    triples("sides", widths=(2.5, 2.5, 2.5), coordinates="sides", kernel="wendland", center=17, seed=70),
]
RADIAL = [Invariant(1, "rho")]
POWER = [Invariant(2, "rho", "rho")]
MULTI_SCALE = [Invariant(2, "rho", "V", scale=0.3)]
FIELD = [Invariant(1, "V", scale=0.5)]
FIELD_POWER = [Invariant(2, "V", "V", scale=0.2)]


def saved(kinds, folder):
    """{name: path} of model files of the kinds {name: kind}, made in the folder."""
    paths = {name: folder / f"{k}.mlcalc" for k, name in enumerate(kinds)}
    for name, path in paths.items():
        build(kinds[name]).save(path)
    return paths


def refusal(kind, change) -> str:
    """The engine's message about bad.mlcalc, a model of this kind altered by ``change(document, tensors)``."""
    document, tensors = model_module._unpack(build(kind).to_bytes())
    tensors = {name: tensor.copy() for name, tensor in tensors.items()}
    change(document, tensors)
    try:
        _engine.Potential(model_module._pack(json.dumps(document), tensors), "bad.mlcalc")
    except RuntimeError as error:
        return str(error)
    raise AssertionError("the file was taken")


def mixing(expansions, n_channels, l_max, seed, per_center=True, name="A"):
    """A layer with random coefficients."""
    n_columns = sum((2 if e.mixing is None else len(e.mixing)) * e.n_max for e in expansions)
    shape = (2 if per_center else 1, l_max + 1, n_channels, n_columns)
    matrices = np.random.default_rng(seed).normal(size=shape) / n_columns**0.5
    first = 0
    for e in expansions:
        n = (2 if e.mixing is None else len(e.mixing)) * e.n_max
        if isinstance(e, PotentialExpansion):  # fields are larger than densities
            matrices[..., first : first + n] *= 0.15
        first += n
    return Mixing(name, [e.name for e in expansions], matrices)


CHANNELS = [ChannelProduct.up_to("A", (3, 3, 2, 1))]
FIVE_FACTORS = [ChannelProduct.up_to("A", (2, 2, 2, 2, 1))]


def linear_model(expansions, invariants, seed, *, scale=0.3, n_members=None, leverage=False, **options):
    """Linear terms with random weights, one per list of invariants."""
    model = _without_regressors(expansions, invariants, n_members, options)
    rng = np.random.default_rng(seed)
    for term in model.terms:
        n = model.n_features(term)
        shape = (len(model.species), n) if n_members is None else (n_members, len(model.species), n)
        term.regressor = Linear(scale / np.sqrt(n) * rng.normal(size=shape))
        if leverage:
            term.regressor.leverage = {number: rng.normal(size=(n, n)) for number in model.species}
    return model


def with_leverage_of_columns(model, seed, fraction=0.3):
    """The model with an extrapolation measure that looks at some of the features."""
    rng = np.random.default_rng(seed)
    for term in model.terms:
        n = model.n_features(term)
        columns = np.sort(rng.permutation(n)[: max(1, int(fraction * n))]).astype(np.int32)
        rows = {number: rng.normal(size=(3, len(columns))) for number in model.species}
        term.regressor = replace(term.regressor, leverage=rows, leverage_columns=columns)
    return model


def kernel_model(
    expansions, invariants, seed, *, n_points=6, scale=1.0, n_members=None, point_scale=1.0, without=(), **settings
):
    """Kernel terms with random sparse points and weights, one per list of invariants."""
    options = {
        key: settings.pop(key)
        for key in ("zbl", "pairs", "triples", "boundaries", "species", "layers")
        if key in settings
    }
    model = _without_regressors(expansions, invariants, n_members, options)
    rng = np.random.default_rng(seed)
    for term in model.terms:
        points, weights = {}, {}
        for k, number in enumerate(model.species):
            if number in without:
                continue
            # a bias, because features of real environments have large products with each other
            points[number] = point_scale * (rng.normal(size=(n_points - k, model.n_features(term))) + 0.7)
            shape = (n_points - k,) if n_members is None else (n_members, n_points - k)
            weights[number] = scale * rng.normal(size=shape)
        term.regressor = Kernel(points, weights, **settings)
    return model


def _without_regressors(expansions, invariants, n_members, options):
    terms = [Term(f"term{k}", list(entry)) for k, entry in enumerate(invariants)]
    options = {"species": SALT, "reference_energies": [-1.3, -2.4], **options}
    committee = None if n_members is None else Committee(n_members, 1.4)
    return Model(expansions=list(expansions), terms=terms, committee=committee, **options)


def with_selection(model, seed, fraction=0.4):
    """The model with a random selection of the features of each invariant; call before it gets weights."""
    rng = np.random.default_rng(seed)
    for term in model.terms:
        for invariant in term.invariants:
            n = model.full_size(invariant)
            invariant.selection = np.sort(rng.permutation(n)[: max(1, int(fraction * n))]).astype(np.int32)
    return model


def selected(invariants, model_expansions, seed):
    """Copies of invariants with random selections of their features."""
    copies = [Invariant(i.nu, i.a, i.b, i.scale) for i in invariants]
    with_selection(Model(SALT, list(model_expansions), [Term("term", copies)]), seed)
    return copies


SHORT_RANGED = {
    "linear rho": lambda: linear_model([RHO], [RADIAL], 1),
    "linear rho x rho": lambda: linear_model([RHO], [POWER], 2),
    "linear rho + rho x rho": lambda: linear_model([RHO], [RADIAL + POWER], 3),
    "linear two cutoffs": lambda: linear_model(
        [RHO, SHORT], [POWER, [Invariant(2, "short", "short")], [Invariant(2, "rho", "short")]], 4
    ),
    # equivariants with lambda = 0, which are invariants
    "linear coupled": lambda: linear_model(
        [RHO, SHORT],
        [[Equivariant(2, "rho", "rho", 0), Equivariant(1, "rho", None, 0)], [Equivariant(2, "rho", "short", 0)]],
        4,
    ),
    "linear scaled": lambda: linear_model([SCALED], [POWER], 5),
    "linear eigenstates": lambda: linear_model([EIGENSTATES], [RADIAL + POWER], 6),
    "linear bumps": lambda: linear_model([BUMPS], [POWER], 25),
    "linear mixed species": lambda: linear_model([MIXED], [POWER], 7),
    "linear selected": lambda: linear_model([RHO], [selected(POWER, [RHO], 8)], 8),
    "linear leverage": lambda: linear_model([RHO], [RADIAL], 9, leverage=True),
    "linear outermost": lambda: replace(linear_model([RHO], [RADIAL], 48, leverage=True), outermost=Outermost(0.4, 8)),
    "linear leverage of columns": lambda: with_leverage_of_columns(linear_model([RHO], [POWER], 46), 46),
    "kernel edges": lambda: kernel_model([RHO], [POWER], 47, zeta=2, edges={11: 0.02, 17: 1.7}),
    "linear committee": lambda: linear_model([RHO], [POWER], 9, n_members=4),
    "linear zbl": lambda: linear_model([RHO], [POWER], 10, zbl=Zbl(2.0, 3.5)),
    "linear channels": lambda: linear_model([RHO], [CHANNELS], 61, layers=[mixing([RHO], 5, 3, 1)]),
    "linear channels of two cutoffs": lambda: linear_model(
        [RHO, SHORT], [POWER, CHANNELS], 62, layers=[mixing([RHO, SHORT], 9, 3, 2, per_center=False)]
    ),
    "linear five factors": lambda: linear_model([MIXED], [FIVE_FACTORS], 63, layers=[mixing([MIXED], 4, 2, 3)]),
    "linear layer of two": lambda: linear_model(
        [RHO], [[Invariant(2, "A", "rho"), Invariant(2, "A", "A")]], 64, layers=[mixing([RHO], 3, 2, 4)]
    ),
    "linear channels committee": lambda: linear_model(
        [RHO], [CHANNELS], 65, layers=[mixing([RHO], 8, 3, 5)], n_members=3, leverage=True
    ),
    "kernel channels": lambda: kernel_model([RHO], [CHANNELS], 66, zeta=2, layers=[mixing([RHO], 5, 3, 6)]),
    "kernel zeta 1": lambda: kernel_model([RHO], [POWER], 11, zeta=1),
    "kernel zeta 2": lambda: kernel_model([RHO], [POWER], 12, zeta=2),
    "kernel zeta 3": lambda: kernel_model([RHO], [RADIAL + POWER], 13, zeta=3),
    "kernel zeta 4": lambda: kernel_model([RHO], [POWER], 14, zeta=4, scale=4.0),
    "kernel zeta 5": lambda: kernel_model([RHO], [POWER], 15, zeta=5, scale=8.0),
    "kernel zeta 6": lambda: kernel_model([RHO], [POWER], 16, zeta=6, scale=8.0),
    "kernel not normalized": lambda: kernel_model([RHO], [POWER], 17, zeta=2, normalize=False, point_scale=0.1),
    "kernel rho": lambda: kernel_model([RHO], [RADIAL], 18, zeta=2),
    "kernel two cutoffs": lambda: kernel_model(
        [RHO, SHORT], [POWER + [Invariant(2, "short", "short", scale=1.5)], [Invariant(1, "short")]], 19, zeta=2
    ),
    "kernel selected": lambda: kernel_model([RHO], [selected(POWER, [RHO], 20)], 20, zeta=3),
    "kernel committee": lambda: kernel_model([RHO], [POWER], 21, zeta=2, n_members=3),
    "kernel of Na only": lambda: kernel_model([RHO], [POWER], 24, zeta=2, without=[17]),
    "linear center weights": lambda: linear_model([CENTERED], [POWER], 27),
    "kernel center weights, mixed species": lambda: kernel_model(
        [replace(MIXED, center_weights=((0.3, 1.1),))], [POWER], 28, zeta=2
    ),
    "linear triples": lambda: linear_model([RHO], [POWER], 29, triples=TRIPLES),
    "kernel triples, pairs, zbl, committee": lambda: kernel_model(
        [SHORT],
        [[Invariant(2, "short", "short")]],
        30,
        zeta=2,
        n_members=3,
        zbl=Zbl(2.0, 3.5),
        pairs=[PAIRS],
        triples=COMPACT,
    ),
    "kernel zbl with radii of pairs": lambda: kernel_model(
        [RHO], [POWER], 45, zeta=2, zbl=Zbl([[1.5, 2.0], [2.0, 1.8]], [[2.9, 3.5], [3.5, 3.2]])
    ),
    "linear pair tables": lambda: linear_model([RHO], [POWER], 25, pairs=[PAIRS]),
    "kernel pair tables, zbl, committee": lambda: kernel_model(
        [SHORT],
        [[Invariant(2, "short", "short")]],
        26,
        zeta=2,
        n_members=3,
        zbl=Zbl(2.0, 3.5),
        pairs=[PAIRS, TabulatedPairs("more", {(11, 11): PairTable.from_function(morse, 5.0, 2.0, ShiftedCosine(1.7))})],
    ),
    "kernel zbl": lambda: kernel_model([RHO], [POWER], 22, zeta=4, zbl=Zbl(2.0, 3.5)),
    "kernel mixed species": lambda: kernel_model([MIXED], [POWER], 23, zeta=2),
}
FAR_FIELDS = {
    "linear V": lambda: linear_model([V], [FIELD], 31),
    "linear rho x V": lambda: linear_model([RHO, V], [MULTI_SCALE], 32),
    "linear V x V": lambda: linear_model([V], [FIELD_POWER], 33),
    "linear soap + lode": lambda: linear_model([RHO, V], [POWER, MULTI_SCALE], 34),
    "linear p=3": lambda: linear_model([RHO, V3], [MULTI_SCALE], 35, scale=3.0),
    "linear p=6": lambda: linear_model([RHO, V6], [MULTI_SCALE], 36, scale=30.0),
    "linear mixed fields": lambda: linear_model([RHO, V_MIXED], [MULTI_SCALE], 37),
    "linear far committee": lambda: linear_model([RHO, V], [POWER + MULTI_SCALE], 38, n_members=3),
    "linear far selected": lambda: linear_model([RHO, V], [selected(MULTI_SCALE, [RHO, V], 39)], 39),
    "linear channels with V": lambda: linear_model(
        [RHO, V], [CHANNELS], 67, layers=[mixing([RHO, V], 5, 3, 7)], scale=0.05
    ),
    "kernel channels with V": lambda: kernel_model(
        [RHO, V], [CHANNELS + POWER], 68, zeta=2, layers=[mixing([V, RHO], 4, 3, 8)]
    ),
    "kernel V": lambda: kernel_model([V], [FIELD], 41, zeta=2),
    "kernel rho x V": lambda: kernel_model([RHO, V], [MULTI_SCALE], 42, zeta=2),
    "kernel V x V": lambda: kernel_model([V], [FIELD_POWER], 43, zeta=2),
    "kernel soap + lode": lambda: kernel_model([RHO, V_GTO], [POWER + MULTI_SCALE], 44, zeta=3),
    "kernel soap, lode": lambda: kernel_model([RHO, V_GTO], [POWER, MULTI_SCALE], 45, zeta=2),
    "kernel far committee": lambda: kernel_model([RHO, V], [POWER + MULTI_SCALE], 46, zeta=2, n_members=3),
}


def lambda_soap(o3_lambda, *products):
    """Equivariants of products "rho rho" of expansions, and the coefficients of one, "V"."""
    names = (product.split() for product in products)
    return [Equivariant(len(n), n[0], n[1] if len(n) > 1 else None, o3_lambda) for n in names]


def with_tensors(model, outputs, seed, *, kernel=None, alone=False):
    """A copy of the model with outputs of random weights: {name: (type, {o3_lambda: equivariants}, options)}."""
    rng = np.random.default_rng(seed)
    model = replace(model, outputs=[])
    n_members = () if model.committee is None else (model.committee.n_members,)
    if alone:
        model = replace(model, terms=[], zbl=None, pairs=[], triples=[], has_energy=False, reference_energies=None)
    for name, (kind, parts, options) in outputs.items():
        made = []
        for o3_lambda, equivariants in parts.items():
            n, n_mu = sum(map(model.n_selected, equivariants)), 2 * o3_lambda + 1
            if kernel is None:
                regressor = Linear(rng.normal(size=(*n_members, len(model.species), n)) / np.sqrt(n))
            else:
                n_scalar = sum(map(model.n_selected, kernel))
                sizes = {z: 5 - k for k, z in enumerate(model.species)}
                regressor = TensorKernel(
                    kernel,
                    {z: rng.normal(size=(m, n_scalar)) + 0.7 for z, m in sizes.items()},
                    {z: rng.normal(size=(m, n_mu, n)) for z, m in sizes.items()},
                    {z: rng.normal(size=(*n_members, m, n_mu)) for z, m in sizes.items()},
                    zeta=3,
                )
            made.append(TensorPart(equivariants, regressor))
        model.outputs.append(TensorOutput(name, kind, made, **options))
    return model


DIPOLE = {"dipole": ("vector", {1: lambda_soap(1, "rho rho")}, {"unit": "e*Angstrom"})}
NEAR_OUTPUTS = {
    "polarizability": (
        "symmetric",
        {0: lambda_soap(0, "rho", "rho rho"), 2: lambda_soap(2, "rho rho", "rho")},
        {"unit": "Angstrom^3", "baseline": [0.4, -0.2]},
    ),
    **DIPOLE,
    "spin": ("vector", {1: [Equivariant(2, "rho", "rho", 1, -1)]}, {}),
    "charge": ("scalar", {0: lambda_soap(0, "rho rho")}, {"baseline": [1.0, -1.0]}),
}


def of_channels(o3_lambda, l_max=(3, 2, 2), **options):
    return ChannelEquivariant.up_to("A", l_max, o3_lambda=o3_lambda, **options)


CHANNEL_OUTPUTS = {
    "dipole": ("vector", {1: [of_channels(1, (3, 2, 2, 1)), *lambda_soap(1, "rho rho")]}, {"unit": "e*Angstrom"}),
    "polarizability": ("symmetric", {0: [of_channels(0)], 2: [of_channels(2)]}, {"baseline": [0.4, -0.2]}),
    "spin": ("vector", {1: [of_channels(1, o3_sigma=-1)]}, {}),
}
FAR_CHANNEL_OUTPUTS = {"dipole": ("vector", {1: [of_channels(1, scale=0.2)]}, {"unit": "e*Angstrom"})}
FAR_OUTPUTS = {"dipole": ("vector", {1: lambda_soap(1, "rho V", "V", "rho rho")}, {"unit": "e*Angstrom"})}
CHARGED = {"dipole": ("vector", {1: lambda_soap(1, "rho rho")}, {"unit": "e*Angstrom", "baseline": [0.8, -0.8]})}
TENSORS = {
    "tensors": lambda: with_tensors(build("linear rho x rho"), NEAR_OUTPUTS, 71),
    "tensors far": lambda: with_tensors(build("linear rho x V"), FAR_OUTPUTS, 72),
    "tensors kernel": lambda: with_tensors(build("kernel zbl"), NEAR_OUTPUTS, 73, kernel=POWER),
    "tensors kernel far": lambda: with_tensors(build("linear rho x V"), FAR_OUTPUTS, 74, kernel=MULTI_SCALE),
    "tensors committee": lambda: with_tensors(build("linear committee"), NEAR_OUTPUTS, 75),
    "tensors kernel committee": lambda: with_tensors(build("kernel committee"), NEAR_OUTPUTS, 76, kernel=POWER),
    "tensors alone": lambda: with_tensors(build("linear mixed species"), NEAR_OUTPUTS, 77, alone=True),
    "tensors of channels": lambda: with_tensors(build("linear channels committee"), CHANNEL_OUTPUTS, 79),
    "tensors of channels with V": lambda: with_tensors(build("linear channels with V"), FAR_CHANNEL_OUTPUTS, 80),
    "tensors kernel of channels": lambda: with_tensors(build("kernel channels"), CHANNEL_OUTPUTS, 81, kernel=CHANNELS),
    "tensors charges": lambda: with_tensors(build("linear two cutoffs"), CHARGED, 78),
}
_BUILDERS = {**SHORT_RANGED, **FAR_FIELDS, **TENSORS}
EVERY_KIND_OF_MODEL = [kind for kind in _BUILDERS if kind != "tensors alone"]
TENSORS = list(TENSORS)
SHORT_RANGED, FAR_FIELDS = list(SHORT_RANGED), list(FAR_FIELDS)


@functools.cache
def build(kind):
    """The model of this kind; cached, so do not change it."""
    return _BUILDERS[kind]()


def arguments(potential, atoms):
    """ASE atoms and the neighbor list that belongs to them, as keyword arguments of the methods of ``Potential``."""
    first, j, r_ij = full_neighbor_list(atoms, potential.cutoff)
    return {
        "species": np.searchsorted(potential.species, atoms.numbers).astype(np.int32),
        "positions": atoms.positions,
        "cell": atoms.cell.array,
        "pbc": atoms.pbc,
        "first": first.copy(),
        "j": j.copy(),
        "r_ij": r_ij.copy(),
    }


def evaluate(potential, atoms, **options):
    """``Potential.compute`` for ASE atoms."""
    return potential.compute(**arguments(potential, atoms), **options)


def energy(potential, atoms):
    return evaluate(potential, atoms, forces=False)["energies"].sum()
