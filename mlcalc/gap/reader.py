# SPDX-License-Identifier: BSD-3-Clause
"""What a QUIP XML file says, as data: nothing is evaluated, little is judged."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from .quip_strings import arguments, integers, logical, number, numbers
from .sparse_file import read_points
from .xml_tree import Tree

COVARIANCES = {1: "ard_se", 2: "dot_product", 3: "bond_real_space", 4: "pp"}


@dataclass
class Coordinate:
    """A descriptor and the sparse Gaussian process on it: a gpCoordinates element.

    ``options`` are the key=value pairs of the descriptor, keys in lower case; ``version`` decides some defaults."""

    kind: str
    options: dict[str, str]
    version: int
    covariance: str
    delta: float
    f0: float
    zeta: float | None
    theta: np.ndarray | None
    permutations: np.ndarray
    points: np.ndarray
    alpha: np.ndarray
    cutoffs: np.ndarray

    @property
    def weights(self):
        """What multiplies the kernel with each sparse point, eV."""
        return self.alpha * self.cutoffs * self.delta**2

    def text(self, *names, default=None):
        """The option of the first of these names that is there. Raises ValueError if there is none, nor a default."""
        for name in names:
            if name in self.options:
                return self.options[name]
        if default is None:
            raise ValueError(f"the descriptor {self.kind} has no {names[0]}")
        return default

    def _converted(self, convert, what, names, default):
        text = self.text(*names, default=default)
        try:
            return convert(text)
        except ValueError:
            raise ValueError(f"{names[0]}={text} of the descriptor {self.kind} is not {what}") from None

    def number(self, *names, default=None):
        return self._converted(number, "a number", names, default)

    def integer(self, *names, default=None):
        return self._converted(int, "an integer", names, default)

    def numbers(self, *names, default=None):
        return self._converted(numbers, "a list of numbers", names, default)

    def integers(self, *names, default="0"):
        return self._converted(integers, "a list of integers", names, default)

    def logical(self, *names, default="F"):
        return logical(self.text(*names, default=default))


@dataclass
class Potential:
    """One GAP: energies of atoms by atomic number (eV), and its coordinates."""

    label: str
    version: int
    e0: dict[int, float]
    coordinates: list[Coordinate]


@dataclass
class Gap:
    """The potentials of a file, ``label`` that of their sum, ``core`` the others of it: their words, their options, and
    ``root`` the XML with their numbers.

    ``species`` are those of the training set, if it is stored; ``hashes`` the sha256 of each file."""

    path: Path
    potentials: list[Potential]
    label: str | None = None
    core: list[tuple[list[str], dict[str, str]]] = field(default_factory=list)
    root: Element | None = None
    species: set[int] = field(default_factory=set)
    hashes: dict[str, str] = field(default_factory=dict)


def read(path, progress=None) -> Gap:
    """A potential of QUIP: the XML file ``path`` and the files of sparse points that it names, in its folder.

    ``progress(bytes)`` is called while the latter are read. Raises ValueError with a sentence that names the file and
    what is missing, damaged or unknown in it."""
    path = Path(path)
    tree = Tree(path)
    gap = Gap(path, [], root=tree.root, species=tree.species, hashes={path.name: _sha256(path)})
    sets = list(tree.root.iter("GAP_params"))
    if not sets:
        raise ValueError(f"{path}: there is no GAP_params in it, so it is no Gaussian approximation potential")
    labels = _components(path, tree.root, gap) or [None]
    for label in labels:
        params = next((p for p in sets if label in (None, p.get("label"))), None)
        if params is None:
            raise ValueError(f"{path}: there is no GAP_params with the label {label!r}")
        gap.potentials.append(_read_potential(params, tree, gap, progress))
    return gap


def _sha256(path):
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _components(path, root, gap):
    """Labels of the GAPs that the potential is a sum of; what is no GAP goes to ``gap.core``."""
    element = next((e for e in root.iter("Potential") if "GAP" in (e.get("init_args") or "")), None)
    gap.label = None if element is None else element.get("label")
    labels = []
    for words, values in [] if element is None else _sum(element.get("init_args")):
        if float(values.get("e_scale", 1)) != 1 or float(values.get("r_scale", 1)) != 1:
            raise ValueError(f"{path}: the potential {' '.join(words)} is scaled (E_scale or r_scale), which is no GAP")
        if [word.upper() for word in words[:2]] == ["IP", "GAP"]:
            labels.append(values.get("label"))
        else:
            gap.core.append((words, values))
    return labels


def _sum(text):
    words, values = arguments(text)
    if words[:1] == ["Sum"]:
        return _sum(values.get("init_args_pot1", "")) + _sum(values.get("init_args_pot2", ""))
    return [(words, values)]


def _read_potential(params, tree, gap, progress):
    label = params.get("label", "")
    version = int(params.get("gap_version", 0))
    data, sparse = params.find("GAP_data"), next(params.iter("gpSparse"), None)
    if sparse is None:
        raise ValueError(f"{gap.path}: the potential {label!r} has no gpSparse")
    if not logical(sparse.get("fitted", "T")):
        raise ValueError(f"{gap.path}: the potential {label!r} is not fitted")
    e0 = {}
    if data is not None:
        e0 = dict.fromkeys(range(1, 119), number(data.get("e0"))) if data.get("e0") else {}
        e0 |= {int(_attribute(e, "Z", gap)): number(_attribute(e, "value", gap)) for e in data.findall("e0")}
    of_label = {e.get("label"): e for e in tree.root.iter("gpCoordinates")}
    prefix, coordinates = sparse.get("label", label), []
    for k in range(int(_attribute(sparse, "n_coordinate", gap))):
        element = of_label.get(f"{prefix}{k + 1}")
        if element is None:
            raise ValueError(f"{gap.path}: there is no gpCoordinates with the label {prefix}{k + 1}")
        coordinates.append(_read_coordinate(element, version, tree, gap, progress))
    return Potential(label, version, e0, coordinates)


def _attribute(element, name, gap):
    value = element.get(name)
    if value is None:
        raise ValueError(f"{gap.path}: {element.tag} {element.get('label', '')} has no {name}")
    return value


def _read_coordinate(element, version, tree, gap, progress):
    words, options = arguments(element.findtext("descriptor") or "")
    if not words:
        raise ValueError(f"{gap.path}: gpCoordinates {element.get('label')} has no descriptor")
    covariance = COVARIANCES.get(int(_attribute(element, "covariance_type", gap)))
    if covariance is None:
        raise ValueError(f"{gap.path}: covariance_type={element.get('covariance_type')} is not known")
    if not logical(element.get("sparsified", "T")):
        raise ValueError(f"{gap.path}: the Gaussian process of {words[0]} is not sparse")
    zeta, theta = element.get("zeta"), element.findtext("theta")
    theta = None if theta is None else numbers(theta)
    if covariance == "dot_product":  # before zeta was an attribute it was written as the first theta
        if zeta is None and theta is None:
            raise ValueError(f"{gap.path}: the kernel of {words[0]} has no zeta")
        zeta, theta = number(zeta) if zeta is not None else float(theta[0]), None
    permutations = [integers(p.text or "") for p in element.findall("permutation")]
    points, alpha, cutoffs = _read_points(element, words[0], tree, gap, progress)
    return Coordinate(
        words[0],
        options,
        version,
        covariance,
        number(_attribute(element, "signal_variance", gap)),
        number(element.get("signal_mean", "0")),
        zeta,
        theta,
        np.array(permutations or [list(range(1, points.shape[1] + 1))]) - 1,
        points,
        alpha,
        cutoffs,
    )


def _read_points(element, kind, tree, gap, progress):
    n, d = (int(_attribute(element, name, gap)) for name in ("n_sparseX", "dimensions"))
    entries = sorted(element.findall("sparseX"), key=lambda s: int(s.get("i", 0)))
    if [int(s.get("i", 0)) for s in entries] != list(range(1, n + 1)):
        raise ValueError(f"{gap.path}: {kind} has {len(entries)} of {n} sparse points")
    alpha = np.array([number(_attribute(s, "alpha", gap)) for s in entries])
    cutoffs = np.array([number(s.get("sparseCutoff", "1")) for s in entries])
    name = element.get("sparseX_filename")
    if name is None:
        rows = [tree.points[s] for s in entries]
        for k, row in enumerate(rows):
            if len(row) != d:
                raise ValueError(f"{gap.path}: sparse point {k + 1} of {kind} has {len(row)} numbers instead of {d}")
        points = np.array(rows).reshape(n, d)
    else:
        path = gap.path.parent / name
        if not path.is_file():
            raise ValueError(f"{gap.path}: its file of sparse points {name} is missing")
        md5 = element.get("sparseX_md5sum", "").strip()
        points = read_points(path, n, d, md5 if len(md5) == 32 else None, progress)
        gap.hashes[name] = _sha256(path)
    for what, values in (("alpha", alpha), ("sparseCutoff", cutoffs), ("coordinates", points)):
        if not np.all(np.isfinite(values)):
            raise ValueError(f"{gap.path}: the {what} of the sparse points of {kind} are not all finite")
    return points, alpha, cutoffs
