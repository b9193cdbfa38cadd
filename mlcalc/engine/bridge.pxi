# SPDX-License-Identifier: BSD-3-Clause
# Calls of the core into Python: the communicator and its meshes.

cdef class Bridge:
    """The Python communicator, the meshes it made, and the first exception it raised."""
    cdef object communicator
    cdef object error
    cdef dict meshes
    cdef int n_meshes

    def __cinit__(self):
        self.meshes = {}


cdef cbool call_sum(void* python, double* values, size_t n) noexcept with gil:
    cdef Bridge bridge = <Bridge> python
    try:
        bridge.communicator.sum(np.asarray(<double[:n]> values))
        return True
    except BaseException as error:
        bridge.error = bridge.error or error
        return False


cdef cbool call_max(void* python, double* value) noexcept with gil:
    cdef Bridge bridge = <Bridge> python
    try:
        value[0] = bridge.communicator.max(value[0])
        return True
    except BaseException as error:
        bridge.error = bridge.error or error
        return False


cdef int make_mesh(void* python, const int* shape, int below, int above, int* bricks) noexcept with gil:
    cdef Bridge bridge = <Bridge> python
    cdef int k
    try:
        mesh = bridge.communicator.mesh((shape[0], shape[1], shape[2]), below, above)
        corners = [index for brick in (mesh.owned, mesh.ghosted, mesh.spectral) for corner in brick for index in corner]
        for k in range(18):
            bricks[k] = corners[k]
        bridge.n_meshes += 1
        bridge.meshes[bridge.n_meshes] = mesh
        return bridge.n_meshes
    except BaseException as error:
        bridge.error = bridge.error or error
        return -1


cdef void release_mesh(void* python, int handle) noexcept with gil:
    (<Bridge> python).meshes.pop(handle, None)


cdef cbool exchange_halo(void* python, int handle, cbool add, double* grid, size_t n_doubles,
                         int n_values) noexcept with gil:
    cdef Bridge bridge = <Bridge> python
    try:
        mesh = bridge.meshes[handle]
        (mesh.add_halo if add else mesh.fill_halo)(np.asarray(<double[:n_doubles]> grid), n_values)
        return True
    except BaseException as error:
        bridge.error = bridge.error or error
        return False


cdef cbool transform(void* python, int handle, cbool forward, double* real_space, size_t n_real, double* reciprocal,
                     size_t n_reciprocal, int n) noexcept with gil:
    cdef Bridge bridge = <Bridge> python
    try:
        mesh = bridge.meshes[handle]
        real = complex_view(real_space, n_real)
        spectrum = complex_view(reciprocal, n_reciprocal)
        if forward:
            mesh.forward(real, spectrum, n)
        else:
            mesh.inverse(spectrum, real, n)
        return True
    except BaseException as error:
        bridge.error = bridge.error or error
        return False


cdef complex_view(double* values, size_t n_doubles):
    """The doubles as complex numbers; a rank may own none."""
    if n_doubles == 0:
        return np.empty(0, dtype=complex)
    return np.asarray(<double[:n_doubles]> values).view(complex)
