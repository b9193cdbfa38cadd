# SPDX-License-Identifier: BSD-3-Clause
"""Tensors that a model predicts for labeled structures, and the tables and figures of their errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..model.outputs import SHAPES
from .data import located
from .data_options import SPLITS
from .engine import Engine, ordered_map

AXES = {"scalar": [""], "vector": ["x", "y", "z"], "symmetric": ["xx", "xy", "xz", "yx", "yy", "yz", "zx", "zy", "zz"]}


@dataclass
class TensorPrediction:
    """As the label: ``value`` (n_components,) or (n_atoms, n_components), ``members`` with the members first, not
    scaled, ``derivative`` (n_components, n_atoms, 3)."""

    value: np.ndarray
    members: np.ndarray | None = None
    derivative: np.ndarray | None = None


def predict_tensors(model, structures, targets, threads=1, engine=None, progress=None) -> list[dict]:
    """{name of a target: TensorPrediction} of each structure; derivatives where they are labeled."""
    runner = Engine(model, engine)
    committee = model.committee is not None

    def one(s):
        names = [t.name for t in targets]
        labeled = [t.name for t in targets if s.tensors[t.name].derivative is not None]
        with located(s):
            out = runner.compute(s.atoms, energies=False, forces=False, tensors=names, tensor_derivatives=labeled,
                                 tensor_members=names if committee else [])  # fmt: skip
        found = {}
        for t in targets:
            sums = (lambda x: x) if t.per == "atom" else (lambda x: x.sum(axis=0))
            members = out.get(f"{t.name} members")
            if members is not None:
                members = np.array([sums(members[:, k]) for k in range(members.shape[1])])
            found[t.name] = TensorPrediction(sums(out[t.name]), members, out.get(f"{t.name} derivatives"))
        return found

    results = ordered_map(one, structures, threads)
    return list(progress(results, total=len(structures), desc="tensors") if progress else results)


def pairs(structures, predictions, target, which, kind="value"):
    """Labels and predictions of the structures with these indices, (n, n_components)."""
    x, y = [], []
    for k in which:
        label = getattr(structures[k].tensors[target.name], kind)
        if label is not None:
            for to, values in ((x, label), (y, getattr(predictions[k][target.name], kind))):
                flat = np.moveaxis(values, 0, -1) if kind == "derivative" else values
                to.append(flat.reshape(-1, flat.shape[-1]))
    return (np.concatenate(x), np.concatenate(y)) if x else (np.zeros((0, 1)), np.zeros((0, 1)))


def members_and_errors(structures, predictions, target, which):
    """Errors and unscaled standard deviations of the members, flat."""
    errors, spread = [], []
    for k in which:
        label, found = structures[k].tensors[target.name].value, predictions[k][target.name]
        if label is not None:
            errors.append((found.value - label).ravel())
            spread.append(np.std(found.members, axis=0, ddof=1).ravel())
    return (np.concatenate(errors), np.concatenate(spread)) if errors else (np.zeros(0), np.zeros(0))


def _statistics(x, y) -> dict | None:
    if not len(x):
        return None
    error = y - x
    rmse, spread = np.sqrt(np.mean(error**2)), np.sqrt(np.mean((x - x.mean(axis=0)) ** 2))
    return {
        "n": len(x), "mae": float(np.mean(np.abs(error))), "rmse": float(rmse), "max": float(np.max(np.abs(error))),
        "relative": float(rmse / spread) if spread > 0 else None,
    }  # fmt: skip


def table_of(structures, predictions, target) -> dict:
    """{split: {value, derivative, norm, and of each component: statistics}} in the stored unit; ``relative`` is the
    root mean square error over the standard deviation of the labels."""
    table: dict = {}
    for split in SPLITS:
        which = [k for k, s in enumerate(structures) if s.split == split]
        x, y = pairs(structures, predictions, target, which)
        slopes = pairs(structures, predictions, target, which, "derivative")
        if not len(x) and not len(slopes[0]):
            continue
        table[split] = {"value": _statistics(x, y), "derivative": _statistics(*slopes)}
        if len(x) and target.type != "scalar":
            table[split]["norm"] = _statistics(*(np.linalg.norm(v, axis=1, keepdims=True) for v in (x, y)))
            for c, name in enumerate(AXES[target.type]):
                table[split][name] = _statistics(x[:, c : c + 1], y[:, c : c + 1])
    return table


def text_of(report: dict) -> str:
    """The tables of all targets as text."""
    lines = []
    for name, entry in report.items():
        lines.append(f"{name} ({entry['unit'] or 'no unit'})       n        MAE       RMSE  RMSE / standard deviation")
        for split, rows in entry["errors"].items():
            for what in ("value", "norm", "derivative"):
                s = rows.get(what)
                if s is not None:
                    share = "-" if s["relative"] is None else f"{s['relative']:.3f}"
                    lines.append(f"{split:<11} {what:<11} {s['n']:>7} {s['mae']:>10.4g} {s['rmse']:>10.4g}  {share}")
    return "\n".join(lines)


@dataclass
class LabeledTensors:
    """Structures, what was predicted for each, and the targets."""

    structures: list
    predictions: list[dict]
    targets: list

    def figure(self):
        """Labels and predictions, all components of each target."""
        from .plots import COLORS, subplots

        figure, axes = subplots(len(self.targets))
        for ax, target in zip(axes, self.targets, strict=True):
            for split, color in COLORS.items():
                which = [k for k, s in enumerate(self.structures) if s.split == split]
                x, y = (v.ravel() for v in pairs(self.structures, self.predictions, target, which))
                if len(x):
                    rmse = np.sqrt(np.mean((y - x) ** 2))
                    ax.plot(x, y, ".", ms=3, color=color, rasterized=True, label=f"{split}: RMSE {rmse:.3g}")
                    ax.legend(fontsize=7, frameon=False)
            low, high = min(ax.get_xlim()[0], ax.get_ylim()[0]), max(ax.get_xlim()[1], ax.get_ylim()[1])
            ax.plot([low, high], [low, high], "-", color="black", lw=0.6, zorder=0)
            ax.set(xlabel=f"labeled {target.name} ({target.stored_unit})", ylabel="predicted")
        return figure

    def annotate(self, k, atoms):
        """Puts prediction and label of structure ``k`` into the info, or arrays, of atoms."""
        for target in self.targets:
            label, found = self.structures[k].tensors[target.name], self.predictions[k][target.name]
            for name, value in (("predicted", found.value), ("reference", label.value)):
                if value is not None and target.per == "atom":
                    atoms.arrays[f"{name}_{target.name}"] = value
                elif value is not None:
                    atoms.info[f"{name}_{target.name}"] = value.reshape(SHAPES[target.type])
            for name, value in (("predicted", found.derivative), ("reference", label.derivative)):
                if value is not None:
                    atoms.arrays[f"{name}_{target.name}_gradient"] = np.moveaxis(value, 0, 1).reshape(len(atoms), -1)
