/* SPDX-License-Identifier: BSD-3-Clause
 * Counts what a rank sends: preload it (LD_PRELOAD) and read the line "MPIBYTES ..." that rank 0 prints at the end.
 * Point to point: payload of Send, Isend and Sendrecv to other ranks. Allreduce: payload once per call. */
#define _GNU_SOURCE
#include <mpi.h>
#include <stdio.h>

static double sent, messages, reduced, reductions;

static double bytes(int count, MPI_Datatype type) {
    int size = 0;
    PMPI_Type_size(type, &size);
    return (double)count * size;
}

static void count(int n, MPI_Datatype type, int to, MPI_Comm comm) {
    int me = 0;
    PMPI_Comm_rank(comm, &me);
    if (to == me || to == MPI_PROC_NULL) return;
    sent += bytes(n, type);
    messages += 1;
}

int MPI_Send(const void* b, int n, MPI_Datatype t, int to, int tag, MPI_Comm c) {
    count(n, t, to, c);
    return PMPI_Send(b, n, t, to, tag, c);
}

int MPI_Isend(const void* b, int n, MPI_Datatype t, int to, int tag, MPI_Comm c, MPI_Request* r) {
    count(n, t, to, c);
    return PMPI_Isend(b, n, t, to, tag, c, r);
}

int MPI_Sendrecv(const void* b, int n, MPI_Datatype t, int to, int tag, void* rb, int rn, MPI_Datatype rt, int from,
                 int rtag, MPI_Comm c, MPI_Status* s) {
    count(n, t, to, c);
    return PMPI_Sendrecv(b, n, t, to, tag, rb, rn, rt, from, rtag, c, s);
}

int MPI_Allreduce(const void* a, void* b, int n, MPI_Datatype t, MPI_Op op, MPI_Comm c) {
    reduced += bytes(n, t);
    reductions += 1;
    return PMPI_Allreduce(a, b, n, t, op, c);
}

int MPI_Finalize(void) {
    double mine[4] = {sent, messages, reduced, reductions}, most[4];
    int me = 0;
    PMPI_Comm_rank(MPI_COMM_WORLD, &me);
    PMPI_Reduce(mine, most, 4, MPI_DOUBLE, MPI_MAX, 0, MPI_COMM_WORLD);
    if (me == 0) printf("MPIBYTES %.0f %.0f %.0f %.0f\n", most[0], most[1], most[2], most[3]);
    return PMPI_Finalize();
}
