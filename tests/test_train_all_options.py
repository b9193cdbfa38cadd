# SPDX-License-Identifier: BSD-3-Clause
"""Every option of the table changes the result that it should change: an option without a line here is an error."""

import contextlib
import copy
import re
from typing import Any, NamedTuple

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from training_cases import known_data, known_model

from mlcalc.train import OptionError, fit, parse_options
from mlcalc.train.job import data_of
from mlcalc.train.option_page import all_options
from mlcalc.train.progress import Progress

SPLIT = "fold0"


class Effect(NamedTuple):
    """``value`` of the option, the options ``base`` that both runs have beside it, and ``seen``: where it is seen."""

    value: Any
    base: dict = {}
    seen: Any = "model"


def report(*keys):
    """The report has something else under these keys."""

    def read(result, folder):
        found = result.report
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else found
        return found

    return read


def names(result, folder):
    """The files that are left."""
    return sorted(str(p.relative_to(folder)) for p in folder.glob("*"))


def rows_on_disk(result, folder):
    return bool(list(folder.glob("*checkpoint/rows/*/*.npy")))


def kept_by_a_second_run(result, folder):
    """Do the scales stay when the run is started again with more data?"""
    options = copy.deepcopy(result.model.provenance["options"])
    first = options["data"]["files"][0]["path"]
    options["data"]["files"] = [first, first.replace("a.xyz", "b.xyz")]
    with contextlib.chdir(folder):
        again = fit(options, progress=False, figures=False)
    return again.model.terms[0].invariants[0].scale == result.model.terms[0].invariants[0].scale


def notes(result, folder):
    return result.report["notes"]


def members(result, folder):
    return None if result.model.committee is None else result.model.committee.n_members


def who_is_where(result, folder):
    return result.model.provenance["data"]["members"]


DENSITY, FIELD = "expansions[]<density>", "expansions[]<potential>"
FAR = {"expansions[]": "V"}  # the case with a far field
KERNEL = {"terms[].regressor": {"type": "kernel", "zeta": 2, "points": 6}}
GTO = {f"{FIELD}.basis": {"type": "gto", "radius": 3.0}}
FREE_LAMBDA = {"solver": {"criterion": "validation"}}
MORE = {"data.files": "more"}
COMMITTEE = {**MORE, "committee": {"members": 4}}
MIXED = {"method": "pca", "channels": 1}
TWO = {"terms": "two"}
CONFIG = {"data.config_type": "kind"}
LAYER = {"layers[]": "A"}  # the case of products within channels
OPTIMIZED = {**LAYER, "layers[].mixing": {"method": "optimize", "structures": 6, "iterations": 3, "patience": 3}}
TARGET = {"targets[]": "dipole"}  # the case of a tensor
BORN = {**TARGET, "targets[].derivative": {"key": "born"}}
MANY = {**LAYER, **TARGET, "targets[].products": [{"a": "A", "l_max": [1, 1]}]}
KERNEL_TARGET = {**TARGET, "targets[].regressor": {"type": "kernel", "points": 6}}
LEGENDRE = {f"{DENSITY}.basis": "legendre"}

EFFECTS = {
    "model": Effect("other.mlcalc", seen=names),
    "report": Effect("elsewhere", seen=names),
    "checkpoint": Effect("kept", {"keep_checkpoint": True}, names),
    "keep_checkpoint": Effect(True, seen=names),
    "information": Effect(False),
    "scan": Effect({"weights.forces": [0.1, 0.2]}, seen="refused: run it with mlcalc train"),
    "learning_curve": Effect([3, 5], seen=report("learning_curve")),
    "keep_representation": Effect(True, {"keep_checkpoint": True}, kept_by_a_second_run),
    "seed": Effect(2, seen=who_is_where),
    "data.energy": Effect("double"),
    "data.forces": Effect("double_forces"),
    "data.stress": Effect(None),
    "data.virial": Effect("w", {"data.stress": None}),
    "data.config_type": Effect("kind", seen=report("errors", "train")),
    "data.distance": Effect("distance", seen=report("curves")),
    "data.energy_offset": Effect("kind", seen=report("offsets")),
    "outside.separated": Effect(None),
    "outside.close": Effect(None),
    "outside.expanded": Effect(None),
    "data.reference_energies": Effect({"Na": -2.0, "Cl": -5.0}),
    "data.max_force": Effect(0.029, seen=report("data")),
    "data.files[].path": Effect("b.xyz"),
    "data.files[].index": Effect("::2"),
    "data.files[].split": Effect("test", {"data.split": {"method": "file"}, "data.files": "both"}, report("data")),
    "data.files[].config_type": Effect("bulk", seen=report("data")),
    "data.files[].energy": Effect("double"),
    "data.files[].forces": Effect("double_forces"),
    "data.files[].stress": Effect(None),
    "data.files[].virial": Effect("w", {"data.stress": None}),
    "data.units.energy": Effect("hartree"),
    "data.units.length": Effect("bohr", {"data.stress": None}),
    "data.units.stress": Effect("GPa"),
    "data.units.stress_sign": Effect("compressive"),
    "data.units.stress_order": Effect("vasp"),
    "data.split.method": Effect("key", {"data.split.key": "set"}, report("data")),
    "data.split.validation": Effect(0.4, seen=report("data")),
    "data.split.test": Effect(0.4, seen=report("data")),
    "data.split.group": Effect("set", {"data.split.method": "group", "data.split.group": "kind"}, report("data")),
    "data.split.key": Effect("set2", {"data.split.method": "key", "data.split.key": "set"}, report("data")),
    "data.baseline": Effect("base.mlcalc"),
    "data.zbl.inner": Effect(1.5, {"data.zbl": {"inner": 1.0, "outer": 3.5}}),
    "data.zbl.outer": Effect(3.0, {"data.zbl": {"inner": 1.0, "outer": 3.5}}),
    f"{DENSITY}.name": Effect("r", seen="refused: uses expansion 'rho'"),
    f"{DENSITY}.type": Effect("potential", seen="refused: unknown option 'cutoff', which belongs to density"),
    f"{DENSITY}.n_max": Effect(3),
    f"{DENSITY}.l_max": Effect(2),
    f"{DENSITY}.cutoff": Effect(3.5),
    f"{DENSITY}.center_atom_weight": Effect(0.5),
    f"{DENSITY}.accuracy": Effect(1e-4),
    f"{DENSITY}.smoothing<shifted_cosine>.type": Effect("shifted_cosine", {f"{DENSITY}.smoothing": "step"}),
    f"{DENSITY}.smoothing<shifted_cosine>.width": Effect(1.0),
    f"{DENSITY}.smoothing<step>.type": Effect("step"),
    f"{DENSITY}.density<gaussian>.type": Effect("gaussian", {f"{DENSITY}.density": "delta"}),
    f"{DENSITY}.density<gaussian>.width": Effect(0.6),
    f"{DENSITY}.density<delta>.type": Effect("delta"),
    f"{DENSITY}.scaling.rate": Effect(2.0, {f"{DENSITY}.scaling": {"rate": 1.0, "scale": 2.0, "exponent": 4.0}}),
    f"{DENSITY}.scaling.scale": Effect(3.0, {f"{DENSITY}.scaling": {"rate": 1.0, "scale": 2.0, "exponent": 4.0}}),
    f"{DENSITY}.scaling.exponent": Effect(3.0, {f"{DENSITY}.scaling": {"rate": 1.0, "scale": 2.0, "exponent": 4.0}}),
    f"{DENSITY}.basis<gto>.type": Effect("gto", {f"{DENSITY}.basis": "laplacian_eigenstates"}),
    f"{DENSITY}.basis<gto>.radius": Effect(3.0, seen="refused: the GTO radius of a density is its cutoff"),
    f"{DENSITY}.basis<laplacian_eigenstates>.type": Effect("laplacian_eigenstates"),
    f"{DENSITY}.basis<legendre>.type": Effect("legendre"),
    f"{DENSITY}.basis<legendre>.scale": Effect(2.0, LEGENDRE),
    f"{DENSITY}.basis<legendre>.exponent": Effect(2.0, LEGENDRE),
    f"{DENSITY}.mixing<pca>.method": Effect("pca", {f"{DENSITY}.mixing": {"method": "optimize", "channels": 1,
                                                                         "evaluations": 4}}),
    f"{DENSITY}.mixing<pca>.channels": Effect(2, {f"{DENSITY}.mixing": MIXED}),
    f"{DENSITY}.mixing<pca>.evaluations": Effect(7, {f"{DENSITY}.mixing": MIXED}, notes),
    f"{DENSITY}.mixing<optimize>.method": Effect("optimize", {f"{DENSITY}.mixing": {**MIXED, "evaluations": 4}}),
    f"{DENSITY}.mixing<optimize>.channels": Effect(
        2, {f"{DENSITY}.mixing": {"method": "optimize", "channels": 1, "evaluations": 3}}),
    f"{DENSITY}.mixing<optimize>.evaluations": Effect(
        9, {f"{DENSITY}.mixing": {"method": "optimize", "channels": 1, "evaluations": 3}}),
    f"{DENSITY}.mixing<given>.method": Effect({"method": "given", "matrix": [[1.0, -1.0]]}),
    f"{DENSITY}.mixing<given>.matrix": Effect(
        [[1.0, 0.5]], {f"{DENSITY}.mixing": {"method": "given", "matrix": [[1.0, -1.0]]}}),
    f"{FIELD}.name": Effect("W", FAR, "refused: uses expansion 'V'"),
    f"{FIELD}.type": Effect("density", FAR, "refused: unknown option 'exponent', which belongs to potential"),
    f"{FIELD}.n_max": Effect(2, FAR),
    f"{FIELD}.l_max": Effect(0, FAR),
    f"{FIELD}.exponent": Effect(3, FAR),
    f"{FIELD}.smearing": Effect(1.4, FAR),
    f"{FIELD}.center_atom_weight": Effect(0.5, FAR),
    f"{FIELD}.accuracy": Effect(1e-5, FAR),
    f"{FIELD}.basis<multi_width>.type": Effect("multi_width", {**FAR, **GTO}),
    f"{FIELD}.basis<multi_width>.widths": Effect([1.9], FAR),
    f"{FIELD}.basis<gto>.type": Effect({"type": "gto", "radius": 3.0}, FAR),
    f"{FIELD}.basis<gto>.radius": Effect(4.0, {**FAR, f"{FIELD}.basis": {"type": "gto", "radius": 3.0}}),
    f"{FIELD}.mixing<pca>.method": Effect(MIXED, FAR),
    f"{FIELD}.mixing<pca>.channels": Effect(2, {**FAR, f"{FIELD}.mixing": MIXED}),
    f"{FIELD}.mixing<pca>.evaluations": Effect(7, {**FAR, f"{FIELD}.mixing": MIXED}, notes),
    f"{FIELD}.mixing<optimize>.method": Effect({"method": "optimize", "channels": 1, "evaluations": 4}, FAR),
    f"{FIELD}.mixing<optimize>.channels": Effect(
        2, {**FAR, f"{FIELD}.mixing": {"method": "optimize", "channels": 1, "evaluations": 3}}),
    f"{FIELD}.mixing<optimize>.evaluations": Effect(
        9, {**FAR, f"{FIELD}.mixing": {"method": "optimize", "channels": 1, "evaluations": 3}}),
    f"{FIELD}.mixing<given>.method": Effect({"method": "given", "matrix": [[1.0, -1.0]]}, FAR),
    f"{FIELD}.mixing<given>.matrix": Effect(
        [[1.0, 0.5]], {**FAR, f"{FIELD}.mixing": {"method": "given", "matrix": [[1.0, -1.0]]}}),
    "layers[].name": Effect("B", LAYER, "refused: uses expansion 'A'"),
    "layers[].inputs": Effect(["rho", "V"], {**FAR, **LAYER}),
    "layers[].channels": Effect(3, LAYER),
    "layers[].l_max": Effect(0, LAYER, "refused: l_max must be at most 0"),
    "layers[].per_center": Effect(False, LAYER),
    "layers[].mixing<random>.method": Effect("random", {**LAYER, "layers[].mixing": "pca"}),
    "layers[].mixing<random>.decay": Effect(0.5, LAYER),
    "layers[].mixing<pca>.method": Effect("pca", LAYER),
    "layers[].mixing<optimize>.method": Effect({"method": "optimize", "iterations": 3}, LAYER),
    "layers[].mixing<optimize>.decay": Effect(0.5, OPTIMIZED),
    "layers[].mixing<optimize>.structures": Effect(4, OPTIMIZED),
    "layers[].mixing<optimize>.iterations": Effect(1, OPTIMIZED, notes),
    "layers[].mixing<optimize>.patience": Effect(1, {**OPTIMIZED, "layers[].mixing": {
        "method": "optimize", "structures": 6, "iterations": 40, "patience": 12}}, notes),
    "layers[].mixing<optimize>.l_max": Effect([1, 1], OPTIMIZED),
    "terms[].invariants[].l_max": Effect([1, 1], LAYER),
    "targets[].name": Effect("moment", TARGET),
    "targets[].key": Effect("mu2", TARGET),
    "targets[].type": Effect("scalar", TARGET, "refused: unit e.Angstrom is not one of a scalar output"),
    "targets[].products[].a": Effect("B", MANY, "refused: uses expansion 'B'"),
    "targets[].products[].l_max": Effect([1, 1, 1], MANY),
    "targets[].unit": Effect("Debye", TARGET),
    "targets[].per": Effect("volume", {**TARGET, "targets[].unit": "debye per volume", "targets[].name": "mu"}),
    "targets[].sign": Effect(-1, TARGET),
    "targets[].charge": Effect("q", TARGET, "refused: a periodic structure with the charge 1 has no 'dipole'"),
    "targets[].origin": Effect("center_of_mass", {
        **TARGET, "targets[].origin": "coordinates", "targets[].charge": "q", "data.files[].path": "c.xyz",
        "data.stress": None, "data.zbl": None}),
    "targets[].baseline": Effect("fit", {**TARGET, "targets[].type": "symmetric", "targets[].key": "alpha",
                                         "targets[].name": "alpha", "targets[].unit": ""}),
    "targets[].error": Effect(1.0, BORN),
    "targets[].regularization": Effect(1e3, TARGET),
    "targets[].derivative.key": Effect("born2", BORN),
    "targets[].derivative.first": Effect("displacement", BORN),
    "targets[].derivative.error": Effect(1e-3, BORN),
    "targets[].regressor<linear>.type": Effect("linear", KERNEL_TARGET),
    "targets[].regressor<kernel>.type": Effect({"type": "kernel", "points": 6}, TARGET),
    "targets[].regressor<kernel>.zeta": Effect(3, KERNEL_TARGET),
    "targets[].regressor<kernel>.points": Effect(9, KERNEL_TARGET),
    "targets[].regressor<kernel>.epsilon": Effect(0.5, KERNEL_TARGET),
    "terms[].name": Effect("near"),
    "terms[].weight": Effect(30.0, TWO),
    "terms[].invariants[].nu": Effect(1, {"terms[].invariants": [{"nu": 2, "a": "rho"}]}),
    "terms[].invariants[].a": Effect("rho", {**FAR, "terms[].invariants": [{"nu": 1, "a": "V"}]}),
    "terms[].invariants[].b": Effect("V", FAR),
    "terms[].invariants[].scale": Effect(0.01),
    "terms[].invariants[].select.n": Effect(5),
    "terms[].invariants[].select.method": Effect("cur", {"terms[].invariants[].select": {"n": 5}}),
    "terms[].regressor<linear>.type": Effect("linear", {"terms[].regressor": {"type": "kernel", "points": 6}}),
    "terms[].regressor<linear>.extrapolation": Effect(False),
    "terms[].regressor<kernel>.type": Effect({"type": "kernel", "points": 6}),
    "terms[].regressor<kernel>.zeta": Effect(3, KERNEL),
    "terms[].regressor<kernel>.points": Effect(9, KERNEL),
    "terms[].regressor<kernel>.method": Effect("cur", KERNEL),
    "terms[].regressor<kernel>.normalize": Effect(False, KERNEL),
    "terms[].regressor<kernel>.epsilon": Effect(0.5, KERNEL),
    "terms[].regressor<kernel>.precision": Effect("single", KERNEL),
    "weights.energy": Effect(0.5),
    "weights.forces": Effect(5.0),
    "weights.virial": Effect(5.0),
    "weights.config_types.*.energy": Effect(100.0, CONFIG),
    "weights.config_types.*.forces": Effect(100.0, CONFIG),
    "weights.config_types.*.virial": Effect(100.0, CONFIG),
    "solver.method": Effect("normal"),
    "solver.regularization": Effect(1.0),
    "solver.criterion": Effect("gcv", FREE_LAMBDA),
    "solver.terms": Effect(True, {**TWO, **FREE_LAMBDA}),
    "solver.refit": Effect(True),
    "solver.folds": Effect(3, {"solver": {"criterion": "folds"}}, report("regularization", "scores")),
    "committee.members": Effect(4, MORE, members),
    "committee.fraction": Effect(0.8, COMMITTEE),
    "committee.calibrate": Effect("energy", COMMITTEE),
    "budget.memory": Effect("1 kB", seen="refused: raise budget.memory"),
    "budget.disk": Effect(0, {"keep_checkpoint": True}, rows_on_disk),
    "budget.threads": Effect(2, seen="threads"),
    "engine.lode": Effect("mesh", {**FAR, "engine": {"lode": "ksum"}}),
    "engine.accuracy": Effect(1e-2, {**FAR, "engine": {"lode": "ksum"}}),
    "engine.mesh": Effect([16, 16, 16], {**FAR, "engine": {"lode": "mesh"}}),
    "engine.order": Effect(5, {**FAR, "engine": {"lode": "mesh"}}),
    "engine.k_cutoff": Effect(2.0, {**FAR, "engine": {"lode": "ksum"}}),
    "engine.memory_limit": Effect(1000, FAR, "refused: memory"),
}  # fmt: skip


def leaves():
    paths = [o.path for o in all_options()]
    return [p for p in paths if not any(q.startswith((f"{p}.", f"{p}[", f"{p}<")) for q in paths)]


def test_every_option_has_a_line_here():
    assert sorted(EFFECTS) == sorted(leaves())


@pytest.fixture(scope="module")
def folder_of_data(tmp_path_factory):
    """Two files of salt with every entry that an option can name."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    frames = []
    for k, atoms in enumerate(known_data()[:24]):
        copied = Atoms(atoms)
        noisy = {n: v + 0.02 * np.abs(v).mean() * rng.normal(size=np.shape(v)) for n, v in atoms.calc.results.items()}
        copied.calc = SinglePointCalculator(copied, **{n: noisy[n] for n in ("energy", "forces", "stress")})
        copied.info |= {"double": 2 * noisy["energy"], "kind": "odd" if k % 2 else "even", "distance": 1.0 + k}
        copied.info["w"] = -copied.get_volume() * noisy["stress"]
        copied.info["set"] = ("train", "train", "validation", "test")[k % 4]
        copied.info["set2"] = ("train", "validation", "train", "train")[k % 4]
        copied.arrays["double_forces"] = 2 * noisy["forces"]
        copied.info |= {name: rng.normal(size=3) for name in ("mu", "mu2")} | {"q": 1}
        copied.info["alpha"] = np.eye(3) + 0.1 * k
        copied.arrays |= {name: rng.normal(size=(len(atoms), 9)) for name in ("born", "born2")}
        frames.append(copied)
    clusters = [Atoms(atoms) for atoms in frames[:12]]
    for cluster, atoms in zip(clusters, frames, strict=False):
        cluster.set_pbc(False)
        cluster.set_cell(None)
        cluster.info |= {"mu": atoms.info["mu"], "q": 1}
        cluster.calc = SinglePointCalculator(cluster, energy=atoms.calc.results["energy"], forces=atoms.get_forces())
    ase.io.write(folder / "c.xyz", clusters)
    known_model(seed=2, reference=(0.0, 0.0)).save(folder / "base.mlcalc")
    ase.io.write(folder / "a.xyz", frames[:12])
    ase.io.write(folder / "b.xyz", frames[12:])
    return folder


def base(folder):
    return {
        "model": "m.mlcalc",
        "data": {"files": [{"path": str(folder / "a.xyz")}], "stress": "stress",
                 "split": {"validation": 0.25, "test": 0.1}},
        "expansions": [{"name": "rho", "type": "density", "n_max": 2, "l_max": 1, "cutoff": 4.0}],
        "terms": [{"name": "soap", "invariants": [{"nu": 2, "a": "rho"}], "regressor": {"type": "linear"}}],
        "solver": {"regularization": 1e-4}, "budget": {"threads": 1},
    }  # fmt: skip


V = {"name": "V", "type": "potential", "n_max": 1, "l_max": 1, "exponent": 1}


def put(options, path, value, data):
    """Writes a value at a path of the table."""
    if (path, value) == ("expansions[]", "V"):
        options["expansions"].append(dict(V))
        options["terms"][0]["invariants"].append({"nu": 1, "a": "V"})
    elif (path, value) == ("layers[]", "A"):
        options["layers"] = [{"name": "A", "inputs": ["rho"], "channels": 2, "l_max": 1}]
        options["terms"][0]["invariants"] = [{"a": "A", "l_max": [1, 1, 1]}]
    elif (path, value) == ("targets[]", "dipole"):
        options["targets"] = [{"name": "dipole", "key": "mu", "type": "vector", "products": ["rho rho"],
                               "unit": "e*Angstrom", "charge": None}]  # fmt: skip
    elif (path, value) == ("terms", "two"):
        options["terms"].append(
            {"name": "pairs", "invariants": [{"nu": 1, "a": "rho"}], "regressor": {"type": "linear"}}
        )
    elif (path, value) == ("data.files", "both"):
        options["data"]["files"] = [{"path": str(data / f), "split": "train"} for f in ("a.xyz", "b.xyz")]
    elif (path, value) == ("data.files", "more"):
        options["data"]["files"] = [{"path": str(data / f)} for f in ("a.xyz", "b.xyz")]
    elif path == "data.baseline":
        options["data"]["baseline"] = [str(data / value)]
    elif path == "data.files[].path":
        options["data"]["files"][0]["path"] = str(data / value)
    else:
        _put(options, path, value)


def _put(options, path, value):
    place = options
    *parents, last = re.sub(r"<(density|potential)>", "", path).split(".")
    index = 1 if "<potential>" in path else 0
    for name in [*parents, last]:
        kind = re.search(r"<(.*)>", name)
        key = re.sub(r"[<\[].*", "", name)
        key = "odd" if key == "*" else key
        if name is last and not name.endswith("[]"):
            # the word of a group with settings of its own stands for the whole group
            place[key] = value
            return
        if name.endswith("[]"):
            place = place[key][index if key == "expansions" else 0]
            continue
        if kind and last == ("method" if key == "mixing" else "type"):
            new = value if isinstance(value, dict) else {last: value}
            old = place.get(key)
            shared = {k: v for k, v in old.items() if k in ("channels", "evaluations")} if isinstance(old, dict) else {}
            place[key] = {**shared, **new}
            return
        inside = place.get(key)
        if kind and not isinstance(inside, dict):
            inside = {"method" if key == "mixing" else "type": kind.group(1)}
        place[key] = inside = {} if inside is None else inside
        place = inside


def run(options, monkeypatch, folder):
    folder.mkdir()
    monkeypatch.chdir(folder)
    return fit(copy.deepcopy(options), progress=False, figures=False)


def essence(model):
    """What a model is without where it comes from."""
    model = copy.copy(model)
    model.provenance = {}
    return model.to_bytes()


@pytest.mark.parametrize("path", sorted(EFFECTS))
def test_an_option_has_its_effect(path, folder_of_data, tmp_path, monkeypatch):
    effect = EFFECTS[path]
    options = base(folder_of_data)
    for name, value in effect.base.items():
        put(options, name, value, folder_of_data)
    changed = copy.deepcopy(options)
    put(changed, path, effect.value, folder_of_data)
    if path == "solver.regularization":
        options["solver"] = {"regularization": 1e-6}
    assert changed != options
    before = run(options, monkeypatch, tmp_path / "before")
    if isinstance(effect.seen, str) and effect.seen.startswith("refused: "):
        with pytest.raises((OptionError, ValueError, RuntimeError), match=effect.seen.removeprefix("refused: ")):
            run(changed, monkeypatch, tmp_path / "after")
        return
    if effect.seen == "threads":
        jobs = [data_of(parse_options(o), None, Progress(False)) for o in (options, changed)]
        assert [job.threads for job in jobs] == [1, 2]
        return
    after = run(changed, monkeypatch, tmp_path / "after")
    if effect.seen == "model":
        assert essence(before.model) != essence(after.model)
    else:
        assert effect.seen(before, tmp_path / "before") != effect.seen(after, tmp_path / "after")


def test_the_same_options_give_the_same_model(folder_of_data, tmp_path, monkeypatch):
    """Or every option would seem to have an effect."""
    first, again = (run(base(folder_of_data), monkeypatch, tmp_path / name) for name in ("first", "again"))
    assert essence(first.model) == essence(again.model)
