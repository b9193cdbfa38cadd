# SPDX-License-Identifier: BSD-3-Clause
"""The Fourier transforms of the particle mesh on one process: ducc0 where it is installed, else SciPy."""

import scipy.fft

try:
    import ducc0
except ImportError:  # twice as slow, nothing else changes
    ducc0 = None


def transform(grids, out, forward, n_threads=1):
    """Complex FFTs of the last three axes of ``grids`` (n, m1, m2, m3) into ``out``, which may be the same array, not
    normalized either way."""
    axes = (1, 2, 3)
    if ducc0 is not None:
        ducc0.fft.c2c(grids, axes=axes, forward=forward, inorm=0, out=out, nthreads=n_threads)
    elif forward:
        out[...] = scipy.fft.fftn(grids, axes=axes, workers=n_threads)
    else:
        out[...] = scipy.fft.ifftn(grids, axes=axes, norm="forward", workers=n_threads)
