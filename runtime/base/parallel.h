// Data parallelism on the one compute pool of the process, OpenMP's. Work is cut the same way for the same thread
// count.
#pragma once

#include <algorithm>
#include <cstdint>

#include <omp.h>

namespace hearth {

// Threads of the compute pool: OMP_NUM_THREADS, else the cores this process may run on.
inline int num_threads() { return omp_get_max_threads(); }

// Calls fn(begin, end) over [0, n) in contiguous ranges, one a thread; on the caller's thread when n <= grain. fn must
// not throw.
template <class Fn>
void parallel_for(int64_t n, int64_t grain, Fn&& fn) {
  const int64_t threads = std::min<int64_t>(num_threads(), grain > 0 ? (n + grain - 1) / grain : n);
  if (threads <= 1) {
    if (n > 0) fn(int64_t{0}, n);
    return;
  }
#pragma omp parallel num_threads(static_cast <int>(threads))
  {
    const int64_t t = omp_get_thread_num();
    const int64_t count = omp_get_num_threads();
    const int64_t begin = n * t / count;
    const int64_t end = n * (t + 1) / count;
    if (begin < end) fn(begin, end);
  }
}

}  // namespace hearth
