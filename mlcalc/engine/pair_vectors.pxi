# SPDX-License-Identifier: BSD-3-Clause
# Vectors of a list of pairs.

cdef class PairVectors:
    """The vectors of a fixed list of pairs, for positions that move.

    ``first`` (n_centers + 1,), ``j`` (n_pairs,) and ``shift`` (n_pairs,) are the pairs of the centers ``begin``,
    ``begin + 1``, ..., indices of ``n_atoms`` positions and of ``n_shifts`` shifts. Raises ValueError if they do not fit
    together.
    """
    cdef readonly object vectors  # (n_pairs, 3), overwritten by each call of compute
    cdef const int[::1] first, j, shift
    cdef int begin, n_atoms, n_shifts

    def __init__(self, const int[::1] first not None, const int[::1] j not None, const int[::1] shift not None,
                 int n_atoms, int n_shifts, int begin=0):
        n_centers, n_pairs = first.shape[0] - 1, j.shape[0]
        def within(values, int end):
            return len(values) == 0 or (np.min(values) >= 0 and np.max(values) < end)
        fits = (n_centers >= 0 and 0 <= begin <= n_atoms - n_centers and first[0] == 0 and first[n_centers] == n_pairs
                and shift.shape[0] == n_pairs and np.all(np.diff(first) >= 0))
        if not (fits and within(j, n_atoms) and within(shift, n_shifts)):
            raise ValueError("the arrays of pairs do not fit together")
        self.first, self.j, self.shift = first, j, shift
        self.begin, self.n_atoms, self.n_shifts = begin, n_atoms, n_shifts
        self.vectors = np.empty((n_pairs, 3))

    def compute(self, const double[:, ::1] positions not None, const double[:, ::1] shifts not None):
        """positions[j] - positions[i] + shifts[shift] for every pair: the array ``vectors``."""
        if positions.shape[0] != self.n_atoms or shifts.shape[0] != self.n_shifts or not (
                positions.shape[1] == shifts.shape[1] == 3):
            raise ValueError(f"expected {self.n_atoms} positions and {self.n_shifts} shifts")
        cdef double[:, ::1] vectors = self.vectors
        cdef double x, y, z
        cdef int i, j, s
        cdef Py_ssize_t pair
        with nogil:
            for i in range(self.first.shape[0] - 1):
                x, y, z = positions[self.begin + i, 0], positions[self.begin + i, 1], positions[self.begin + i, 2]
                for pair in range(self.first[i], self.first[i + 1]):
                    j, s = self.j[pair], self.shift[pair]
                    vectors[pair, 0] = positions[j, 0] - x + shifts[s, 0]
                    vectors[pair, 1] = positions[j, 1] - y + shifts[s, 1]
                    vectors[pair, 2] = positions[j, 2] - z + shifts[s, 2]
        return self.vectors
