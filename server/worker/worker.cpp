#include "server/worker/worker.h"

#include <atomic>
#include <cstdlib>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <variant>

#include "finetune/parallel/communicator.h"
#include "finetune/spec/job_spec.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "server/interrupt.h"
#include "server/worker/exporting.h"
#include "server/worker/multiple_choice.h"
#include "server/worker/training.h"
#include "server/worker/worker_process.h"

namespace hearth {
namespace {

constexpr int kFinished = 0, kFailed = 1, kInterrupted = 130;

WorkerOutcome run(const Attempt& attempt, const WorkerContext& context) {
  std::filesystem::current_path(attempt.directory);
  struct Run {
    const WorkerContext& context;
    WorkerOutcome operator()(const TrainSpec& spec) const { return run_training(context, spec); }
    WorkerOutcome operator()(const MultipleChoiceSpec& spec) const { return run_multiple_choice(context, spec); }
    WorkerOutcome operator()(const ExportSpec& spec) const { return run_exporting(context, spec); }
  };
  return std::visit(Run{context}, load_job_spec(context.directory.spec()));
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

// The voice of the processes of an attempt, which is the one of rank 0; the others have none.
class Voice {
 public:
  Voice(const JobDirectory& directory, int attempt) : directory_(directory), attempt_(attempt) {}

  void be_silent() { is_silent_ = true; }
  // False when another worker has begun this attempt.
  bool claim() {
    if (!events_ && claim_attempt(directory_, attempt_)) events_.emplace(directory_.events(attempt_));
    return events_.has_value();
  }
  WorkerEvents* events() { return events_ ? &*events_ : nullptr; }
  int fail(std::string_view code, const std::string& message) {
    log::error("{}", message);
    if (!is_silent_ && claim()) events_->failed(code, message);
    return kFailed;
  }

 private:
  const JobDirectory& directory_;
  const int attempt_;
  bool is_silent_ = false;
  std::optional<WorkerEvents> events_;
};

void check_processes(int wanted, const Communicator& processes) {
  if (processes.size() != wanted)
    throw failed_precondition(
        "slurm_tasks is {}, and this process knows of {}: srun did not start them as MPI does; set MpiDefault=pmix in "
        "slurm.conf, or SLURM_MPI_TYPE=pmix in the daemon's environment",
        wanted, processes.size());
}

int work(const WorkerArguments& arguments, const Attempt& attempt, const JobDirectory& directory, Voice& voice) {
  static std::atomic<bool> saves{false};  // a thread that outlives this function looks at it
  std::atomic<bool>& stop = stop_flag();
  std::optional<Heartbeat> heartbeat;
  if (attempt.is_child) {
    if (!wait_for_go()) return kInterrupted;
    end_with_input(stop, saves);
  }
  const std::unique_ptr<Communicator> processes = make_communicator();
  check_processes(arguments.processes, *processes);
  if (!processes->writes()) {
    voice.be_silent();
  } else if (voice.claim()) {
    heartbeat.emplace(directory.heartbeat());
  } else {
    // Thrown, so that the others do not wait for this process.
    throw failed_precondition("attempt {} of job {} was begun already, or is no longer wanted", attempt.number,
                              attempt.id);
  }
  if (const std::string id = variable("SLURM_JOB_ID"); !attempt.is_child && voice.events() && !id.empty())
    voice.events()->message("info", fmt::format("runs as Slurm job {} on {}", id, variable("SLURM_JOB_NODELIST")));
  if (attempt.in_background) run_in_background();
  const WorkerOutcome outcome =
      run(attempt,
          {.directory = directory, .events = voice.events(), .processes = *processes, .stop = stop, .saves = saves});
  return outcome == WorkerOutcome::kFinished || !voice.events() ? kFinished : kInterrupted;
}

}  // namespace

int run_worker(const WorkerArguments& arguments) {
  stop_flag();
  const JobDirectory directory(std::filesystem::absolute(arguments.job_directory));
  const Attempt attempt = read_attempt(directory);
  if (arguments.attempt != 0 && arguments.attempt != attempt.number) {
    log::error("job {} is at attempt {}, so attempt {} is not begun", attempt.id, attempt.number, arguments.attempt);
    return kFailed;
  }
  Voice voice(directory, attempt.number);
  try {
    return work(arguments, attempt, directory, voice);
  } catch (const Error& error) {
    return voice.fail(to_string(error.code()), error.what());
  } catch (const std::bad_alloc&) {
    return voice.fail(to_string(ErrorCode::kResourceExhausted), "out of memory");
  } catch (const std::exception& error) {
    return voice.fail(to_string(ErrorCode::kInternal), error.what());
  }
}

}  // namespace hearth
