#include <utility>

#include "runtime/base/error.h"
#include "server/jobs/bounded_command.h"
#include "server/jobs/executor.h"

namespace hearth {
namespace {

// What an earlier daemon with other options started is followed to its end.
class Executors : public Executor {
 public:
  explicit Executors(ExecutorOptions options) : options_(std::move(options)), local_(make_local_executor()) {
    if (!options_.uses_slurm) return;
    for (const char* command : {"sbatch", "squeue", "scancel"})
      if (!BoundedCommand::is_installed(command))
        throw failed_precondition(
            "executor: slurm needs sbatch, squeue and scancel, and there is no {} on PATH: install Slurm's client "
            "(Debian: slurm-client)",
            command);
    slurm_ = make_slurm_executor(options_.slurm);
  }

  bool starts_children() const override { return !options_.uses_slurm; }
  bool is_child(const JobJson& worker) const override {
    return !worker.is_object() || worker.value("executor", "") != "slurm";
  }
  JobJson start(const JobDirectory& directory, const Attempt& attempt) override {
    return (options_.uses_slurm ? *slurm_ : *local_).start(directory, attempt);
  }
  void go(const JobJson& worker) override { of(worker).go(worker); }
  void stop(const JobJson& worker) override { of(worker).stop(worker); }
  void kill(const JobJson& worker) override { of(worker).kill(worker); }
  std::optional<ProcessEnd> ended(const JobJson& worker) override { return of(worker).ended(worker); }
  bool waits(const JobJson& worker) override { return of(worker).waits(worker); }

 private:
  Executor& of(const JobJson& worker) {
    if (is_child(worker)) return *local_;
    if (!slurm_) slurm_ = make_slurm_executor(options_.slurm);
    return *slurm_;
  }

  const ExecutorOptions options_;
  const std::unique_ptr<Executor> local_;
  std::unique_ptr<Executor> slurm_;
};

}  // namespace

std::unique_ptr<Executor> make_executor(ExecutorOptions options) {
  return std::make_unique<Executors>(std::move(options));
}

}  // namespace hearth
