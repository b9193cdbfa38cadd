# SPDX-License-Identifier: BSD-3-Clause
"""Division of one evaluation over the ranks of an mpi4py communicator.

Every rank calls with the same atoms. The centers are divided into consecutive blocks, one per rank; the far field sums
its structure factors or its mesh over the ranks. What a failure is on one rank is an exception on all of them.
"""

from __future__ import annotations

import hashlib
import sys
import time
from contextlib import contextmanager

import numpy as np

DIGEST_SIZE = 16
PATIENCE = 60.0  # seconds after which a rank that waits alone says so


class ParallelError(RuntimeError):
    """Another rank failed, or the ranks do not ask for the same thing of the same atoms."""


class Ranks:
    """The ranks that share one calculator: what the engine asks of a communicator, and the agreement between ranks.

    ``comm`` is an mpi4py communicator; it is duplicated, so that nothing here meets messages of the caller.
    """

    def __init__(self, comm):
        from mpi4py import MPI

        if not isinstance(comm, MPI.Intracomm):
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
    def together(self):
        """A block that every rank runs: if it raises on one rank it ends in an exception on all.

        The ranks that failed raise their own exception, the others a ParallelError that quotes the first of them.
        """
        failure = None
        try:
            yield
        except Exception as error:
            failure = error
        if not self.max(failure is not None):
            return
        messages = self._comm.allgather(None if failure is None else f"{type(failure).__name__}: {failure}")
        if failure is not None:
            raise failure
        rank = next(rank for rank, message in enumerate(messages) if message is not None)
        raise ParallelError(f"rank {rank} of {self.size} failed with {messages[rank]}")

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
