# SPDX-License-Identifier: BSD-3-Clause
"""``python -m mlcalc``: the command ``mlcalc``."""

import sys

from .cli import main

sys.exit(main())
