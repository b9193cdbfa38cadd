# SPDX-License-Identifier: BSD-3-Clause
"""From a first structure to a trusted model: which structures to label."""
