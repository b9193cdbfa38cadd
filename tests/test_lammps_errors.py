"""What cannot be right ends with one sentence on every rank, and nothing hangs."""

import models
import pytest
from ase.build import bulk
from lammps_runs import needs_lammps, write_data

from mlcalc import lammps

pytestmark = needs_lammps


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    path = tmp_path_factory.mktemp("errors")
    models.build("linear rho x rho").save(path / "model.mlcalc")
    models.build("linear committee").save(path / "committee.mlcalc")
    (path / "truncated.mlcalc").write_bytes((path / "model.mlcalc").read_bytes()[:5000])
    salt = bulk("NaCl", "rocksalt", 5.64, cubic=True) * (2, 1, 1)
    write_data(path / "salt.data", salt, ["Na", "Cl"])
    return path


START = "units metal\nboundary p p p\natom_modify map array\nread_data salt.data\n"
STYLE = "pair_style mlcalc\npair_coeff * * model.mlcalc Na Cl\n"


def coefficients(words, style=""):
    return f"{START}pair_style mlcalc {style}\npair_coeff {words}\n"


CASES = {
    "wrong element": (coefficients("* * model.mlcalc Na K"), "knows the elements Na Cl, not K"),
    "no element": (coefficients("* * model.mlcalc Na Xx"), "knows the elements Na Cl, not Xx"),
    "missing model": (coefficients("* * none.mlcalc Na Cl"), "cannot open the model file none"),
    "truncated model": (coefficients("* * truncated.mlcalc Na Cl"), "truncated.mlcalc"),
    "number of types": (coefficients("* * model.mlcalc Na"), "one element or NULL for each of the 2 atom types, got 1"),
    "not all types": (coefficients("1 1 model.mlcalc Na Cl"), "must start with * * for pair style mlcalc"),
    "only NULL": (coefficients("* * model.mlcalc NULL NULL"), "every atom type is NULL"),
    "unknown keyword": (START + "pair_style mlcalc accurate 1\n", "unknown keyword accurate; known are accuracy"),
    "missing value": (START + "pair_style mlcalc mesh 3 4\n", "mesh needs 3 value(s), got 2"),
    "no such method": (START + "pair_style mlcalc lode ewald\n", "got ewald"),
    "units": (START.replace("metal", "lj") + STYLE + "run 0\n", "works with units metal or real, not lj"),
    "newton": ("newton off\n" + START + STYLE + "run 0\n", "needs newton pair on"),
    "respa": (START + STYLE + "run_style respa 2 2 pair 1\nrun 0\n", "run_style respa"),
    "exclude types": (
        START + STYLE + "neigh_modify exclude type 1 2\nrun 0\n",
        "exclude takes pairs of type 1 and 2 away",
    ),
    "exclude group": (
        START + STYLE + "group a id 1:4\nneigh_modify exclude group a a\nrun 0\n",
        "exclude takes pairs away",
    ),
    "include": (
        START + STYLE + "group a id 1:4\natom_modify first a\nneigh_modify include a\nrun 0\n",
        "leaves some out",
    ),
    "no committee": (
        coefficients("* * model.mlcalc Na Cl", "uncertainty yes"),
        "has no committee, so there is no uncertainty to watch",
    ),
    "not a number": (
        START + STYLE + "fix 1 all nve\nneigh_modify delay 1000 check no\nrun 0\n"
        "variable bad atom exp(1000)\nset atom 3 x v_bad\nrun 1 pre no post no\n",
        "A coordinate of atom 3 is not a number",
    ),
    "hybrid takes a pair": (
        START + "pair_style hybrid mlcalc lj/cut 3.0\npair_coeff * * mlcalc model.mlcalc Na Cl\n"
        "pair_coeff 1 2 lj/cut 0.1 2.0\nrun 0\n",
        "another pair_coeff has taken this pair away",
    ),
}  # fmt: skip


@pytest.mark.parametrize("ranks", [3])
@pytest.mark.parametrize("case", CASES)
def test_one_sentence_on_every_rank(directory, case, ranks):
    script, sentence = CASES[case]
    (directory / "in.error").write_text(script)
    done = lammps.run("in.error", ranks=ranks, directory=directory, timeout=60)
    assert done.returncode != 0
    assert sentence in done.stdout
    assert done.stdout.count("ERROR") == 1, done.stdout[-1500:]
