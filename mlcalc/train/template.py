# SPDX-License-Identifier: BSD-3-Clause
"""A commented options file for a given data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ase.data import chemical_symbols, covalent_radii

from ..model import ChannelProduct
from ..running.boundaries import kind_of
from .data import DataError, found_keys, read_frames
from .options import KINDS, WeightOptions

#: names under which labels are found in practice, most likely first
USUAL = {
    "energy": ("energy", "dft_energy", "DFT_energy", "REF_energy", "total_energy", "Energy", "ref_energy"),
    "forces": ("forces", "dft_forces", "DFT_forces", "REF_forces", "force", "Forces", "ref_forces"),
    "stress": ("stress", "dft_stress", "REF_stress", "ref_stress"),
    "virial": ("virial", "dft_virial", "DFT_virial", "virials", "REF_virial"),
    "config_type": ("config_type", "group", "label", "type"),
    "distance": ("distance",),
}

#: largest angular momenta of one, two, three and four factors
BODIES = (3, 3, 3, 3)
#: width of the density of a term of pairs alone, Angstrom
FINE = 0.25
#: structures that channels are optimized on
OPTIMIZED = 200

#: of a committee, where there are structures enough
MEMBERS = 8

TEMPLATE = """# Options of `mlcalc train`. Energies in eV, lengths in Angstrom. Try `mlcalc train --dry-run` first.
{tried}model: {stem}.mlcalc          # the report goes to {stem}-report/
seed: 1

data:
  files:
{files}
  # Names of the labels. A name that is not in the data is an error. Write null for what the data does not have.
  # Found in the data: {found}
  energy: {energy}
  forces: {forces}
  stress: {stress}              # tensile is positive, as in ASE; see units if it is not
  virial: {virial}              # -dE/dstrain in eV; either stress or virial
  config_type: {config_type}         # errors are reported, and weights can be set, per value of this entry
  distance: {distance}            # curves of energy against this entry are drawn
  # units: {{energy: eV, length: Angstrom, stress: GPa, stress_sign: compressive}}
  split: {{method: fraction, validation: 0.1, test: 0.1}}     # or file, or {{method: group, group: <info entry>}}
  # Energy of an atom far from all others, eV: numbers, {{{symbol}: -1.0}}, of the method that made the data are best.
  # auto: isolated atoms of the data, or else an estimate
  reference_energies: auto
  zbl: auto                    # repulsion of pairs closer than in the data

# What an atom sees. {n_species} species: {species}. Median distance of nearest neighbors: {nearest:.2f} Angstrom.
expansions:
  - {{name: rho, type: density, n_max: {n_max}, l_max: {l_max}, cutoff: {cutoff:.1f},
     density: {{type: gaussian, width: {width:.2f}}}, smoothing: {{type: shifted_cosine, width: {smoothing:.1f}}}}}
{forms}
weights:                       # expected errors (sigma); smaller counts more
  energy: {energy_sigma}                # eV per atom
  forces: {forces_sigma}                  # eV/Angstrom
  virial: {virial_sigma}                 # eV per atom
  # config_types: {{liquid: 2, surface: {{energy: 3}}}}    # factors on the sigmas

solver: {{regularization: auto, criterion: auto}}
committee: {{members: {members}}}       # for uncertainties; 0: none
budget: {{memory: 2 GB, threads: 0}}     # 0: all cores
"""


def template(paths, index=":", form: str = "kernel", far: bool = False, tried: str = "") -> str:
    """The text of an options file for these data files, with hyperparameters that suit their species and distances.

    ``form`` is ``kernel`` (on products of two densities) or ``bodies`` (linear on products of up to four); ``far`` adds
    the far field; the other choices stand beside as comments. ``tried`` are lines of comment for the head.

    Raises DataError if a file cannot be read."""
    paths = [paths] if isinstance(paths, str | Path) else list(paths)
    return template_of([a for p in paths for a in read_frames(p, index)], paths, form, far, tried)


def template_of(frames, paths, form: str = "kernel", far: bool = False, tried: str = "") -> str:
    """The same for frames (list of ase.Atoms) that were read from the files ``paths``."""
    keys = sorted({k.split(" (")[0] for a in frames for k in found_keys(a)})
    names = {what: next((n for n in usual if n in keys), "null") for what, usual in USUAL.items()}
    if names["energy"] == "null" and names["forces"] == "null":
        energies = [k for k in keys if "energy" in k.lower()]
        names["energy"] = energies[0] if energies else "null"
    if names["stress"] != "null":
        names["virial"] = "null"
    species = sorted({int(z) for a in frames for z in a.numbers})
    if not species:
        raise DataError(f"{paths[0]} has no atoms")
    nearest = _nearest_distance(frames)
    # two to three coordination shells; the smearing must be narrower than a bond
    cutoff = float(np.clip(2.2 * nearest, 4.0, 6.0))
    # far more than one species makes n_max and l_max expensive: features grow with their square
    n_max, l_max = {1: (8, 8), 2: (8, 6), 3: (6, 6)}.get(len(species), (6, 4))
    return TEMPLATE.format(
        tried="".join(f"# {line}".rstrip() + "\n" for line in tried.splitlines()),
        stem=Path(paths[0]).stem,
        files="\n".join(f"    - {p}" for p in paths),
        found=", ".join(keys) or "nothing",
        symbol=chemical_symbols[species[0]],
        n_species=len(species),
        species=" ".join(chemical_symbols[z] for z in species),
        nearest=nearest,
        n_max=n_max,
        l_max=l_max if form == "kernel" else BODIES[0],
        cutoff=cutoff,
        width=float(np.clip(0.2 * nearest, 0.3, 0.5)),
        smoothing=min(1.0, 0.2 * cutoff),
        forms=_forms(form, far, frames, l_max, nearest, cutoff),
        members=MEMBERS if 0.8 * len(frames) >= 2 * MEMBERS else 0,
        **{f"{k}_sigma": v for k, v in WeightOptions().model_dump(include={*KINDS}).items()},
        **names,
    )


def may_have_far_field(frames) -> bool:
    """Whether the frames (list of ase.Atoms) have several species, and boundaries that the far field is defined for."""
    return len({z for a in frames for z in a.numbers}) > 1 and all(kind_of(a.pbc) != "wire" for a in frames)


def _points(frames) -> int:
    """Sparse points of a kernel: a tenth of the atoms."""
    return int(np.clip(50 * round(sum(len(a) for a in frames) / 10 / 50), 100, 1000))


def weights_per_channel(frames) -> int:
    """Of products of up to four factors, of all species."""
    return len(ChannelProduct.up_to("A", BODIES).paths) * len({z for a in frames for z in a.numbers})


def _layer(frames, inputs: str) -> str:
    """Channels and their mixing: optimized for several species where enough labels determine all weights."""
    n = weights_per_channel(frames)
    n_species = len({z for a in frames for z in a.numbers})
    labels = sum(1 + 3 * len(a) for a in frames)
    few = min(1, OPTIMIZED / len(frames)) * labels
    channels = next((k for k in (32, 16) if k * n < labels), 8)
    mixing = "random"
    if n_species > 1 and 1.5 * 8 * n < few:
        channels = next(k for k in (32, 16, 8) if 1.5 * k * n < few)
        mixing = f"{{method: optimize, structures: {OPTIMIZED}}}"
    return f"  - {{name: A, inputs: [{inputs}], channels: {channels}, l_max: {BODIES[0]}, mixing: {mixing}}}"


def _forms(form, far, frames, l_max, nearest, cutoff) -> str:
    """The lines of the pairs, the field, the layers and the terms; what was not chosen is a comment."""
    smearing = max(1.0, 0.5 * nearest)
    field = f"  - {{name: V, type: potential, exponent: 1, smearing: {smearing:.1f}, n_max: 2, l_max: 2}}"
    kernel = ["  - name: soap", "    invariants: [{nu: 2, a: rho, b: rho}]",
              f"    regressor: {{type: kernel, zeta: 4, points: {_points(frames)}, method: fps}}"]  # fmt: skip
    bodies = ["  - name: bodies", f"    invariants: [{{a: A, l_max: {list(BODIES)}}}]", "    regressor: {type: linear}"]
    fine = ["  # finer in distance, for a term of pairs alone",
            f"  - {{name: pairs, type: density, n_max: 12, l_max: 0, cutoff: {cutoff:.1f},",
            f"     density: {{type: gaussian, width: {FINE}}}, "
            f"smoothing: {{type: shifted_cosine, width: {min(1.0, 0.2 * cutoff):.1f}}}}}"]  # fmt: skip
    pairs = "  - {name: pairs, invariants: [{nu: 1, a: pairs}], regressor: {type: linear}}"
    lode = "  - {name: lode, invariants: [{nu: 2, a: rho, b: V}], regressor: {type: linear}}"
    taken, other = (kernel, bodies) if form == "kernel" else (bodies, kernel)
    may_have_far, is_bodies = may_have_far_field(frames), form == "bodies"
    lines = [fine[0], *(_shown(line, not is_bodies) for line in fine[1:])]
    if may_have_far:
        lines += ["  # the far field of everything else (LODE), for ions and polar molecules", _shown(field, far)]
    lines += ["# channels whose products of up to four factors the term `bodies` takes", _shown("layers:", is_bodies),
              _shown(_layer(frames, "rho"), is_bodies), "", "terms:", *taken]  # fmt: skip
    lines.append("  # or" if form == "kernel" else f"  # or, with l_max: {l_max} of rho")
    lines += [_shown(line, False) for line in other]
    lines += ["  # pairs alone", _shown(pairs, not is_bodies)]
    if may_have_far:
        lines += ["  # with the far field", _shown(lode, far)]
    return "\n".join(lines) + "\n"


def _shown(line: str, active: bool) -> str:
    return line if active else f"# {line}"


def _nearest_distance(frames) -> float:
    """Median over sampled atoms of the distance to the nearest neighbor."""
    from ..running.neighbors import nearest_distances

    distances: list[float] = []
    for atoms in frames[:: max(1, len(frames) // 20)]:
        nearest = nearest_distances(atoms, 5.0)
        distances += nearest[np.isfinite(nearest)].tolist()
    if distances:
        return float(np.median(distances))
    return float(2 * np.mean([covalent_radii[z] for a in frames[:1] for z in a.numbers] or [1.0]))
