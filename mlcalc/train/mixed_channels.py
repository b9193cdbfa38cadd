# SPDX-License-Identifier: BSD-3-Clause
"""The matrices of the layers of a training run, as its options and data say."""

from __future__ import annotations

import numpy as np

from .baseline import make_targets
from .checkpoint import Checkpoint
from .design import sigmas
from .engine import Engine
from .expansion_options import OptimizedChannels, PrincipalChannels
from .mixing import (
    MixingFit,
    Progression,
    Rows,
    column_scales,
    principal_mixing,
    radial_indices,
    random_mixing,
    second_moments,
)
from .options import OptionError
from .plan import Plan, build_model, zero_weights

#: structures whose coefficients give scales and principal components
MOMENT_STRUCTURES = 300
#: largest l of the products that are fitted while a mixing is optimized: what is found serves larger ones
OPTIMIZED_L = 3


def mixed_channels(job, references, checkpoint: Checkpoint) -> dict[str, np.ndarray]:
    """(1 or n_species, l_max + 1, K, Q) of each layer. ``job`` is a train.job.Job, ``references`` (n_species,) eV.

    What an optimization has reached is kept in the checkpoint, step by step."""
    if not job.options.layers:
        return {}
    plan = Plan(job.species)
    engine = Engine(build_model(job.options, plan), job.options.engine.arguments())
    rng = np.random.default_rng([job.options.seed, 2027])
    few = _some(job.train, MOMENT_STRUCTURES, rng)
    for layer in job.options.layers:
        moments = second_moments(engine, [s.atoms for s in few], layer.inputs, layer.l_max, job.threads)
        model = build_model(job.options, plan)
        n_of = radial_indices(model, layer.inputs)
        n_centers = len(job.species) if layer.per_center else 1
        if isinstance(layer.mixing, PrincipalChannels):
            try:
                mixing = principal_mixing(moments, n_centers, layer.channels)
            except ValueError as error:
                raise OptionError(f"layer '{layer.name}': {error}") from None
        else:
            seed = int(rng.integers(2**31))
            scales = _input_scales(model, layer.inputs, column_scales(moments))
            mixing = random_mixing(n_centers, layer.channels, n_of, scales, layer.mixing.decay, seed)
        if isinstance(layer.mixing, OptimizedChannels):
            mixing = _optimized(job, references, checkpoint, layer, mixing, moments, n_of, rng)
        plan.layers[layer.name] = np.repeat(mixing[:, None], layer.l_max + 1, axis=1)
    return plan.layers


def _some(structures, n, rng):
    if len(structures) <= n:
        return list(structures)
    return [structures[i] for i in np.sort(rng.choice(len(structures), n, replace=False))]


def _input_scales(model, inputs, scales):
    """One scale for each input, the root mean square of its columns: near and far count alike, and radial functions of
    an input keep their relative size."""
    out, at = np.ones(len(scales)), 0
    for name in inputs:
        n = model.shape(name)[0]
        out[at : at + n] = np.sqrt(np.mean(scales[at : at + n] ** 2))
        at += n
    return out


def _optimized(job, references, checkpoint, layer, start, moments, n_of, rng):
    options, chosen = job.options, layer.mixing
    term = next(t for t in options.terms if any(layer.name in (i.a, i.b) for i in t.invariants))
    trial = options.model_copy(deep=True)
    trial.terms = [next(t for t in trial.terms if t.name == term.name)]
    trial.terms[0].invariants = [i for i in trial.terms[0].invariants if i.a == layer.name]
    l_max = layer.l_max
    if chosen.l_max is not None or all(i.l_max is not None for i in trial.terms[0].invariants):
        for invariant in trial.terms[0].invariants:
            invariant.l_max = chosen.l_max or [min(l, OPTIMIZED_L) for l in invariant.l_max]
        l_max = max(i.l_max[0] for i in trial.terms[0].invariants)
        trial.layers = [x.model_copy(deep=True) for x in trial.layers if x.name == layer.name]
        trial.layers[0].l_max = l_max
    plan = Plan(job.species)
    n_features = {t.name: build_model(trial, plan).n_features(t.name) for t in trial.terms}
    engine = Engine(build_model(trial, plan, weights=zero_weights(trial, plan, n_features)), options.engine.arguments())
    train = _rows(job, references, _some(job.train, chosen.structures, rng))
    held_out = _rows(job, references, _some(job.data.of("validation"), max(20, chosen.structures // 4), rng))
    if not held_out and len(train) >= 20:
        held_out, train = train[::5], [r for k, r in enumerate(train) if k % 5]
    n_weights = n_features[term.name] * len(job.species)
    _enough_labels(layer, train, n_weights)
    fit = MixingFit(engine, train, moments, n_of, l_max, threads=job.threads)
    job.progress.say(
        f"layer {layer.name}: optimizing {start.size} mixing coefficients on {len(train)} structures, "
        f"{n_weights} weights eliminated"
    )
    file = f"mixing-{layer.name}.npz"
    before = _reached(checkpoint.path(file))
    bar = job.progress(total=chosen.iterations, desc=f"mixing {layer.name}")
    if before is not None:
        bar.update(before.steps)

    def after_step(history):
        checkpoint.save_arrays(file, history.arrays())
        bar.update(1)

    try:
        found = fit.minimize(start, chosen.iterations, held_out, chosen.patience, before=before, after_step=after_step)
    except (FloatingPointError, np.linalg.LinAlgError) as error:
        raise OptionError(
            f"layer '{layer.name}': the optimization of the mixing diverged ({error}); use fewer channels, or method "
            "random"
        ) from None
    finally:
        bar.close()
    job.note(
        f"layer {layer.name}: validation loss {found.validation[0]:.3g} -> {min(found.validation):.3g} "
        f"({found.stopped})"
    )
    return found.mixing


def _reached(path) -> Progression | None:
    """What an optimization that was interrupted had reached, None if there was none."""
    if not path.exists():
        return None
    with np.load(path) as arrays:
        return Progression.of_arrays(arrays)


def _enough_labels(layer, rows, n_weights):
    labels = 0
    for r in rows:
        labels += (r.energy is not None) + 3 * len(r.structure) * (r.forces is not None) + 6 * (r.virial is not None)
    if labels <= n_weights:
        raise OptionError(
            f"layer '{layer.name}': {labels} labels of {len(rows)} structures cannot determine the {n_weights} weights "
            "that are eliminated while the mixing is optimized; use more structures (mixing.structures), fewer "
            "channels, or method random"
        )


def _rows(job, references, structures):
    rows = []
    targets = make_targets(structures, job.species, references, job.zbl, job.threads)
    for t in (t for t in targets if t.n_rows):
        sigma = sigmas(job.options, t.structure)
        energy = None if t.energy is None else (t.energy, sigma["energy"])
        forces = None if t.forces is None else (t.forces, sigma["forces"])
        virial = None if t.virial is None else (t.virial, sigma["virial"])
        rows.append(Rows(t.structure.atoms, energy, forces, virial))
    return rows
