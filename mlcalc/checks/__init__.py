# SPDX-License-Identifier: BSD-3-Clause
"""Physical checks of a model before it is used: curves and short runs, each with a verdict."""
