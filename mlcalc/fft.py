# SPDX-License-Identifier: BSD-3-Clause
"""The Fourier transforms of the particle mesh on one process: ducc0 where it is installed, else SciPy."""

import scipy.fft

try:
    import ducc0
except ImportError:  # twice as slow, nothing else changes
    ducc0 = None


def transform(grids, out, forward):
    """Complex FFTs of the last three axes of ``grids`` (n, m1, m2, m3) into ``out``, not normalised either way."""
    axes = (1, 2, 3)
    if ducc0 is not None:
        ducc0.fft.c2c(grids, axes=axes, forward=forward, inorm=0, out=out, nthreads=1)
    elif forward:
        out[...] = scipy.fft.fftn(grids, axes=axes)
    else:
        out[...] = scipy.fft.ifftn(grids, axes=axes, norm="forward")
