#include "finetune/parallel/communicator.h"

#include <algorithm>
#include <cstdlib>
#include <string>

#include <dlfcn.h>
#include <omp.h>
#include <unistd.h>

#include "finetune/parallel/mpi/mpi_module.h"
#include "runtime/base/error.h"
#include "runtime/base/loaded_library.h"

namespace hearth {
namespace {

// By OpenMPI's mpirun, MPICH's, or srun; beside how many others, MPI will say.
bool is_launched() {
  for (const char* variable : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK"})
    if (std::getenv(variable)) return true;
  return false;
}

class MpiProcesses : public Communicator {
 public:
  explicit MpiProcesses(const LoadedLibrary& library)
      : sum_floats_(library.symbol<decltype(&hearth_mpi_sum_floats)>("hearth_mpi_sum_floats")),
        sum_doubles_(library.symbol<decltype(&hearth_mpi_sum_doubles)>("hearth_mpi_sum_doubles")),
        broadcast_(library.symbol<decltype(&hearth_mpi_broadcast_floats)>("hearth_mpi_broadcast_floats")),
        end_(library.symbol<decltype(&hearth_mpi_end)>("hearth_mpi_end")) {
    check(library.symbol<decltype(&hearth_mpi_begin)>("hearth_mpi_begin")(&place_));
  }
  // Without the end of MPI's protocol where an error ends the process: the launcher then ends the others.
  ~MpiProcesses() override {
    if (std::uncaught_exceptions() == 0) end_();
  }
  MpiProcesses(const MpiProcesses&) = delete;
  MpiProcesses& operator=(const MpiProcesses&) = delete;

  int rank() const override { return place_.rank; }
  int size() const override { return place_.size; }
  int local_size() const override { return place_.local_size; }
  void sum(std::span<float> values) override { check(sum_floats_(values.data(), values.size())); }
  void sum(std::span<double> values) override { check(sum_doubles_(values.data(), values.size())); }
  void broadcast(std::span<float> values) override { check(broadcast_(values.data(), values.size())); }

 private:
  static void check(int result) {
    if (result != 0) throw unavailable("MPI failed with code {}: another process of this job may have ended", result);
  }

  decltype(&hearth_mpi_sum_floats) sum_floats_;
  decltype(&hearth_mpi_sum_doubles) sum_doubles_;
  decltype(&hearth_mpi_broadcast_floats) broadcast_;
  decltype(&hearth_mpi_end) end_;
  HearthMpiPlace place_{};
};

// Processes that are not bound to cores of their own would each take all of them.
void share_cores(int local_size) {
  if (std::getenv("OMP_NUM_THREADS")) return;
  const int allowed = omp_get_num_procs(), all = static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN));
  omp_set_num_threads(allowed < all ? allowed : std::max(1, all / local_size));
}

}  // namespace

std::unique_ptr<Communicator> make_communicator() {
  if (!is_launched()) return std::make_unique<SingleProcess>();
  // Its plugins look for MPI's own symbols among the global ones.
  static const LoadedLibrary library("libhearth_mpi.so", HEARTH_MPI_MODULE, RTLD_GLOBAL);
  if (!library.loaded())
    throw failed_precondition(
        "an MPI launcher started this process, and this build has no MPI ({}): install libopenmpi-dev and build again, "
        "or "
        "run hearth without mpirun",
        library.reason());
  auto processes = std::make_unique<MpiProcesses>(library);
  share_cores(processes->local_size());
  return processes;
}

}  // namespace hearth
