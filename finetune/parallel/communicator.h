// The processes that train together (`mpirun -n N hearth train ...`): each computes its share of a step's batches, and
// sums go over all of them. The process of rank 0 alone writes and prints.
#pragma once

#include <memory>
#include <span>

namespace hearth {

class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  virtual int local_size() const = 0;  // processes on this machine
  // In place, the same bits for every process. All processes must call it, in the same order.
  virtual void sum(std::span<float> values) = 0;
  virtual void sum(std::span<double> values) = 0;
  virtual void broadcast(std::span<float> values) = 0;  // those of rank 0

  bool writes() const { return rank() == 0; }
  bool any(bool mine) {
    double count = mine ? 1 : 0;
    sum(std::span(&count, 1));
    return count > 0;
  }
  void wait_for_all() { any(false); }
};

// One process by itself.
class SingleProcess : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  int local_size() const override { return 1; }
  void sum(std::span<float>) override {}
  void sum(std::span<double>) override {}
  void broadcast(std::span<float>) override {}
};

// Over MPI where a launcher (mpirun, srun) started this process beside others, through libhearth_mpi.so; else a
// SingleProcess. Gives each process its share of the cores where OMP_NUM_THREADS does not say. Throws
// kFailedPrecondition under a launcher in a build without MPI.
std::unique_ptr<Communicator> make_communicator();

}  // namespace hearth
