#include "finetune/parallel/mpi/mpi_module.h"

#include <algorithm>

#include <mpi.h>

namespace {

constexpr size_t kMost = size_t{1} << 28;  // values of a call: MPI counts in int

// fn(first value, count) -> code
template <class Fn>
int in_parts(size_t count, Fn fn) {
  for (size_t begin = 0; begin < count; begin += kMost)
    if (const int code = fn(begin, static_cast<int>(std::min(kMost, count - begin)))) return code;
  return MPI_SUCCESS;
}

// To rank 0 and back: an all-reduce may give processes different bits.
template <class T>
int sum(T* values, size_t count, MPI_Datatype type) {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return in_parts(count, [&](size_t begin, int n) {
    T* part = values + begin;
    if (const int code = MPI_Reduce(rank == 0 ? MPI_IN_PLACE : part, part, n, type, MPI_SUM, 0, MPI_COMM_WORLD))
      return code;
    return MPI_Bcast(part, n, type, 0, MPI_COMM_WORLD);
  });
}

}  // namespace

int hearth_mpi_begin(HearthMpiPlace* place) {
  int provided = 0;
  if (const int code = MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided)) return code;
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  MPI_Comm_rank(MPI_COMM_WORLD, &place->rank);
  MPI_Comm_size(MPI_COMM_WORLD, &place->size);
  MPI_Comm local = MPI_COMM_NULL;
  if (const int code = MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &local)) return code;
  MPI_Comm_size(local, &place->local_size);
  return MPI_Comm_free(&local);
}

int hearth_mpi_sum_floats(float* values, size_t count) { return sum(values, count, MPI_FLOAT); }
int hearth_mpi_sum_doubles(double* values, size_t count) { return sum(values, count, MPI_DOUBLE); }

int hearth_mpi_broadcast_floats(float* values, size_t count) {
  return in_parts(count,
                  [&](size_t begin, int n) { return MPI_Bcast(values + begin, n, MPI_FLOAT, 0, MPI_COMM_WORLD); });
}

void hearth_mpi_end() { MPI_Finalize(); }
