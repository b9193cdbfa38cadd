# SPDX-License-Identifier: BSD-3-Clause
"""Converted potentials beside QUIP's own program: CPU time, and how far the numbers differ.

    OMP_NUM_THREADS=1 python benchmarks/gap.py [--quick] [--only NAME ...] [--log FOLDER]

Energy, forces and stress in one call each, of mlcalc's ASE calculator and of quippy in the same process on one thread,
in turns, the atoms moved before each turn so that nothing can be kept. Rows: the potentials of shared data with 500 and
200 sparse points; the first with 9000 points (its own and noise), and beside angle_3b with 200 points and distance_2b.
``--log`` runs the potential of the LAMMPS distribution (its folder examples/PACKAGES/quip, fetched if there is a
network) and prints the lines of its log beside ours.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import re
import tempfile
import time
import urllib.request
from pathlib import Path

import ase.build
import numpy as np

from mlcalc import MLCalculator, _engine, gap, lammps
from mlcalc.gap.reference import quippy_potential

DATA = Path(os.environ.get("MLCALC_DATA", Path(__file__).parents[2] / "shared/data"))
LAMMPS = "https://raw.githubusercontent.com/lammps/lammps/stable_29Aug2024/examples/PACKAGES/quip/"
LOG = "log.24Jul17.gap.g++.4"
FILES = ("gap_example.xml", "in.gap", "data_gap", LOG)
TARGETS = {"Si, 500 points": 80, "Mo, 200 points": 80, "Si, 9000 points": 20, "Si, 2b, 3b and 500 points": 60}


def silicon(repeat):
    return ase.build.bulk("Si", cubic=True).repeat(repeat)


def molybdenum(repeat):
    return ase.build.bulk("Mo", cubic=True).repeat(repeat)


def coordinates(label, descriptor, rows, alpha, settings, folder, theta=""):
    """A gpCoordinates element, with its sparse points in a file beside the XML."""
    name = f"{label}.sparse"
    (folder / name).write_text("\n".join(map(repr, rows.ravel().tolist())) + "\n")
    text = (
        f'<gpCoordinates label="{label}" dimensions="{rows.shape[1]}" signal_mean="0" sparsified="T" '
        f'n_permutations="1" n_sparseX="{len(rows)}" sparseX_filename="{name}" {settings}>'
    )
    text += f"<theta>{theta} </theta>" if theta else ""
    order = " ".join(map(str, range(1, rows.shape[1] + 1)))
    text += f'<descriptor>{descriptor}</descriptor><permutation i="1">{order} </permutation>\n'
    text += "".join(f'<sparseX i="{k + 1}" alpha="{a!r}" sparseCutoff="1.0"/>\n' for k, a in enumerate(alpha.tolist()))
    return text + "</gpCoordinates>\n"


def write_silicon(folder, n_points, three_body):
    """The soap of gap_si with its sparse points, more of them with noise, and pairs and triples beside it."""
    folder.mkdir()
    soap = gap.read(DATA / "gap_si" / "gap_si_500.xml").potentials[0].coordinates[0]
    rng = np.random.default_rng(0)
    copies = -(-n_points // len(soap.points))
    noise = [1 + 0.02 * (k > 0) * rng.normal(size=soap.points.shape) for k in range(copies)]
    rows = np.concatenate([soap.points * factors for factors in noise])[:n_points]
    rows /= np.linalg.norm(rows, axis=1)[:, None]
    alpha = np.concatenate([soap.alpha / copies] * copies)[:n_points]
    words = " ".join(["soap", *(f"{key}={{{value}}}" for key, value in soap.options.items())])
    settings = f'signal_variance="{soap.delta}" covariance_type="2" zeta="{soap.zeta}"'
    parts = [coordinates("P1", words, rows, alpha, settings, folder)]
    if three_body:
        r = np.linspace(2.0, 5.0, 20)[:, None]
        a, b, angle = rng.uniform(2.1, 3.9, 200), rng.uniform(2.1, 3.9, 200), rng.uniform(0.8, np.pi, 200)
        x = np.stack([a + b, (a - b) ** 2, np.sqrt(a * a + b * b - 2 * a * b * np.cos(angle))], axis=1)
        settings = 'signal_variance="0.1" covariance_type="1"'
        for label, descriptor, rows, theta in (
            ("P2", "distance_2b cutoff=5.0 Z1=14 Z2=14", r, "1.0"),
            ("P3", "angle_3b cutoff=4.0 Z=14 Z1=14 Z2=14", x, "1.0 1.0 1.0"),
        ):
            parts.append(coordinates(label, descriptor, rows, rng.normal(size=len(rows)), settings, folder, theta))
    (folder / "gap.xml").write_text(
        '<P><Potential label="P" init_args="IP GAP label=P"/><GAP_params label="P" gap_version="1769700636"><GAP_data>'
        f'<e0 Z="14" value="-158.0"/></GAP_data><gpSparse label="P" n_coordinate="{len(parts)}" fitted="T">'
        + "".join(parts) + "</gpSparse></GAP_params></P>"
    )  # fmt: skip
    return folder / "gap.xml"


def cases(folder, repeat):
    """(name, XML file, species, atoms) of each row."""
    yield "Si, 500 points", DATA / "gap_si" / "gap_si_500.xml", None, silicon(repeat)
    yield "Mo, 200 points", DATA / "gap_mo" / "soap.xml", [42], molybdenum(max(2, repeat * 8 // 5))
    yield "Si, 9000 points", write_silicon(folder / "many", 9000, False), None, silicon(repeat)
    yield "Si, 2b, 3b and 500 points", write_silicon(folder / "triples", 500, True), None, silicon(repeat)


def measure(path, species, atoms, turns, folder):
    """CPU seconds of quippy and of mlcalc in each turn, and the largest difference of a force."""
    read = gap.read(path)
    gap.convert(read, species).save(folder / "model.mlcalc")
    ours, theirs = MLCalculator(folder / "model.mlcalc", threads=1), quippy_potential(path, read.label)
    rng, times, difference = np.random.default_rng(1), [], 0.0
    for turn in range(turns + 1):
        moved, found, seconds = atoms.copy(), [], []
        moved.positions += rng.uniform(-0.1, 0.1, moved.positions.shape)
        for calculator in (theirs, ours):
            copy = moved.copy()
            start = time.process_time()
            calculator.calculate(copy, properties=["energy", "forces", "stress"])
            seconds.append(time.process_time() - start)
            found.append(np.array(calculator.results["forces"]))
        difference = max(difference, np.abs(found[1] - found[0]).max())
        if turn:  # the first fills caches
            times.append(seconds)
    return np.array(times), difference


def speed(only, quick):
    print(f"instruction set {_engine.instruction_set()}, one thread; us/atom, ratio with its range over the turns\n")
    columns = f"{'atoms':>6s}{'quippy':>9s}{'mlcalc':>9s}{'ratio':>9s}{'range':>16s}{'wanted':>8s}{'dF (eV/A)':>11s}"
    print(f"{'':26s}{columns}")
    with tempfile.TemporaryDirectory() as folder:
        for name, path, species, atoms in cases(Path(folder), 2 if quick else 5):
            if only and not any(word in name for word in only):
                continue
            times, difference = measure(path, species, atoms, 2 if quick else 5, Path(folder))
            ratios, us = times[:, 0] / times[:, 1], 1e6 * np.median(times, axis=0) / len(atoms)
            spread = f"{ratios.min():.1f} - {ratios.max():.1f}"
            print(f"{name:26s}{len(atoms):6d}{us[0]:9.0f}{us[1]:9.1f}{np.median(ratios):9.1f}{spread:>16s}"
                  f"{TARGETS[name]:8d}{difference:11.0e}", flush=True)  # fmt: skip


def thermo(text):
    """The rows of numbers of a thermo table."""
    return [line.split() for line in text.splitlines() if re.fullmatch(r"\s*\d+(\s+-?[\d.]+){4,5}\s*", line)]


def log_of_lammps(folder):
    """Runs in.gap with the converted potential in the place of pair_style quip; prints both tables."""
    with tempfile.TemporaryDirectory() as run:
        names = list(FILES)
        for name in names:
            source = Path(folder) / name
            content = source.read_bytes() if source.exists() else urllib.request.urlopen(LAMMPS + name).read()
            (Path(run) / name).write_bytes(content)
            if name.endswith(".xml"):
                names += re.findall(r'sparseX_filename="([^"]+)"', content.decode(errors="replace"))
        gap.convert(gap.read(Path(run) / "gap_example.xml"), [14]).save(Path(run) / "gap.mlcalc")
        script = (Path(run) / "in.gap").read_text()
        script = re.sub(r"pair_style\s+quip.*", "pair_style mlcalc", script)
        script = re.sub(r"pair_coeff.*", "pair_coeff * * gap.mlcalc Si", script)
        (Path(run) / "in.mlcalc").write_text(script)
        done = lammps.run("in.mlcalc", ranks=1, directory=run, timeout=600)
        theirs, ours = thermo((Path(run) / LOG).read_text()), thermo(done.stdout)
    print("\nthe log of the LAMMPS distribution (pair_style quip), and ours (pair_style mlcalc)")
    for a, b in zip(theirs, ours, strict=True):
        print("  ".join(f"{x:>12s}" for x in a), "   ", "  ".join(f"{x:>12s}" for x in b))
    # LAMMPS prints 8 digits
    worst = max(abs(float(x) - float(y)) / max(1.0, abs(float(x))) for a, b in zip(theirs, ours, strict=True)
                for x, y in zip(a, b, strict=True))  # fmt: skip
    print(f"largest relative difference {worst:.0e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="64 atoms, two turns")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="rows whose names contain one of these")
    parser.add_argument("--log", metavar="FOLDER", help="compare with the log of LAMMPS; what is not there is fetched")
    options = parser.parse_args()
    if options.log is None or options.only:
        speed(options.only, options.quick)
    if options.log is not None:
        log_of_lammps(options.log)


if __name__ == "__main__":
    main()
