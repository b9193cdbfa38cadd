# SPDX-License-Identifier: BSD-3-Clause
"""Machine-learned potentials that see near (SOAP) and far (LODE), in ASE and in LAMMPS."""

import importlib
import importlib.util

if importlib.util.find_spec("mlcalc._engine") is None:
    raise ImportError(
        f"{__path__[0]} is the source folder of mlcalc and has no compiled engine; start Python in another "
        "folder to use the installed package"
    )

_HOME = {
    "DensityExpansion": "expansions",
    "Descriptor": "features",
    "Invariant": "model",
    "Kernel": "model",
    "Linear": "model",
    "MLCalculator": "calculator",
    "Model": "model",
    "PotentialExpansion": "expansions",
    "Term": "model",
    "UncertaintyError": "calculator",
    "UncertaintyWarning": "calculator",
    "full_neighbor_list": "neighbors",
}
__all__ = sorted(_HOME)


def __getattr__(name):
    # on first use, so that `mlcalc --help` and LAMMPS's search for plugins do not wait for NumPy and ASE
    if name not in _HOME:
        raise AttributeError(f"module 'mlcalc' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"mlcalc.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted([*globals(), *__all__])
