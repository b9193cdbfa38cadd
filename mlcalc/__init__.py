# SPDX-License-Identifier: BSD-3-Clause
"""Machine-learned potentials that see near (SOAP) and far (LODE), in ASE and in LAMMPS."""

import importlib
import importlib.util
import sys

if importlib.util.find_spec("mlcalc._engine") is None:
    raise ImportError(
        f"{__path__[0]} is the source folder of mlcalc and has no compiled engine; start Python in another "
        "folder to use the installed package"
    )

_HOME = {
    "ChannelEquivariant": "model",
    "ChannelProduct": "model",
    "DensityExpansion": "model",
    "Descriptor": "running.features",
    "Equivariant": "model",
    "Invariant": "model",
    "Kernel": "model",
    "Linear": "model",
    "MLCalculator": "running.calculator",
    "Mixing": "model",
    "Model": "model",
    "PairTable": "model",
    "PotentialExpansion": "model",
    "TabulatedPairs": "model",
    "TensorKernel": "model",
    "TensorOutput": "model",
    "TensorPart": "model",
    "Term": "model",
    "TripleKernel": "model",
    "UncertaintyError": "running.calculator",
    "UncertaintyWarning": "running.calculator",
    "full_neighbor_list": "running.neighbors",
}
_ROOMS = ("gap", "lammps", "learn", "model", "train")
__all__ = sorted([*_HOME, *_ROOMS])

# modules that version 0.1.0 had under mlcalc, and where they are
_MOVED = {
    "calculator": "running.calculator",
    "expansions": "model.expansions",
    "far_field": "running.far_field",
    "features": "running.features",
    "info": "commands.info",
    "md": "running.md",
    "neighbors": "running.neighbors",
    "parallel": "running.parallel",
    "radial": "model.radial",
    "radial_potential": "model.radial_potential",
}


class _MovedModules:
    """Finds the modules of ``_MOVED`` by their old names: the same module, not a second copy of it."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        package, _, module = name.rpartition(".")
        if package != __name__ or module not in _MOVED:
            return None
        return importlib.util.spec_from_loader(name, _MovedModules)

    @staticmethod
    def create_module(spec):
        return None

    @staticmethod
    def exec_module(module):
        name = module.__name__
        sys.modules[name] = importlib.import_module(f"{__name__}.{_MOVED[name.rpartition('.')[2]]}")


sys.meta_path.append(_MovedModules)


def __getattr__(name):
    # on first use, so that `mlcalc --help` and LAMMPS's search for plugins do not wait for NumPy and ASE
    if name in _HOME:
        value = getattr(importlib.import_module(f"mlcalc.{_HOME[name]}"), name)
    elif name in _ROOMS or name in _MOVED:
        value = importlib.import_module(f"mlcalc.{name}")
    elif name == "__version__":
        from importlib.metadata import version

        value = version("mlcalc")
    else:
        raise AttributeError(f"module 'mlcalc' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__():
    return sorted([*globals(), *__all__])
