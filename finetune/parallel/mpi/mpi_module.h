// What libhearth_mpi.so offers, in C: the only part of hearth that knows MPI, loaded where a launcher started the
// process. Functions return 0, or MPI's error code.
#pragma once

#include <cstddef>

extern "C" {

struct HearthMpiPlace {
  int rank, size, local_size;
};

int hearth_mpi_begin(HearthMpiPlace* place);
// In place; every process gets the bits that rank 0 computed.
int hearth_mpi_sum_floats(float* values, size_t count);
int hearth_mpi_sum_doubles(double* values, size_t count);
int hearth_mpi_broadcast_floats(float* values, size_t count);
void hearth_mpi_end();
}
