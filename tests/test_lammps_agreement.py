"""LAMMPS computes what the engine computes in ASE, whatever the domains, the box and the units."""

import models
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from lammps_runs import Job, assert_same, engine, needs_lammps, run

from mlcalc.expansions import DensityExpansion
from mlcalc.model import Committee, Invariant, Linear, Model, Term, Zbl

pytestmark = needs_lammps


@pytest.fixture(scope="module")
def soap(tmp_path_factory):
    """A linear SOAP committee with ZBL and reference energies."""
    rng = np.random.default_rng(0)
    model = Model(
        species=[11, 17],
        expansions=[DensityExpansion(cutoff=4.5, n_max=4, l_max=3)],
        terms=[Term("soap", [Invariant(2, "rho", "rho")])],
        reference_energies=[-1.5, -2.5],
        zbl=Zbl(1.0, 3.0),
        committee=Committee(4, 1.5),
    )
    model.terms[0].regressor = Linear(rng.normal(size=(4, 2, model.n_features("soap"))))
    path = tmp_path_factory.mktemp("model") / "soap.mlcalc"
    model.save(path)
    return path


def salt():
    atoms = bulk("NaCl", "rocksalt", 5.6, cubic=True) * (2, 2, 1)
    atoms.rattle(0.2, seed=1)
    return atoms


def triclinic(atoms):
    cell = atoms.cell.array.copy()
    cell[1, 0], cell[2, 0], cell[2, 1] = 1.3, -0.7, 0.9
    out = atoms.copy()
    out.set_cell(cell, scale_atoms=True)
    return out


def droplet():
    """Most of the box is empty, one atom is alone: ranks without atoms, an atom without neighbors."""
    atoms = salt()[:9]
    atoms += Atoms("Na", positions=[[16.0, 15.0, 14.0]])
    atoms.set_cell(np.diag([24.0, 22.0, 20.0]))
    atoms.pbc = True
    return atoms


@pytest.fixture(scope="module")
def far_models(tmp_path_factory):
    directory = tmp_path_factory.mktemp("far")
    paths = {}
    for k, kind in enumerate(models.FAR_FIELDS):
        paths[kind] = directory / f"{k}.mlcalc"
        models.build(kind).save(paths[kind])
    return paths


FEW_FAR = ["linear V", "linear soap + lode", "kernel rho x V", "linear p=6"]


@pytest.mark.filterwarnings("ignore:this system has free boundaries")
@pytest.mark.parametrize("ranks", [1, 3, 8])
def test_far_field_by_ksum_and_in_free_space(far_models, tmp_path, ranks):
    """Every kind of model on 3 ranks; ranks without atoms; a cluster in free space."""
    cluster = salt()[:9]
    cluster.pbc = False
    jobs = [Job(triclinic(salt()), far_models[kind], "lode ksum") for kind in (FEW_FAR if ranks != 3 else far_models)]
    jobs += [Job(droplet(), far_models[kind], "lode ksum") for kind in FEW_FAR[:2]]
    jobs += [Job(cluster, far_models[kind], "lode auto", units="real") for kind in FEW_FAR[:3]]
    results, _ = run(tmp_path, jobs, ranks)
    for job, got in zip(jobs, results, strict=True):
        method = job.options.split()[1]
        assert_same(got, engine(job.atoms, job.model, lode=method))


@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 6, 8])
def test_short_range_equals_the_engine_on_any_number_of_ranks(soap, tmp_path, ranks):
    tiny = bulk("NaCl", "rocksalt", 5.6)  # a box much smaller than the cutoff
    tiny = bulk("NaCl", "rocksalt", 5.6, cubic=True) if ranks > 1 else tiny
    tiny.set_cell(np.diag(tiny.cell.lengths()), scale_atoms=True)
    tiny.rattle(0.1, seed=3)
    jobs = [
        Job(salt(), soap),
        Job(salt(), soap, units="real"),
        Job(triclinic(salt()), soap),
        Job(tiny, soap),
        Job(droplet(), soap),
        Job(salt()[:9], soap),
        Job(salt(), soap, before="comm_style tiled\ncomm_modify cutoff 5.4\nneighbor 0.5 bin", after="balance 1.0 rcb")
        if ranks > 1 else Job(salt(), soap),
    ]  # fmt: skip
    jobs[5].atoms.pbc = False
    results, _ = run(tmp_path, jobs, ranks)
    for job, got in zip(jobs, results, strict=True):
        assert_same(got, engine(job.atoms, soap))
