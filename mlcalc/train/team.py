# SPDX-License-Identifier: BSD-3-Clause
"""Training on several processes: rank 0 leads, the others compute rows, triangles and predictions of their structures.

A task is a function that every rank calls with what all share and its own part of the structures. Triangles are
combined in pairs, a tree of QR, so that none is in memory more than twice.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager

from ase.parallel import DummyMPI, world

from .engine import n_threads
from .solve import Factor

#: variables by which launchers tell a process how many there are
SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "PMIX_SIZE", "SLURM_STEP_NUM_TASKS")


class Team:
    """The ranks of an mpi4py communicator; None: this process alone."""

    def __init__(self, comm=None):
        #: of its own, so that nothing here meets messages of the caller
        self.comm = None if comm is None else comm.Dup()
        self.rank = comm.Get_rank() if comm is not None else 0
        self.size = comm.Get_size() if comm is not None else 1
        #: ranks on this machine, which share its cores
        self.neighbors = 1
        if self.size > 1:
            from mpi4py import MPI

            here = comm.Split_type(MPI.COMM_TYPE_SHARED)
            self.neighbors = here.Get_size()
            here.Free()

    def threads(self, requested: int) -> int:
        """Threads of this process: as requested, or its share of the cores."""
        return requested if requested > 0 else max(1, n_threads(0) // self.neighbors)

    def call(self, function: Callable, shared, items: Sequence):
        """``function(team, shared, part)`` on every rank, with every size-th of the items; its result on rank 0."""
        if self.size == 1:
            return function(self, shared, list(items))
        self._bcast((function, shared))
        part = self.comm.scatter([list(items[k :: self.size]) for k in range(self.size)])
        return function(self, shared, part)

    def collect(self, results: list) -> list | None:
        """On rank 0 the results of all ranks, one for each item, in the order of the items; None on others."""
        if self.size == 1:
            return results
        parts = self.comm.gather(results)
        if parts is None:
            return None
        out = [None] * sum(map(len, parts))
        for k, part in enumerate(parts):
            out[k :: self.size] = part
        return out

    def combine(self, factor: Factor) -> Factor:
        """On rank 0 the factor of the rows of all ranks: in each turn half of those that are left send theirs."""
        step = 1
        while step < self.size:
            if self.rank % (2 * step):
                self.comm.send(factor.share(), dest=self.rank - step)
                break
            if self.rank + step < self.size:
                factor.absorb(*self.comm.recv(source=self.rank + step))
            step *= 2
        return factor

    def sum(self, values):
        """The sum over the ranks, on rank 0."""
        return values if self.size == 1 else self.comm.reduce(values)

    def serve(self):
        """What the other ranks do: one task after the other, until rank 0 has ended."""
        while True:
            task = self._bcast(None)
            if task is None:
                return
            function, shared = task
            function(self, shared, self.comm.scatter(None))

    def _bcast(self, task):
        """As bcast; those who wait leave the core to others."""
        if self.rank == 0:
            for k in range(1, self.size):
                self.comm.isend(task is not None, dest=k, tag=1).wait()
        else:
            while not self.comm.iprobe(source=0, tag=1):
                time.sleep(0.002)
            self.comm.recv(source=0, tag=1)
        return self.comm.bcast(task)

    @contextmanager
    def led(self):
        """What rank 0 does between the first and the last task. A failure of one rank ends all, with its sentence.

        ASE, which would read and write files with all ranks together, is told that each is alone."""
        before, world.comm = world.comm, world.comm if self.size == 1 else DummyMPI()
        try:
            yield
        except BaseException as error:
            self.abort(error)
            raise
        finally:
            world.comm = before
        if self.size > 1 and self.rank == 0:
            self._bcast(None)

    def abort(self, error: BaseException):
        """Ends all ranks, which wait for this one, with what went wrong."""
        if self.size == 1:
            return
        text = " ".join(str(error).split()) or type(error).__name__
        print(f"mlcalc train: error on rank {self.rank} of {self.size}: {text}", file=sys.stderr, flush=True)
        time.sleep(0.2)  # mpirun may lose what is printed right before the end
        self.comm.Abort(1)


ALONE = Team()


def communicator():
    """That of the ranks that an MPI launcher has started with this process, None for this process alone.

    Raises ValueError if there are some and mpi4py does not see them."""
    told = max((int(os.environ[name]) for name in SIZES if os.environ.get(name, "").isdigit()), default=1)
    if told < 2:
        return None
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise ValueError(
            f"this was started as {told} processes, which needs mpi4py and its MPI library: pip install mlcalc[lammps] "
            f"({error})"
        ) from None
    if MPI.COMM_WORLD.Get_size() == 1:
        raise ValueError(
            f"this was started as {told} processes that mpi4py takes for one each: launcher and MPI library differ; "
            "use the mpirun of this Python environment"
        )
    return MPI.COMM_WORLD
