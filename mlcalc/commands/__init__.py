# SPDX-License-Identifier: BSD-3-Clause
"""What the commands ``mlcalc <command>`` take and print; what they do is in the rooms below."""
