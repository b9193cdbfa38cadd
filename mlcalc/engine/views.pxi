# SPDX-License-Identifier: BSD-3-Clause
# Arrays of one call and the views of them that the core reads.

cdef class Views:
    """The arrays of one call, held alive, and the views of them that the core reads."""
    cdef object arrays
    cdef Atoms atoms
    cdef NeighborList neighbors
    cdef int n_pairs

    def __init__(self, species, positions, cell, pbc, first, j, r_ij, n_local=None, origin=(0.0, 0.0, 0.0)):
        cdef cnp.ndarray species_ = array(species, np.int32, "species", (None,))
        n_all = species_.shape[0]
        cdef cnp.ndarray positions_ = array(positions, np.float64, "positions", (n_all, 3))
        cdef cnp.ndarray j_ = array(j, np.int32, "j", (None,))
        cdef cnp.ndarray r_ij_ = array(r_ij, np.float64, "r_ij", (j_.shape[0], 3))
        n_local = n_all if n_local is None else n_local
        if not 0 <= n_local <= n_all:
            raise ValueError(f"n_local must be 0 to {n_all}, the number of atoms, got {n_local}")
        cdef cnp.ndarray first_ = array(first, np.int32, "first", (n_local + 1,))
        pbc = np.broadcast_to(np.asarray(pbc, dtype=bool), (3,))
        cell, origin = array(cell, np.float64, "cell", (3, 3)), array(origin, np.float64, "origin", (3,))
        if np.sum(pbc) == 2 and n_all > 0:
            cell, origin = box_of_slab(cell, pbc, positions_)
        cdef double[:, ::1] cell_ = cell
        cdef double[::1] origin_ = origin
        self.arrays = (species_, positions_, first_, j_, r_ij_)
        self.n_pairs = j_.shape[0]
        self.atoms.n_local = n_local
        self.atoms.n_all = n_all
        self.atoms.species = <const int*> cnp.PyArray_DATA(species_)
        self.atoms.positions = <const Vec3*> cnp.PyArray_DATA(positions_)
        self.neighbors.first = <const int*> cnp.PyArray_DATA(first_)
        self.neighbors.j = <const int*> cnp.PyArray_DATA(j_)
        self.neighbors.r_ij = <const Vec3*> cnp.PyArray_DATA(r_ij_)
        cdef int a, b
        for a in range(3):
            self.atoms.pbc[a] = pbc[a]
            self.atoms.origin[a] = origin_[a]
            for b in range(3):
                self.atoms.cell[a][b] = cell_[a, b]


def box_of_slab(cell, pbc, positions):
    """The cell and its origin with a vector along the open direction that spans the atoms, as the core wants it."""
    axis = int(np.argmin(pbc))
    normal = np.cross(cell[(axis + 1) % 3], cell[(axis + 2) % 3])
    area = np.linalg.norm(normal)
    if not area > 0:
        return cell, np.zeros(3)  # which the core refuses
    normal /= area
    heights = positions @ normal
    box = cell.copy()
    box[axis] = (heights.max() - heights.min()) * normal
    return box, heights.min() * normal


def array(values, dtype, name, shape):
    """A C-contiguous array of this type and shape (None: any length), or a ValueError that says which argument is wrong."""
    values = np.asarray(values)
    if values.dtype != dtype:
        if values.size and not np.can_cast(values.dtype, dtype, "same_kind"):
            raise ValueError(f"{name} must be {np.dtype(dtype).name}, got {values.dtype.name}")
        values = values.astype(dtype)
    if values.ndim != len(shape) or any(n is not None and n != m for n, m in zip(shape, values.shape)):
        raise ValueError(f"{name} must have the shape {shape}, got {values.shape}".replace("None", "n"))
    return np.ascontiguousarray(values)


cdef matrix(const Mat3& m):
    cdef Mat3 copy = m
    return np.array([[copy[a][b] for b in range(3)] for a in range(3)])


cdef void* data(cnp.ndarray values):
    return cnp.PyArray_DATA(values)
