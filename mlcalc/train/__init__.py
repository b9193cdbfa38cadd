# SPDX-License-Identifier: BSD-3-Clause
"""Training: from a data set to a model file. ``mlcalc.train.fit(options)`` is ``mlcalc train options.yaml``."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .data import DataError
    from .evaluation import evaluate
    from .final import FitResult
    from .options import OptionError, TrainOptions, parse_options
    from .run import fit

_HOME = {
    "DataError": "option_checks",
    "FitResult": "final",
    "OptionError": "option_checks",
    "TrainOptions": "options",
    "evaluate": "evaluation",
    "fit": "run",
    "parse_options": "options",
}
__all__ = ["DataError", "FitResult", "OptionError", "TrainOptions", "evaluate", "fit", "parse_options"]


def __getattr__(name):
    # on first use, so that `mlcalc train --help` does not wait for what only training needs
    if name not in _HOME:
        raise AttributeError(f"module 'mlcalc.train' has no attribute {name!r}")
    module = importlib.import_module(f"mlcalc.train.{_HOME[name]}")
    globals()[name] = value = getattr(module, name)
    return value
