// Data parallelism on the one compute pool of the process, OpenMP's. Work is cut the same way for the same thread
// count.
#pragma once

#include <algorithm>
#include <cstdint>
#include <exception>

#include <omp.h>

namespace hearth {

// Threads of the compute pool: OMP_NUM_THREADS, else the cores this process may run on.
inline int num_threads() { return omp_get_max_threads(); }

// Calls fn(thread, threads) on each of at most `wanted` threads of the pool, or once on the caller's when that is 1.
// Throws the first exception that one of them throws, when all have ended.
template <class Fn>
void on_threads(int64_t wanted, Fn&& fn) {
  if (wanted <= 1) return fn(0, 1);
  std::exception_ptr failure;
#pragma omp parallel num_threads(static_cast <int>(wanted))
  try {
    fn(omp_get_thread_num(), omp_get_num_threads());
  } catch (...) {
#pragma omp critical(hearth_on_threads)
    if (!failure) failure = std::current_exception();
  }
  if (failure) std::rethrow_exception(failure);
}

// Calls fn(begin, end) over [0, n) in contiguous ranges, one a thread; on the caller's thread when n <= grain.
template <class Fn>
void parallel_for(int64_t n, int64_t grain, Fn&& fn) {
  const int64_t ranges = grain > 0 ? (n + grain - 1) / grain : n;
  on_threads(std::min<int64_t>(num_threads(), ranges), [&](int64_t t, int64_t count) {
    const int64_t begin = n * t / count, end = n * (t + 1) / count;
    if (begin < end) fn(begin, end);
  });
}

}  // namespace hearth
