# SPDX-License-Identifier: BSD-3-Clause
"""When a calculator looks whether it is asked for what its model was trained on."""

import numpy as np

from .._engine import EXTRAPOLATION_INTERVAL, STRUCTURE_LIMIT, extrapolation_bound


class ExtrapolationWatch:
    """Decides at which calls the extrapolation measure is looked at: at the first for other atoms, then seldom.

    ``description`` is the JSON document of the model; without a measure that is 1 at the edge of its training set
    nothing is looked at, nor if not ``wanted``."""

    def __init__(self, description, wanted: bool):
        regressors = [term["regressor"] or {} for term in description["terms"]]
        self.watches = bool(wanted) and any(r.get("leverage") or r.get("edges") for r in regressors)
        self._numbers = np.zeros(0, dtype=int)
        self._calls = 0
        self._before = 0.0
        self._ratio = 0.0
        self._outermost = description.get("outermost")

    def is_due(self, numbers: np.ndarray) -> bool:
        """Counts a call for atoms of these atomic numbers; is the measure wanted?"""
        if not self.watches:
            return False
        same = np.array_equal(numbers, self._numbers)
        if not same:
            self._numbers, self._calls, self._before, self._ratio = np.array(numbers), -1, 0.0, 0.0
        self._calls += 1
        return self._calls % EXTRAPOLATION_INTERVAL == 0

    def message(self, values: np.ndarray) -> str | None:
        """What to say of these values (n,), if any is beyond the limit of one look, or of a second one in a row, or if
        their mean is beyond that of all structures of the data at two looks in a row."""
        worst = int(np.argmax(values)) if len(values) else 0
        largest = float(values[worst]) if len(values) else 0.0
        limit, self._before = extrapolation_bound(self._before), largest
        if largest <= limit:
            return self._message_of_mean(values)
        return (
            f"the extrapolation of atom {worst} is {largest:.3g}, above {limit:g} (1 is the edge of the training set): "
            "the model was not trained for such an environment"
        )

    def _message_of_mean(self, values: np.ndarray) -> str | None:
        before, self._ratio = self._ratio, 0.0
        if self._outermost is not None and len(values) >= self._outermost["atoms"]:
            self._ratio = float(np.mean(values)) / self._outermost["mean"]
        if min(before, self._ratio) <= STRUCTURE_LIMIT:
            return None
        return (
            f"the mean extrapolation of all atoms is {np.mean(values):.3g}, {self._ratio:.3g} times that of the "
            "outermost structure of the data: the model was not trained for such a system"
        )
