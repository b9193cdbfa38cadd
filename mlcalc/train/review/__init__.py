# SPDX-License-Identifier: BSD-3-Clause
"""What one looks at before a model is believed: the data, errors in many parts, the worst structures, maps, curves."""
