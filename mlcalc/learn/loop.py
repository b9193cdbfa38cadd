# SPDX-License-Identifier: BSD-3-Clause
"""Learning on the fly: label, train, run to where the model does not know enough, select, and again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import yaml
from ase import Atoms
from ase.data import chemical_symbols
from scipy.stats import median_abs_deviation

from ..files import LOCK, locked, write_bytes, write_json
from ..model import Model
from ..train.data import Structure
from ..train.engine import n_threads
from ..train.errors import Prediction, predict, uncertainties
from ..train.frames import read_frames, write_frames
from ..train.option_checks import DataError, OptionError, build
from ..train.options import parse_options, read_yaml
from ..train.progress import Progress
from ..train.run import fit
from ..train.template import template
from .calculators import isolated_energies
from .explore import Exploration, Outcome, uncertain
from .labels import Queue, Reference, name_of, named, sound
from .options import LearnOptions
from .report import write_loop_page
from .selection import Sieve, select

#: members of a committee at least
MEMBERS = 4
#: what few structures need beside the template: more than a tenth of them to calibrate the committee with
SPLIT: dict = {"method": "fraction", "validation": 0.2, "test": 0.0}
SMALL_DATA: dict = {"solver": {"criterion": "folds"}}


@dataclass
class Round:
    """What one round did. Errors are those of the model before on structures that it had not seen, in eV/Å (forces) and
    eV per atom, beside the uncertainties that it gave (root mean squares)."""

    number: int
    new: int
    labels: int
    aside: int
    inside: int = 0
    runs: int = 0
    limit: float | None = None
    force_error: float | None = None
    force_uncertainty: float | None = None
    energy_error: float | None = None
    energy_uncertainty: float | None = None
    validation: float | None = None

    @property
    def ratio(self) -> float | None:
        """Errors in units of what was expected: the larger of forces and energies."""
        pairs = [(self.force_error, self.force_uncertainty), (self.energy_error, self.energy_uncertainty)]
        ratios = [error / max(sigma, 1e-12) for error, sigma in pairs if error is not None and sigma is not None]
        return max(ratios, default=None)


@dataclass
class LoopResult:
    """What a loop leaves: whether it converged, the sentence why it ended, its model, and its rounds."""

    converged: bool
    reason: str
    model_path: Path
    report_path: Path
    rounds: list[Round]


def learn(options, reference=None, *, progress: bool = True) -> LoopResult:
    """Runs the loop that the options (a mapping or the path of a YAML file) say, or goes on with it.

    ``reference`` is an ASE calculator that labels instead of ``options.reference``. Everything is in one folder; what
    is there is not done again. Raises OptionError and DataError with one sentence, and Waiting where labels have to be
    made elsewhere."""
    return Loop(parse_learn_options(options), reference, Progress(progress)).run()


def parse_learn_options(options) -> LearnOptions:
    """Checked options; paths are relative to the file."""
    if isinstance(options, LearnOptions):
        return options
    folder = Path()
    if isinstance(options, (str, Path)):
        folder, options = Path(options).parent, read_yaml(options)
    made = build(LearnOptions, options, "")
    made.structures = [str(folder / Path(path).expanduser()) for path in made.structures]
    made.folder = str(folder / Path(made.folder).expanduser())
    return made


class Loop:
    """The stages of a loop. Each leaves a file when it has ended and begins with looking whether that is there."""

    def __init__(self, options: LearnOptions, reference, progress: Progress):
        self.options, self.progress = options, progress
        self.folder, self.threads = Path(options.folder), n_threads(options.threads)
        self.starts = [atoms for path in options.structures for atoms in read_frames(path)]
        if not all(len(atoms) for atoms in self.starts):
            raise DataError("a start structure has no atoms")
        self._check_training()
        queue = options.reference.calculator == "queue" and reference is None
        self.reference = Queue(options.reference) if queue else Reference(options.reference, reference)
        self.rounds: list[Round] = []
        self.aside: dict[str, str] = {}

    def run(self) -> LoopResult:
        sentence = f"another loop is running in the folder {self.folder}; wait for it, or name another 'folder'"
        with locked(self.folder, sentence):
            self._own_folder()
            for number in range(self.options.rounds):
                converged, reason = self._round(number)
                write_loop_page(self.folder, self.rounds, self._seen(), self.aside, reason)
                if reason:
                    break
            else:
                converged, reason = False, f"after {self.options.rounds} rounds ('rounds')"
                write_loop_page(self.folder, self.rounds, self._seen(), self.aside, reason)
            model = self.folder / "model.mlcalc"
            contents = (self._at(self.rounds[-1].number) / "model.mlcalc").read_bytes()
            write_bytes(model, contents)
            return LoopResult(converged, reason, model, self.folder / "report.html", self.rounds)

    # the stages

    def _round(self, number: int) -> tuple[bool, str]:
        """Labels, training and runs of one round: whether the loop has converged, and why it ends (empty: not yet)."""
        chosen = self._chosen(number)
        labeled = self._labels(number, chosen)
        entry = Round(number, len(labeled), 0, len(self.aside))
        self.rounds.append(entry)
        if number:
            self._compare(entry, labeled)
        self._train(number, entry)
        self._tell(entry)
        inside = number > 0 and self.rounds[-2].inside == self.rounds[-2].runs
        if inside and entry.ratio is not None and entry.ratio <= self.options.agree:
            return True, (
                f"all runs stayed inside {self.rounds[-2].limit:.3g} eV/Å, and new structures have errors of "
                f"{entry.ratio:.2g} times their uncertainty"
            )
        if self.options.max_labels is not None and entry.labels >= self.options.max_labels:
            return False, f"{entry.labels} structures are labeled ('max_labels')"
        outcomes = self._explore(number, entry)
        return self._select(number, outcomes)

    def _chosen(self, number: int) -> list[Atoms]:
        path = self._at(number) / "chosen.xyz"
        if not path.exists():
            assert number == 0, "every later round has been selected"
            frames = [named(atoms) for atoms in self._first()]
            write_frames(path, frames)
        return read_frames(path)

    def _first(self) -> list[Atoms]:
        """Start structures, displaced and strained at random, without those whose atoms are too close."""
        wanted, made = self.options.select, []
        sieve = Sieve({int(z) for atoms in self.starts for z in atoms.numbers}, wanted.closest)
        for k in range(20 * wanted.first):
            rng = np.random.default_rng([self.options.seed, 17, k])
            atoms = self._displaced(self.starts[k % len(self.starts)], rng)
            if not sieve.fault(atoms):
                made.append(atoms)
            if len(made) == wanted.first:
                return made
        raise DataError(
            f"only {len(made)} of {wanted.first} displaced start structures have atoms that are not too close; lower "
            "select.rattle or select.closest"
        )

    def _displaced(self, atoms: Atoms, rng) -> Atoms:
        wanted, out = self.options.select, atoms.copy()
        if out.cell.rank == 3 and wanted.strain:
            strain = wanted.strain * rng.normal(size=(3, 3))
            out.set_cell(out.cell.array @ (np.eye(3) + 0.5 * (strain + strain.T)), scale_atoms=True)
        out.positions += wanted.rattle * rng.uniform(0.2, 1.0) * rng.normal(size=(len(out), 3))
        return out

    def _labels(self, number: int, chosen: list[Atoms]) -> list[Atoms]:
        """The labels of a round that can be believed; the others are kept aside."""
        path, folder = self._at(number) / "labels.xyz", self._at(number) / "labels"
        if not path.exists():
            labeled, aside = self.reference.label(chosen, folder, self.progress)
            good, doubtful = sound(self.options.reference, labeled, self._expected(number, labeled))
            aside = aside | doubtful
            if not good:
                (folder / "aside.json").unlink(missing_ok=True)  # the next start tries them again
                raise DataError(
                    f"the reference labels none of the {len(chosen)} structures of {self._at(number)}/chosen.xyz; the "
                    f"first: {next(iter(aside.values()), 'no reason')}"
                )
            write_json(self._at(number) / "aside.json", aside, indent=1)
            write_frames(path, good)
        self.aside |= json.loads((self._at(number) / "aside.json").read_text())
        return read_frames(path)

    def _expected(self, number: int, labeled):
        """(energy per atom, standard deviation) of each structure: by the model before, or by the others."""
        if number:
            return uncertain(Model.load(self._at(number - 1) / "model.mlcalc"), labeled)
        energies = [atoms.get_potential_energy() / len(atoms) for atoms in labeled]
        formulas = [atoms.get_chemical_formula() for atoms in labeled]
        of = {f: [e for e, g in zip(energies, formulas, strict=True) if g == f] for f in set(formulas)}
        # spreads that a few labels which jump do not change
        usual = {f: (float(np.median(e)), float(median_abs_deviation(e, scale="normal"))) for f, e in of.items()}
        return [usual[f] if len(of[f]) > 4 else None for f in formulas]

    def _compare(self, entry: Round, labeled):
        """Errors of the model before beside its uncertainties."""
        predictions = self._predictions(Model.load(self._at(entry.number - 1) / "model.mlcalc"), labeled)
        scale = predictions[1]
        for kind, name in (("forces", "force"), ("energy", "energy")):
            errors, spread = uncertainties(predictions[0], kind)
            setattr(entry, f"{name}_error", float(np.sqrt(np.mean(errors**2))))
            setattr(entry, f"{name}_uncertainty", scale * float(np.sqrt(np.mean(spread**2))))

    def _predictions(self, model, labeled) -> tuple[list[Prediction], float]:
        structures = [
            Structure(a, energy=a.get_potential_energy(), forces=a.get_forces(), source=name_of(a)) for a in labeled
        ]
        return predict(model, structures, self.threads), model.committee.scale

    def _train(self, number: int, entry: Round):
        """The model of all labels so far: rows of those before are there already."""
        frames = [atoms for k in range(number + 1) for atoms in read_frames(self._at(k) / "labels.xyz")]
        entry.labels = len(frames)
        stored = self._at(number) / "training.json"
        if not stored.exists():
            data = self.folder / "labels.xyz"
            write_frames(data, frames)
            options = self._training(data) | {"model": str(self._at(number) / "model.mlcalc")}
            options |= {"report": str(self._at(number) / "report"), "checkpoint": str(self.folder / "checkpoint")}
            self.progress.say(f"round {number}: training on {len(frames)} structures")
            result = fit(parse_options(options), progress=False)
            errors = result.report["errors"].get("validation", result.report["errors"]["train"])["all"]["forces"]
            write_json(stored, {"validation": errors and errors["rmse"]})
        entry.validation = json.loads(stored.read_text())["validation"]

    def _explore(self, number: int, entry: Round) -> list[Outcome]:
        seed = int(np.random.SeedSequence([self.options.seed, 29, number]).generate_state(1)[0] % 10**8)
        runs = Exploration(self._at(number) / "model.mlcalc", self._at(number) / "runs", self.options.explore, seed,
                           self.threads)  # fmt: skip
        rng = np.random.default_rng([self.options.seed, 31, number])
        again = [self._displaced(atoms, rng) for _ in range(self.options.explore.repeats - 1) for atoms in self.starts]
        outcomes = runs.run([*self.starts, *again], self.progress)
        entry.inside, entry.runs, entry.limit = sum(o.inside for o in outcomes), len(outcomes), runs.limit
        self.progress.say(f"round {number}: {entry.inside} of {entry.runs} runs inside {runs.limit:.3g} eV/Å")
        self._runs = runs
        return outcomes

    def _select(self, number: int, outcomes) -> tuple[bool, str]:
        """The structures of the next round, in its folder; why the loop ends if there are none."""
        path = self._at(number + 1) / "chosen.xyz"
        if path.exists():
            return False, ""
        wanted = self.options.select
        try:
            selection = select(
                self._runs.model, self._runs.frames(outcomes), wanted.number, method=wanted.method,
                labels=wanted.labels, closest=wanted.closest, threads=self.threads, seen=self._seen(),
            )  # fmt: skip
            chosen = selection.frames()
        except DataError as error:
            if "no structure is left" not in str(error):
                raise
            chosen = []
        if chosen:
            write_frames(path, [named(atoms) for atoms in chosen])
            return False, ""
        if all(outcome.inside for outcome in outcomes):
            return True, f"all runs stayed inside {self._runs.limit:.3g} eV/Å and show nothing that is new"
        stopped = sum(not outcome.inside for outcome in outcomes)
        raise DataError(
            f"{stopped} of {len(outcomes)} runs stopped at the limit of {self._runs.limit:.3g} eV/Å and none shows a "
            "structure that is not labeled or kept aside already; raise explore.limit, or lower select.closest"
        )

    # what they need

    def _at(self, number: int) -> Path:
        path = self.folder / f"round-{number:03d}"
        path.mkdir(parents=True, exist_ok=True)
        return path

    def _seen(self) -> list[Atoms]:
        """Every structure that was chosen so far, labeled ones with their labels."""
        frames = []
        for k in range(len(self.rounds)):
            labeled = read_frames(self._at(k) / "labels.xyz")
            names = {name_of(atoms) for atoms in labeled}
            frames += labeled + [a for a in read_frames(self._at(k) / "chosen.xyz") if name_of(a) not in names]
        return frames

    def _own_folder(self):
        """The folder belongs to the loop of these start structures and this seed."""
        digests = [Structure(atoms).digest for atoms in self.starts]
        key = hashlib.sha256(json.dumps([digests, self.options.seed]).encode()).hexdigest()
        stamp = self.folder / "loop.json"
        if stamp.exists():
            if json.loads(stamp.read_text()).get("key") != key:
                raise DataError(
                    f"{self.folder} holds a loop of other start structures or another seed; name another 'folder'"
                )
            return
        others = [path.name for path in self.folder.iterdir() if path.name != LOCK]
        if others:
            raise DataError(f"the folder {self.folder} holds other files ({others[0]}); name another 'folder'")
        write_json(stamp, {"key": key})

    def _check_training(self):
        """Mistakes in the options of the training are said before anything is labeled."""
        if self.options.train:
            parsed = parse_options(self._with_files(self.options.train, Path("labels.xyz")))
            if parsed.committee.members < MEMBERS:
                raise OptionError(
                    "train: the limit of the runs is an uncertainty of forces, which needs a committee; write "
                    f"committee: {{members: {MEMBERS}}} or more"
                )

    @staticmethod
    def _with_files(options: dict, data: Path) -> dict:
        return {**options, "data": {**options.get("data", {}), "files": [str(data)]}}

    def _training(self, data: Path) -> dict:
        """Options of mlcalc train, in train.yaml of the folder: those of the loop, or of the template of its labels."""
        path = self.folder / "train.yaml"
        if not path.exists():
            options = dict(self.options.train) or self._template(data)
            members = options.get("committee", {}).get("members", 0)
            options["committee"] = {**options.get("committee", {}), "members": max(MEMBERS, members)}
            options["keep_checkpoint"] = True
            options.setdefault("seed", self.options.seed)
            options["data"] = {**options.get("data", {})}
            options["data"].setdefault("split", SPLIT)
            given = options["data"]
            if given.get("reference_energies", "auto") == "auto" and self._energies():
                given["reference_energies"] = self._energies()
            text = yaml.safe_dump(options, sort_keys=False).encode()
            write_bytes(path, text)
        return self._with_files(read_yaml(path), data)

    @staticmethod
    def _template(data: Path) -> dict:
        options = yaml.safe_load(template([data])) | SMALL_DATA
        for name in ("files", "split"):
            options["data"].pop(name)
        return {key: value for key, value in options.items() if key != "model"}

    def _energies(self) -> dict[str, float]:
        """Energies of separated atoms by the reference, where it can have them."""
        if not self.options.reference.isolated or self.reference.calculator is None:
            return {}
        path = self.folder / "isolated.json"
        if not path.exists():
            symbols = sorted({chemical_symbols[z] for atoms in self.starts for z in atoms.numbers})
            try:
                found = isolated_energies(symbols, self.reference.calculator)
            except ValueError as error:
                raise DataError(f"{error}; write reference.isolated: false to do without") from error
            write_json(path, found)
        return json.loads(path.read_text())

    def _tell(self, entry: Round):
        errors = ""
        if entry.force_error is not None and entry.force_uncertainty is not None:
            error, expected = 1e3 * entry.force_error, 1e3 * entry.force_uncertainty
            errors = f", errors of new structures {error:.3g} meV/Å where {expected:.3g} were expected"
        self.progress.say(f"round {entry.number}: {entry.labels} labels{errors}")


def rounds_as_rows(rounds: list[Round]) -> list[dict]:
    """Plain data of the rounds."""
    return [asdict(entry) | {"ratio": entry.ratio} for entry in rounds]
