# SPDX-License-Identifier: BSD-3-Clause
"""Do products of two different channels pay? Four factors, two of channel k and two of channel k + s, beside more
channels of their own: linear models of ethanol with equal numbers of weights.

    python benchmarks/validation/two_channels.py [--seeds 2]

Products within a channel are symmetric in what they multiply; those of two channels are not, and cost the scalar
products alone, because the couplings of both are there already. In NumPy, with the references of the tests, random
channels, largest l (3,3,3,3), 260 structures to fit, 40 for the regularization, 200 to test; forces from differences.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from ase.io import read
from channel_reference import coupling
from training import data_folder, machine

from mlcalc.model import ChannelProduct, Delta, DensityExpansion, Legendre, Model
from mlcalc.train.engine import Engine

L_MAX, STEP = 3, 1e-3
SPECIES = [1, 6, 8]
N_FIT, N_CHOOSE, N_TEST = 260, 40, 200
#: expected errors of energy (eV) and forces (eV/A)
SIGMAS = np.r_[1e-3, np.full(27, 1e-2)]
#: channels, and the distances of channels that are multiplied with each other
MODELS = [(8, ()), (8, (1,)), (8, (1, 2)), (13, ()), (18, ())]


class Products:
    """Features of centers (n, n_features) for mixing matrices (n_species, K, Q)."""

    def __init__(self, shifts):
        self.nodes, self.paths = ChannelProduct.up_to("A", (3, 3, 3, 3)).numbered(L_MAX)
        self.l = [*range(L_MAX + 1), *(node[0] for node in self.nodes)]
        self.factors = [1] * (L_MAX + 1)
        for _, x, y in self.nodes:
            self.factors.append(self.factors[x] + self.factors[y])
        self.couplings = [coupling(self.l[x], self.l[y], l) for l, x, y in self.nodes]
        self.shifts = shifts

    def __call__(self, c, species, mixing):
        a = np.einsum("skq,sqm->smk", mixing[species], c)
        values = [a[:, l * l : (l + 1) ** 2] for l in range(L_MAX + 1)]
        for (_, x, y), c3 in zip(self.nodes, self.couplings, strict=True):
            values.append(np.einsum("abm,sak,sbk->smk", c3, values[x], values[y], optimize=True))
        out = []
        for x, y in self.paths:
            if y < 0:
                out.append(values[x][:, 0])
                continue
            two = (0, *self.shifts) if self.factors[x] + self.factors[y] == 4 else (0,)
            out += [np.einsum("smk,smk->sk", values[x], np.roll(values[y], s, axis=2)) for s in two]
        return np.stack(out, axis=1).reshape(len(c), -1)


def rows(engine, frames, products, mixing):
    """(n_frames, 28, n_weights) of energies and forces, and their labels (n_frames, 28)."""
    x, y = [], []
    for atoms in frames:
        n = len(atoms)
        moved = [atoms.positions]
        for i in range(3 * n):
            for sign in (1, -1):
                shift = np.zeros(3 * n)
                shift[i] = sign * STEP
                moved.append(atoms.positions + shift.reshape(n, 3))
        work = atoms.copy()
        c = []
        for positions in moved:
            work.positions = positions
            c.append(engine.expansion(work, "rho"))
        kinds = np.tile(np.searchsorted(SPECIES, atoms.numbers), len(moved))
        p = products(np.array(c).reshape(len(moved) * n, -1, (L_MAX + 1) ** 2), kinds, mixing)
        of_species = [(p * (kinds == k)[:, None]).reshape(len(moved), n, -1).sum(axis=1) for k in range(len(SPECIES))]
        energies = np.concatenate(of_species, axis=1)
        x.append(np.concatenate([energies[:1], -(energies[1::2] - energies[2::2]) / (2 * STEP)]))
        y.append(np.r_[atoms.get_potential_energy(), atoms.get_forces().ravel()])
    return np.array(x), np.array(y)


def errors(x, y):
    """Mean absolute test errors, meV and meV/A, of the ridge whose strength the middle part chooses."""
    y = y - np.r_[y[:N_FIT, 0].mean(), np.zeros(27)]
    n = x.shape[-1]
    weighted, labels = x / SIGMAS[:, None], y / SIGMAS
    fit, choose = weighted[:N_FIT].reshape(-1, n), weighted[N_FIT : N_FIT + N_CHOOSE].reshape(-1, n)
    size = np.sqrt(np.sum(fit**2, axis=0))
    size[size == 0] = 1.0
    values, vectors = np.linalg.eigh((fit / size).T @ (fit / size))
    right = vectors.T @ ((fit / size).T @ labels[:N_FIT].ravel())
    found = []
    for strength in np.geomspace(1e-13, 1e-4, 19):
        w = vectors @ (right / (np.maximum(values, 0) + strength)) / size
        found.append((np.mean((choose @ w - labels[N_FIT : N_FIT + N_CHOOSE].ravel()) ** 2), w))
    w = min(found, key=lambda pair: pair[0])[1]
    off = x[N_FIT + N_CHOOSE :] @ w - y[N_FIT + N_CHOOSE :]
    return 1e3 * np.abs(off[:, 0]).mean(), 1e3 * np.abs(off[:, 1:]).mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2)
    args = parser.parse_args()
    print(machine())
    rho = DensityExpansion(name="rho", cutoff=5.0, n_max=8, l_max=L_MAX, density=Delta(), basis=Legendre())
    engine = Engine(Model(SPECIES, [rho], []))
    frames = read(data_folder("rmd17") / "rmd17_ethanol_train_01.extxyz", f":{N_FIT + N_CHOOSE + N_TEST}")
    for atoms in frames:
        atoms.pbc = False
    n_of = np.tile(np.arange(rho.n_max), len(SPECIES))
    for seed in range(args.seeds):
        mixing = np.random.default_rng(seed).normal(size=(len(SPECIES), 18, len(n_of))) * (1.0 + n_of) ** -2.5
        for channels, shifts in MODELS:
            x, y = rows(engine, frames, Products(shifts), mixing[:, :channels])
            energy, force = errors(x, y)
            name = f"{channels} channels" + "".join(f", k with k + {s}" for s in shifts)
            print(f"seed {seed}  {name:40s} {x.shape[-1]:5d} weights  {energy:6.2f} meV {force:6.1f} meV/A", flush=True)


if __name__ == "__main__":
    main()
