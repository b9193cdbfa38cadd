# SPDX-License-Identifier: BSD-3-Clause
"""Training: from a data set to a model file. ``mlcalc.train.fit(options)`` is ``mlcalc train options.yaml``."""

from .data import DataError
from .evaluate import evaluate
from .options import OptionError, TrainOptions, parse_options
from .run import FitResult, fit

__all__ = ["DataError", "FitResult", "OptionError", "TrainOptions", "evaluate", "fit", "parse_options"]
