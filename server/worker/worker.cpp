#include "server/worker/worker.h"

#include <atomic>
#include <exception>
#include <string_view>
#include <system_error>

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "server/interrupt.h"
#include "server/jobs/job_kinds.h"
#include "server/worker/training.h"
#include "server/worker/worker_process.h"

namespace hearth {
namespace {

constexpr int kFinished = 0, kFailed = 1, kInterrupted = 130;

struct Work {
  std::string_view kind;
  WorkerOutcome (*run)(const WorkerContext& context);
};

constexpr Work kWork[] = {{kTrainJob, run_training}};

WorkerOutcome run(const Attempt& attempt, const WorkerContext& context) {
  std::filesystem::current_path(attempt.directory);
  for (const Work& work : kWork)
    if (work.kind == attempt.kind) return work.run(context);
  throw invalid_argument("this hearth has no jobs of kind '{}'", attempt.kind);
}

int fail(WorkerEvents& events, std::string_view code, const std::string& message) {
  log::error("{}", message);
  events.failed(code, message);
  return kFailed;
}

}  // namespace

int run_worker(const std::filesystem::path& job_directory) {
  std::atomic<bool>& stop = stop_flag();
  static std::atomic<bool> saves{false};  // a thread that outlives this function looks at it
  const JobDirectory directory(std::filesystem::absolute(job_directory));
  const Attempt attempt = read_attempt(directory);
  const Heartbeat heartbeat(directory.heartbeat());
  if (attempt.is_child) {
    if (!wait_for_go()) return kInterrupted;
    end_with_input(stop, saves);
  }
  if (attempt.in_background) run_in_background();
  WorkerEvents events(directory.events(attempt.number));
  try {
    const WorkerContext context{.directory = directory, .events = events, .stop = stop, .saves = saves};
    return run(attempt, context) == WorkerOutcome::kFinished ? kFinished : kInterrupted;
  } catch (const Error& error) {
    return fail(events, to_string(error.code()), error.what());
  } catch (const std::bad_alloc&) {
    return fail(events, to_string(ErrorCode::kResourceExhausted), "out of memory");
  } catch (const std::exception& error) {
    return fail(events, to_string(ErrorCode::kInternal), error.what());
  }
}

}  // namespace hearth
