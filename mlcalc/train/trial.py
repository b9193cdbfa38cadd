# SPDX-License-Identifier: BSD-3-Clause
"""Which kind of model the data at hand ask for: small fits of each, compared on structures held out."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from .data import DataError, read_frames
from .progress import Progress
from .template import may_have_far_field, template_of, weights_per_channel

#: structures that are tried at most, and atoms of one species, of several by so much fewer
MOST_STRUCTURES, MOST_ATOMS = 120, 4000
#: steps of the optimization of channels, sparse points, and weights of products of channels, about
STEPS, POINTS, WEIGHTS = 10, 300, 800
#: of them are held out for the comparison
HELD_OUT = 0.25
#: a far field must take so much off the error that it is worth its time
WORTH = 0.9
#: a kernel is as good a choice unless more factors take so much off its error
BETTER = 0.9
#: fewer structures tell nothing
FEWEST = 16

TITLES = {
    ("kernel", False): "kernel of rho x rho",
    ("bodies", False): "linear, up to four factors",
    ("kernel", True): "kernel, and rho x V",
    ("bodies", True): "linear, and rho x V",
}


@dataclass(frozen=True)
class Tried:
    """One kind of model: form, with far field or not, root-mean-square errors (eV/atom and eV/Å, NaN without labels) of
    structures it was not trained on, and microseconds per atom for energy, forces and virial on one core."""

    form: str
    far: bool
    energy: float
    force: float
    microseconds: float

    @property
    def error(self) -> float:
        """What kinds are compared by: forces where there are labels of them."""
        return self.force if np.isfinite(self.force) else self.energy


@dataclass(frozen=True)
class Trial:
    """What was tried, what it says in words, and the choice."""

    tried: list[Tried]
    text: str
    form: str = "kernel"
    far: bool = False


def template_by_trial(paths, index=":", progress: bool = True) -> tuple[str, Trial]:
    """An options file for these data files whose kind of model was chosen by small fits, and what they gave.

    Raises DataError if a file cannot be read."""
    paths = [paths] if isinstance(paths, str | Path) else list(paths)
    frames = [a for p in paths for a in read_frames(p, index)]
    found = trial(frames, paths, progress)
    return template_of(frames, paths, found.form, found.far, found.text), found


def trial(frames, paths, progress: bool = True) -> Trial:
    """Fits each kind of model to a part of the frames (list of ase.Atoms, of the files ``paths``)."""
    chosen = _some(frames)
    if len(chosen) < FEWEST:
        return Trial([], f"{len(chosen)} structures are too few to try which kind of model is best.")
    say = Progress(progress).say
    tried: list[Tried] = []

    def attempt(form, far):
        try:
            tried.append(_fit(chosen, paths, form, far))
        except (ValueError, DataError) as error:
            return f"{TITLES[form, far]} could not be tried: {error}"
        say(f"tried on {len(chosen)} structures: {_line(tried[-1]).strip()}")
        return None

    failed = [attempt(form, False) for form in ("kernel", "bodies")]
    best = _choice(tried) if tried else None
    if best and may_have_far_field(frames):
        failed.append(attempt(best.form, True))
    notes = [text for text in failed if text]
    if best is None:
        return Trial([], "\n".join(notes))
    far = tried[-1].far and tried[-1].error < WORTH * best.error
    return Trial(tried, "\n".join([_text(tried, best, far, len(chosen)), *notes]), best.form, far)


def _some(frames) -> list:
    """A part of the frames, evenly spaced: neighbors in a trajectory are alike."""
    n_atoms = np.mean([len(a) for a in frames])
    n_species = len({z for a in frames for z in a.numbers})
    n = int(min(len(frames), MOST_STRUCTURES, max(FEWEST, MOST_ATOMS / n_species // n_atoms)))
    return [frames[k] for k in np.unique(np.linspace(0, len(frames) - 1, n).round().astype(int))]


def _fit(frames, paths, form: str, far: bool) -> Tried:
    from .cost import microseconds_per_atom
    from .run import fit

    options = yaml.safe_load(template_of(frames, paths, form, far))
    with tempfile.TemporaryDirectory() as folder:
        options["model"] = f"{folder}/trial.mlcalc"
        options["data"]["files"] = ["frames"]
        options["data"]["split"] = {"method": "fraction", "validation": 0.15, "test": HELD_OUT}
        options["committee"] = {"members": 0}
        for layer in options.get("layers", []):
            layer["channels"] = min(layer["channels"], max(8, WEIGHTS // weights_per_channel(frames)))
            if layer["mixing"] != "random":
                layer["mixing"]["iterations"] = STEPS
        for term in options["terms"]:
            if "points" in term["regressor"]:
                term["regressor"]["points"] = min(POINTS, term["regressor"]["points"])
        result = fit(options, frames, progress=False, figures=False)
    errors = result.report["errors"]["test"]["all"]
    energy, force = (errors.get(kind, {}).get("rmse", np.nan) for kind in ("energy", "forces"))
    return Tried(form, far, energy, force, microseconds_per_atom(result.model, frames[-1]))


def _choice(tried: list[Tried]) -> Tried:
    """Products of many factors where they are more accurate than the kernel."""
    kernel = next((t for t in tried if t.form == "kernel"), None)
    bodies = next((t for t in tried if t.form == "bodies"), None)
    if kernel is None or (bodies is not None and bodies.error < BETTER * kernel.error):
        return bodies or tried[0]
    return kernel


def _line(t: Tried) -> str:
    return f"  {TITLES[t.form, t.far]:<28}{1e3 * t.energy:>10.2f}{1e3 * t.force:>10.1f}{t.microseconds:>10.1f}"


def _text(tried: list[Tried], best: Tried, far: bool, n: int) -> str:
    lines = [f"Tried on {n} structures of these data, a quarter of them held out (RMSE; us per atom on one core):",
             f"  {'':<28}{'meV/atom':>10}{'meV/A':>10}{'us/atom':>10}"]  # fmt: skip
    lines += [_line(t) for t in tried]
    lines.append(f"Chosen: {TITLES[best.form, far]}. With all data errors are smaller, and may come in another order.")
    if best.form == "kernel" and min(t.error for t in tried if not t.far) < best.error:
        lines.append("Four factors are about as accurate here, and cost less: docs/choosing.md.")
    if tried[-1].far:
        change = 100 * (1 - tried[-1].error / best.error)
        verdict = "so it is in" if far else "less than the 10 % that it is worth, so it is left out"
        lines.append(f"The far field takes {change:.0f} % off the error, {verdict}.")
    return "\n".join(lines)
