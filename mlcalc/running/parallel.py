# SPDX-License-Identifier: BSD-3-Clause
"""Division of one evaluation over the ranks of an mpi4py communicator.

Every rank calls with the same atoms. The centers are divided into consecutive blocks, one per rank; the far field sums
its structure factors or its mesh over the ranks. What a failure is on one rank is an exception on all of them, unless
the others already wait for that rank in a sum or a transform: then the run ends with its sentence.
"""

from __future__ import annotations

import hashlib
import sys
import time
from contextlib import contextmanager

import numpy as np
import scipy.fft

DIGEST_SIZE = 16
PATIENCE = 60.0  # seconds after which a rank that waits alone says so


class ParallelError(RuntimeError):
    """Another rank failed, or the ranks do not ask for the same thing of the same atoms."""


class Ranks:
    """The ranks that share one calculator: what the engine asks of a communicator, and the agreement between ranks.

    ``comm`` is an mpi4py communicator; it is duplicated, so that nothing here meets messages of the caller.
    """

    def __init__(self, comm):
        MPI = sys.modules.get("mpi4py.MPI")  # whoever has a communicator has imported it
        if MPI is None or not isinstance(comm, MPI.Intracomm):
            raise TypeError(f"comm must be an mpi4py communicator such as MPI.COMM_WORLD, got {type(comm).__name__}")
        self._mpi = MPI
        self._comm = comm.Dup()
        self.rank = self._comm.Get_rank()
        self.size = self._comm.Get_size()

    def block(self, n: int) -> tuple[int, int]:
        """The atoms ``begin .. end`` of ``n`` that are this rank's centers."""
        return n * self.rank // self.size, n * (self.rank + 1) // self.size

    def sum(self, values):
        """Replaces ``values`` by their sum over the ranks."""
        self._comm.Allreduce(self._mpi.IN_PLACE, values)

    def sum_exactly_alike(self, values):
        """As ``sum``, with the same bits on every rank, which MPI does not promise of an Allreduce."""
        if self.rank == 0:
            self._comm.Reduce(self._mpi.IN_PLACE, values, root=0)
        else:
            self._comm.Reduce(values, None, root=0)
        self._comm.Bcast(values, root=0)

    def max(self, value: float) -> float:
        return self._comm.allreduce(float(value), op=self._mpi.MAX)

    def mesh(self, shape, below: int, above: int):
        """A mesh of this shape divided over the ranks, for stencils that reach so many points from an atom."""
        return SlabMesh(self._comm, self._mpi, shape, below, above)

    def agree(self, digest: bytes, what: str, flag: bool = False) -> bool:
        """Whether ``flag`` is set on any rank, once all have arrived with the same ``digest``.

        Raises ParallelError on every rank if the digests differ from rank 0's; ``what`` says what they are a digest of.
        """
        mine = np.frombuffer(digest + bytes([flag]), dtype=np.uint8)
        everyones = np.empty((self.size, len(mine)), dtype=np.uint8)
        self._wait(self._comm.Iallgather(mine, everyones), what)
        others = np.flatnonzero((everyones[:, :-1] != everyones[0, :-1]).any(axis=1))
        if len(others):
            raise ParallelError(
                f"{what} on rank {', '.join(map(str, others))} of {self.size} differ from rank 0's; every rank has to "
                "call the calculator for the same thing of the same atoms (seed random numbers alike)"
            )
        return bool(everyones[:, -1].any())

    @contextmanager
    def together(self, collective: bool = False):
        """A block that every rank runs: if it raises on one rank it ends in an exception on all.

        The ranks that failed raise their own exception, the others a ParallelError that quotes the first of them. In a
        ``collective`` block the ranks wait for each other: there an exception is raised only if the engine says that
        every rank has one; any other ends the run at once.
        """
        failure = None
        try:
            yield
        except Exception as error:
            failure = error
        if collective and self.size > 1 and failure is not None and not getattr(failure, "on_every_rank", False):
            self.abort(failure)
        if not self.max(failure is not None):
            return
        messages = self._comm.allgather(None if failure is None else f"{type(failure).__name__}: {failure}")
        if failure is not None:
            raise failure
        rank = next(rank for rank, message in enumerate(messages) if message is not None)
        raise ParallelError(f"rank {rank} of {self.size} failed with {messages[rank]}")

    def abort(self, failure):
        """Ends the run of all ranks, which wait for this one in a collective call, with this rank's sentence."""
        print(
            f"mlcalc: rank {self.rank} of {self.size} failed alone while the others wait for it, so the run ends here: "
            f"{type(failure).__name__}: {failure}",
            file=sys.stderr,
            flush=True,
        )
        time.sleep(0.2)  # mpirun may lose what is printed right before the end
        self._comm.Abort(1)

    def _wait(self, request, what):
        """Wait without burning the core that another rank may need, and not in silence."""
        started = time.monotonic()
        warn_at = started + PATIENCE
        while not request.Test():
            now = time.monotonic()
            if now - started > 1e-3:
                time.sleep(1e-4)
            if now > warn_at:
                warn_at = np.inf
                print(
                    f"mlcalc: rank {self.rank} of {self.size} has waited {PATIENCE:.0f} s to compare {what}; every "
                    "rank must call the calculator (inside `if rank == 0:` read calc.results instead)",
                    file=sys.stderr,
                    flush=True,
                )


def digest_of(*things) -> bytes:
    """A hash of arrays and strings: equal on two ranks only if these are equal to the last bit."""
    digest = hashlib.blake2b(digest_size=DIGEST_SIZE)
    for thing in things:
        data = thing.encode() if isinstance(thing, str) else np.ascontiguousarray(thing)
        digest.update(str(np.shape(thing)).encode())
        digest.update(data)
    return digest.digest()


class SlabMesh:
    """A periodic mesh divided into slabs, with its FFT, for the core's particle mesh.

    In real space a rank owns planes of the first axis, in reciprocal space planes of the second. The atoms of a rank
    may be anywhere, so that its halo is the whole mesh: what its atoms spread is summed to the owners, what the owners
    hold is gathered by all. Memory for the grids is therefore not divided, the Fourier transforms are.
    """

    def __init__(self, comm, mpi, shape, below, above):
        self._comm, self._mpi = comm, mpi
        self.shape = tuple(int(m) for m in shape)
        rank, size = comm.Get_rank(), comm.Get_size()
        self._x = [m * self.shape[0] // size for m in range(size + 1)]
        self._y = [m * self.shape[1] // size for m in range(size + 1)]
        (x, x_end), (y, y_end) = self._x[rank : rank + 2], self._y[rank : rank + 2]
        self.owned = ((x, 0, 0), (x_end, self.shape[1], self.shape[2]))
        self.spectral = ((0, y, 0), (self.shape[0], y_end, self.shape[2]))
        self.ghosted = ((-below,) * 3, tuple(m + above for m in self.shape))
        self._images = [np.arange(-below, m + above) % m for m in self.shape]
        self._halo = (slice(x + below, x_end + below), slice(below, below + shape[1]), slice(below, below + shape[2]))

    def add_halo(self, grid, n_values):
        """Adds what every rank holds of a plane to the plane of its owner."""
        grid = grid.reshape(*(len(images) for images in self._images), n_values)
        folded = grid
        for axis, (images, m) in enumerate(zip(self._images, self.shape, strict=True)):
            folded = _fold(folded, axis, images, m)
        mine = np.empty(self._slab(n_values))
        self._comm.Reduce_scatter(folded, mine, [_size(self._slab(n_values, r)) for r in range(len(self._x) - 1)])
        grid[self._halo] = mine

    def fill_halo(self, grid, n_values):
        """Gives every rank the planes of all owners, and their periodic images."""
        grid = grid.reshape(*(len(images) for images in self._images), n_values)
        mine = np.ascontiguousarray(grid[self._halo])
        everything = np.empty((*self.shape, n_values))
        counts = [_size(self._slab(n_values, r)) for r in range(len(self._x) - 1)]
        self._comm.Allgatherv(mine, (everything, counts))
        grid[...] = everything[np.ix_(*self._images)]

    def forward(self, real_space, reciprocal, n):
        """FFTs of ``n`` complex grids from slabs of the first axis to slabs of the second, not normalized."""
        planes = scipy.fft.fftn(real_space.reshape(n, -1, *self.shape[1:]), axes=(2, 3))
        columns = self._transpose(planes, self._y, 2, self._x, 1)
        reciprocal.reshape(n, self.shape[0], -1, self.shape[2])[...] = scipy.fft.fft(columns, axis=1)

    def inverse(self, reciprocal, real_space, n):
        """The inverse of ``forward``, not normalized."""
        columns = scipy.fft.ifft(reciprocal.reshape(n, self.shape[0], -1, self.shape[2]), axis=1, norm="forward")
        planes = self._transpose(columns, self._x, 1, self._y, 2)
        planes = scipy.fft.ifftn(planes, axes=(2, 3), norm="forward")
        real_space.reshape(n, -1, *self.shape[1:])[...] = planes

    def _slab(self, n_values, rank=None):
        rank = self._comm.Get_rank() if rank is None else rank
        return (self._x[rank + 1] - self._x[rank], *self.shape[1:], n_values)

    def _transpose(self, grids, to_slabs, split_axis, from_slabs, join_axis):
        """Sends the slabs of ``split_axis`` to their owners and joins what comes along ``join_axis``."""
        rank, size = self._comm.Get_rank(), self._comm.Get_size()
        pieces = np.split(grids, to_slabs[1:-1], axis=split_axis)
        sent = np.concatenate([piece.ravel() for piece in pieces])
        mine = to_slabs[rank + 1] - to_slabs[rank]
        shapes = []
        for r in range(size):
            shape = list(grids.shape)
            shape[split_axis], shape[join_axis] = mine, from_slabs[r + 1] - from_slabs[r]
            shapes.append(shape)
        received = np.empty(sum(map(_size, shapes)), dtype=complex)
        self._comm.Alltoallv((sent, [piece.size for piece in pieces]), (received, [_size(s) for s in shapes]))
        parts = np.split(received, np.cumsum([_size(s) for s in shapes])[:-1])
        return np.concatenate([part.reshape(s) for part, s in zip(parts, shapes, strict=True)], axis=join_axis)


def _fold(grid, axis, images, m):
    """The sum of all periodic images along an axis."""
    grid = np.moveaxis(grid, axis, 0)
    folded = np.zeros((m, *grid.shape[1:]))
    start = 0
    while start < len(images):
        n = min(m - images[start], len(images) - start)
        folded[images[start] : images[start] + n] += grid[start : start + n]
        start += n
    return np.ascontiguousarray(np.moveaxis(folded, 0, axis))


def _size(shape):
    return int(np.prod(shape))
