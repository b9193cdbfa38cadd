# SPDX-License-Identifier: BSD-3-Clause
"""Progress bars with time left, or silence."""

from __future__ import annotations

import sys

from tqdm import tqdm


class Progress:
    """``progress(iterable, total=, desc=)`` wraps a loop in a bar; ``say`` prints a line above it."""

    def __init__(self, enabled: bool = True, stream=None):
        self.enabled = enabled
        self.stream = stream or sys.stderr

    def __call__(self, iterable=None, total=None, desc=""):
        return tqdm(iterable, total=total, desc=desc, disable=not self.enabled, file=self.stream, leave=False)

    def say(self, text: str):
        if self.enabled:
            tqdm.write(text, file=self.stream)
