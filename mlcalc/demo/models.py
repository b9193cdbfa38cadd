# SPDX-License-Identifier: BSD-3-Clause
"""Training the two models of the demo: what differs between them is the far field.

Energies are linear in products of up to three factors within channels: of the density, or of density and far field. The
dipole that the field of all ions induces in them is a second output."""

from pathlib import Path

import yaml

NEAR = [
    # fine in distance: the steep repulsion of the ions
    {
        "name": "pairs",
        "type": "density",
        "n_max": 10,
        "l_max": 0,
        "cutoff": 5.0,
        "density": {"type": "gaussian", "width": 0.25},
        "smoothing": {"type": "shifted_cosine", "width": 1.0},
    },
    # SOAP
    {
        "name": "rho",
        "type": "density",
        "n_max": 5,
        "l_max": 3,
        "cutoff": 4.5,
        "density": {"type": "gaussian", "width": 0.4},
        "smoothing": {"type": "shifted_cosine", "width": 1.0},
    },
]
FAR = [
    {
        "name": "V",
        "type": "potential",
        "exponent": 1,
        "smearing": 1.0,
        "n_max": 2,
        "l_max": 1,
        "basis": {"type": "multi_width", "widths": [1.0, 2.0]},
    }
]
#: largest angular momenta of one, two and three factors
BODIES = [3, 3, 3]
TITLES = {"soap": "SOAP", "soap-lode": "SOAP + LODE"}


def options(name: str, data: str, members: int) -> dict:
    """The training options of ``soap`` or ``soap-lode``, as in the options file."""
    far = name == "soap-lode"
    invariants = [{"nu": 1, "a": "pairs"}, {"a": "A", "l_max": BODIES}]
    if far:
        invariants.append({"nu": 1, "a": "V"})
    layer = {
        "name": "A",
        "inputs": ["rho", "V"] if far else ["rho"],
        "channels": 16,
        "l_max": BODIES[0],
        "mixing": {"method": "random", "decay": 1.0},
    }
    return {
        "model": f"{name}.mlcalc",
        "data": {
            "files": [data],
            "energy": "energy",
            "forces": "forces",
            "stress": "stress",
            "config_type": "config_type",
            "split": {"method": "key", "key": "split"},
        },
        "expansions": NEAR + FAR if far else NEAR,
        "layers": [layer],
        "terms": [{"name": "bodies", "invariants": invariants, "regressor": {"type": "linear"}}],
        "targets": [
            {
                "name": "induced",
                "key": "induced",
                "type": "vector",
                "unit": "e*Angstrom",
                "products": ["rho", "rho rho", "V"] if far else ["rho", "rho rho"],
            }
        ],
        "weights": {"energy": 0.001, "forces": 0.02, "virial": 0.01},
        "solver": {"method": "qr"},
        "committee": {"members": members},
    }


def train(folder: Path, name: str, data: str, members: int, progress: bool = True) -> dict:
    """Trains one model in ``folder``, leaves its options file, model and report, and returns the report."""
    from ..train import fit

    text = yaml.safe_dump(options(name, data, members), sort_keys=False)
    (folder / f"{name}.yaml").write_text(f"# mlcalc train {name}.yaml\n{text}")
    chosen = options(name, str(folder / data), members)
    chosen["model"] = str(folder / f"{name}.mlcalc")
    return fit(chosen, progress=progress).report


def error_table(reports: dict[str, dict]) -> str:
    """Root-mean-square errors on the test set, one line per model; dipoles relative to their spread."""
    lines = [f"{'test RMSE':<14}{'energy meV/atom':>18}{'force meV/A':>14}{'stress meV/A^3':>17}{'induced dipole':>17}"]
    for name, report in reports.items():
        row = report["errors"]["test"]["all"]
        values = [1e3 * row[quantity]["rmse"] for quantity in ("energy", "forces", "stress")]
        dipole = 100 * report["tensors"]["induced"]["errors"]["test"]["value"]["relative"]
        lines.append(f"{TITLES[name]:<14}{values[0]:>18.2f}{values[1]:>14.1f}{values[2]:>17.3f}{dipole:>15.1f} %")
    return "\n".join(lines)
