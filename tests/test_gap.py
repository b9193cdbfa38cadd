# SPDX-License-Identifier: BSD-3-Clause
"""Potentials of QUIP as models: the numbers of quippy, and a sentence for what cannot be."""

import json
import os
import re

import ase.io
import numpy as np
import pytest
from ase import Atoms
from finite_differences import check_forces
from gap_files import Entry, write_gap

from mlcalc import MLCalculator, gap
from mlcalc.cli import main
from mlcalc.gap.converter import rounding
from mlcalc.gap.quip_strings import arguments, number
from mlcalc.model import Model


def calculator(model, tmp_path):
    model.save(tmp_path / "gap.mlcalc")
    return MLCalculator(tmp_path / "gap.mlcalc")


@pytest.mark.parametrize("name", ["soap_options", "soap_pairs", "glue", "three_body"])
def test_fixtures_give_the_numbers_of_quippy(name, data, tmp_path):
    """soap_options: two species, a subset of them, all in one channel, decay, a basis of GTOs, sigma0. soap_pairs: two
    soaps and distance_2b. glue: a core of splines. three_body: angle_3b with both kernels, and distance_Nb of order 3,
    whose energy belongs to the center here, to all three atoms there."""
    read = gap.read(data / "gap_fixtures" / f"{name}.xml")
    model = gap.convert(read)
    limit = 10 * rounding(read, model.species) + 1e-12
    for frame in json.loads((data / "gap_fixtures" / f"{name}.json").read_text()):
        atoms = Atoms(frame["numbers"], positions=frame["positions"], cell=frame["cell"], pbc=True)
        atoms.calc = calculator(model, tmp_path)
        if name == "three_body":
            assert atoms.get_potential_energy() == pytest.approx(frame["energy"], abs=len(atoms) * limit)
        else:
            assert np.abs(atoms.get_potential_energies() - frame["energies"]).max() < limit
        assert np.abs(atoms.get_forces() - frame["forces"]).max() < 10 * limit
        assert np.abs(atoms.get_stress(voigt=False) - frame["stress"]).max() < limit


def test_soap_turbo_gives_the_numbers_of_quippy_but_for_its_steps(data, tmp_path):
    """Forces of quippy are not quite derivatives of its energy."""
    model = gap.convert(gap.read(data / "gap_fixtures" / "turbo_poly3.xml"))
    for frame in json.loads((data / "gap_fixtures" / "turbo_poly3.json").read_text()):
        atoms = Atoms(frame["numbers"], positions=frame["positions"], cell=frame["cell"], pbc=True)
        atoms.calc = calculator(model, tmp_path)
        assert np.abs(atoms.get_potential_energies() - frame["energies"]).max() < 1e-12
        assert np.abs(atoms.get_forces() - frame["forces"]).max() < 3e-8
        assert np.abs(atoms.get_stress(voigt=False) - frame["stress"]).max() < 1e-8


@pytest.mark.parametrize("folder, name, species", [("gap_mo", "soap.xml", [42]), ("gap_si", "gap_si_500.xml", None)])
def test_published_kinds_of_potentials(folder, name, species, data, tmp_path):
    """Positions in the files have 8 decimals, and so the comparison."""
    model = gap.convert(gap.read(data / folder / name), species)
    for atoms in ase.io.read(data / folder / "reference.extxyz", ":"):
        copy = atoms.copy()
        copy.calc = calculator(model, tmp_path)
        assert copy.get_potential_energy() == pytest.approx(atoms.get_potential_energy(), abs=2e-7)
        assert np.abs(copy.get_forces() - atoms.get_forces()).max() < 5e-7


POINTS = 3
TURBO = (
    "soap_turbo l_max=2 alpha_max={4} atom_sigma_r={0.5} atom_sigma_t={0.5} rcut_hard=4.0 rcut_soft=3.5 species_Z={14}"
)
PAIR = "distance_2b cutoff=3 Z1=14 Z2=14"
SOAP = "soap l_max=2 n_max=3 cutoff=3.5 atom_sigma=0.5 Z=14 n_species=1 species_Z={14}"


def write(path, descriptor=SOAP, *, size=19, version=1769700636, zeta='zeta="2"', covariance=2, inner="", init="IP GAP",
          file="", alpha=0.7, fitted="T", sliced=False, after=""):  # fmt: skip
    """A potential with random sparse points of length 1."""
    rng = np.random.default_rng(3)
    rows = rng.random((POINTS, size))
    rows[:, -1] *= size == 1
    rows /= np.linalg.norm(rows, axis=1)[:, None]
    text = ""
    for k, row in enumerate(rows):
        words = [repr(float(v)).replace("e", "D") for v in row]
        if sliced:
            cut = size // 2
            body = "".join(f'<sparseX_slice start="{a + 1}" end="{b}">{" ".join(words[a:b])}</sparseX_slice>'
                           for a, b in ((0, cut), (cut, size)))  # fmt: skip
        else:
            body = "" if file else " ".join(words)
        text += f'<sparseX i="{k + 1}" alpha="{alpha}" sparseCutoff="1.0">{body}</sparseX>\n'
    path.write_text(
        f'<P><Potential label="P" init_args="{init}"/><GAP_params label="P" gap_version="{version}">'
        f'<GAP_data><e0 Z="14" value="-.5D+000"/></GAP_data><gpSparse label="P" n_coordinate="1" fitted="{fitted}">'
        f'<gpCoordinates label="P1" dimensions="{size}" signal_variance="0.5" signal_mean="0" sparsified="T" '
        f'n_permutations="1" {zeta} '
        f'covariance_type="{covariance}" n_sparseX="{POINTS}" {file}>{inner}<descriptor>{descriptor}</descriptor>\n'
        f'<permutation i="1">{" ".join(str(k + 1) for k in range(size))}</permutation>\n{text}'
        f"</gpCoordinates></gpSparse>{after}</GAP_params></P>"
    )
    return rows


@pytest.fixture
def silicon():
    rng = np.random.default_rng(1)
    return Atoms("Si5", positions=rng.uniform(0, 4.5, (5, 3)) + [[0, 0, 0]], cell=[5.5] * 3, pbc=True)


def energy(path, tmp_path, atoms):
    copy = atoms.copy()
    copy.calc = calculator(gap.convert(gap.read(path)), tmp_path)
    return copy.get_potential_energy()


def test_the_same_potential_written_in_other_ways(tmp_path, silicon):
    path = tmp_path / "gap.xml"
    rows = write(path)
    reference = energy(path, tmp_path, silicon)
    write(path, sliced=True)
    assert energy(path, tmp_path, silicon) == reference
    write(path, zeta="", inner="<theta> 2.0 </theta>")
    assert energy(path, tmp_path, silicon) == reference
    write(path, SOAP.replace("cutoff=3.5", "cutoff=5.0") + ", CUTOFF={3.5}")
    assert energy(path, tmp_path, silicon) == reference
    write(path, file='sparseX_filename="points"')
    (tmp_path / "points").write_text("\n".join(repr(float(v)) for v in rows.ravel()))
    assert energy(path, tmp_path, silicon) == reference
    write(path, version=1400000000)
    assert energy(path, tmp_path, silicon) != pytest.approx(reference, abs=1e-6)


OPTIONS = {
    "radial_basis=POLY": 19,
    "cutoff_dexp=2 cutoff_rate=0 cutoff_scale=2": 19,
    "diagonal_radial=T": 10,
    "normalise=F": 19,
    "central_weight=0": 19,
}


@pytest.mark.parametrize("options, size", OPTIONS.items(), ids=OPTIONS)
def test_forces_are_derivatives(options, size, tmp_path, silicon):
    write(tmp_path / "gap.xml", f"{SOAP} {options}", size=size)
    silicon.calc = calculator(gap.convert(gap.read(tmp_path / "gap.xml")), tmp_path)
    check_forces(silicon, 1e-7)


REFUSED = {
    "the descriptor 'bispectrum_so4' cannot be converted": {"descriptor": "bispectrum_so4 cutoff=3"},
    "average=T has one kernel for a whole structure": {"descriptor": SOAP + " average=T"},
    "soap with z_mix=T": {"descriptor": SOAP + " Z_mix=T"},
    "soap with nu_r=1": {"descriptor": SOAP + " nu_R=1"},
    "zeta = 2.5 of a soap kernel": {"zeta": 'zeta="2.5"'},
    "covariance_type=ard_se instead of dot_product": {"covariance": 1},
    "distance_2b with only_intra needs molecules": {"descriptor": PAIR + " only_intra=T", "size": 1},
    "there is no Glue_params": {"init": "Sum init_args_pot1={IP Glue} init_args_pot2={IP GAP}"},
    "distance_Nb of order 4": {"descriptor": "distance_Nb order=4 cutoff=3"},
    "with covariance_type=bond_real_space": {"descriptor": PAIR, "covariance": 3, "size": 1},
    "distance_Nb of order 3 for O, Si: its energy in QUIP depends": {
        "descriptor": "distance_Nb order=3 cutoff=3 Z={8 14 14}", "covariance": 1, "size": 3,
        "inner": "<theta> 1 1 1</theta>"},
    "distance_Nb of order 3 without compact clusters": {
        "descriptor": "distance_Nb order=3 cutoff=3 Z={14 14 14} compact_clusters=F", "covariance": 1, "size": 3,
        "inner": "<theta> 1 1 1</theta>"},
    "angle_3b with covariance_type=dot_product": {"descriptor": "angle_3b cutoff=3 Z=14 Z1=14 Z2=14", "size": 3},
    "soap_turbo with basis=poly3operator": {"descriptor": TURBO + " basis=poly3operator", "size": 30},
    "soap_turbo with scaling_mode=linear": {"descriptor": TURBO + " scaling_mode=linear", "size": 30},
    "soap_turbo with compress_mode=0_2": {"descriptor": TURBO + " compress_mode=0_2", "size": 30},
    "its compress_file c.dat is missing": {"descriptor": TURBO + " compress_file=c.dat", "size": 30},
    "numbers, its settings make 30": {"descriptor": TURBO, "size": 31},
    "needs 1 theta above 0": {"descriptor": PAIR, "covariance": 1, "size": 1},
    "the core potential 'IP Coulomb' cannot be converted, only IP Glue": {
        "init": "Sum init_args_pot1={IP Coulomb} init_args_pot2={IP GAP}"
    },
    "is scaled": {"init": "IP GAP E_scale=2.0"},
    "is not fitted": {"fitted": "F"},
    "its file of sparse points points is missing": {"file": 'sparseX_filename="points"'},
    "settings make 19": {"size": 20},
    "l_max=two of the descriptor soap is not an integer": {"descriptor": SOAP.replace("l_max=2", "l_max=two")},
    "has no cutoff": {"descriptor": SOAP.replace("cutoff=3.5", "")},
    "are not all finite": {"alpha": "nan"},
}  # fmt: skip


@pytest.mark.parametrize("sentence", REFUSED)
def test_what_cannot_be_is_refused_with_a_sentence(sentence, tmp_path, capsys):
    path = tmp_path / "gap.xml"
    write(path, **REFUSED[sentence])
    assert main(["convert", str(path), "-o", str(tmp_path / "m.mlcalc"), "--quiet"]) == 1
    told = capsys.readouterr().err
    assert re.search(re.escape(sentence), told) and str(path) in told and told.count("\n") == 1
    assert not (tmp_path / "m.mlcalc").exists()


DAMAGES = {
    "truncated": (lambda text: text[:-40], "holds 55 numbers instead of 3 points x 19"),
    "longer": (lambda text: text + "0.5\n", "holds 58 numbers instead of 3 points x 19"),
    "no number": (lambda text: text.replace("0", "x", 1), "could not convert"),
}


@pytest.mark.parametrize("damage, sentence", DAMAGES.values(), ids=DAMAGES)
def test_damaged_files_of_points(damage, sentence, tmp_path):
    rows = write(tmp_path / "gap.xml", file='sparseX_filename="points"')
    text = "".join(f"{v:.17f}\n" for v in rows.ravel())
    (tmp_path / "points").write_text(damage(text))
    with pytest.raises(ValueError, match=sentence):
        gap.read(tmp_path / "gap.xml")
    (tmp_path / "points").write_text(text)
    write(tmp_path / "gap.xml", file=f'sparseX_filename="points" sparseX_md5sum="{"0" * 32}"')
    with pytest.raises(ValueError, match="md5 sum is another one"):
        gap.read(tmp_path / "gap.xml")


GLUE = (
    '<Glue_params n_types="2"><per_type_data atomic_num="14" type="1"><potential_density><point rho="0" E="0"/>'
    '<point rho="1" E="0"/></potential_density></per_type_data><per_type_data atomic_num="8" type="2">'
    '<potential_density><point rho="0" E="1"/><point rho="1" E="2"/></potential_density></per_type_data>'
    '<per_pair_data type1="1" type2="1"><potential_pair num_points="4" density_y1="0.0"><point r="1.2" E="8.0"/>'
    '<point r="1.6" E="2.0"/><point r="2.0" E="0.5"/><point r="2.4" E="0.0"/></potential_pair>'
    "</per_pair_data></Glue_params>"
)


def test_several_potentials_in_a_sum(tmp_path, silicon):
    """Descriptors of all of them, and the energies of atoms added up."""
    pair = Entry("distance_2b cutoff=4.0 Z1=14 Z2=14", 1, 4, "ard_se", theta=[0.8], points=[1.8, 2.4, 3.0, 3.6])
    parts = [[Entry(SOAP, 19)], [pair, Entry(SOAP.replace("3.5", "3.0"), 19)]]
    texts, energies = [], []
    for label, entries in zip("PQ", parts, strict=True):
        write_gap(tmp_path / "part.xml", entries)
        energies.append(energy(tmp_path / "part.xml", tmp_path, silicon))
        text = (tmp_path / "part.xml").read_text().replace('label="P', f'label="{label}')
        texts.append(text[text.index("<GAP_params") : text.index("</P>")])
    init = "Sum init_args_pot1={IP GAP label=P} init_args_pot2={IP GAP label=Q}"
    whole = f'<P><Potential label="S" init_args="{init}"/>{"".join(texts)}</P>'
    (tmp_path / "sum.xml").write_text(whole)
    assert energy(tmp_path / "sum.xml", tmp_path, silicon) == pytest.approx(sum(energies), abs=1e-10)
    (tmp_path / "sum.xml").write_text(whole.replace("label=Q", "label=R"))
    with pytest.raises(ValueError, match="no GAP_params with the label 'R'"):
        gap.read(tmp_path / "sum.xml")


def test_a_core_may_have_more_elements_than_the_potential_is_for(tmp_path, silicon):
    """As the example of LAMMPS, which is for all elements, with a core of silicon and oxygen."""
    everything = SOAP.replace("Z=14 n_species=1 species_Z={14}", "")
    path = tmp_path / "gap.xml"
    write(path, everything, after=GLUE, init="Sum init_args_pot1={IP Glue} init_args_pot2={IP GAP label=P}")
    read = gap.read(path)
    with pytest.raises(ValueError, match="name them with --species"):
        gap.convert(read)
    with pytest.raises(ValueError, match="IP Glue embeds O in a density"):
        gap.convert(read, [8, 14])
    model = gap.convert(read, [14])
    write(path, everything)
    bare = gap.convert(gap.read(path), [14])
    assert bare.pairs == [] and model.pairs[0].cutoff == 2.4
    pair = Atoms("Si2", positions=[[0, 0, 0], [0, 0, 1.6]])
    energies = []
    for each in (model, bare):
        pair.calc = calculator(each, tmp_path)
        energies.append(pair.get_potential_energy())
    assert energies[0] - energies[1] == pytest.approx(2.0, abs=1e-9)


def test_species_come_from_the_training_set_or_the_user(tmp_path):
    everything = SOAP.replace("Z=14 n_species=1 species_Z={14}", "")
    write(tmp_path / "gap.xml", everything)
    with pytest.raises(ValueError, match="name them with --species"):
        gap.convert(gap.read(tmp_path / "gap.xml"))
    write(tmp_path / "gap.xml", everything, after="<XYZ_data>2\nLattice\nSi 0.0 1.0 2.0\nC 0.0 .5 1</XYZ_data>")
    assert gap.convert(gap.read(tmp_path / "gap.xml")).species == [14]
    write(tmp_path / "gap.xml")
    with pytest.raises(ValueError, match="not for the atomic number 8"):
        gap.convert(gap.read(tmp_path / "gap.xml"), [8, 14])


def test_the_command_writes_a_model_that_says_where_it_comes_from(tmp_path, capsys):
    write(tmp_path / "gap.xml")
    assert (
        main(["convert", str(tmp_path / "gap.xml"), "-o", str(tmp_path / "m.mlcalc"), "--species", "Si", "--quiet"])
        == 0
    )
    assert "3 sparse points" in capsys.readouterr().out
    assert Model.load(tmp_path / "m.mlcalc").provenance["imported"] == "GAP"
    assert main(["info", str(tmp_path / "m.mlcalc")]) == 0
    assert "converted from GAP P" in capsys.readouterr().out


def test_the_command_compares_with_quippy(tmp_path, capsys, silicon, monkeypatch):
    write(tmp_path / "gap.xml")
    ase.io.write(tmp_path / "frames.xyz", [silicon, silicon])
    words = ["convert", str(tmp_path / "gap.xml"), "-o", str(tmp_path / "m.mlcalc"), "--quiet"]
    (tmp_path / "quippy").mkdir()
    (tmp_path / "quippy" / "__init__.py").write_text("raise ImportError")
    with monkeypatch.context() as without:
        without.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
        assert main([*words, "--check", str(tmp_path / "frames.xyz")]) == 0
    assert "quippy-ase is not installed" in capsys.readouterr().out
    assert main([*words, "--check", str(tmp_path / "none.xyz")]) == 1
    assert "none.xyz" in capsys.readouterr().err
    pytest.importorskip("quippy")
    assert main([*words, "--check", str(tmp_path / "frames.xyz")]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if re.match(r" +[01] +5 ", line)]
    assert len(rows) == 2 and all(float(row[k]) < 1e-11 for row in rows for k in (2, 3, 4, 6))


def test_strings_of_quip():
    assert arguments("IP GAP label=a-b, x={1 {2}} Y='c d' x=3") == (
        ["IP", "GAP"],
        {"label": "a-b", "x": "3", "y": "c d"},
    )
    assert number(".5E-003") == 5e-4 and number("-1.D0") == -1
    with pytest.raises(ValueError, match="not closed"):
        arguments("x={1 2")
