// The queue of a daemon: the store in its state directory, and the runner over it.
#pragma once

#include <memory>

#include "server/jobs/executor.h"
#include "server/jobs/job_runner.h"
#include "server/jobs/job_store.h"
#include "server/state/state_directory.h"

namespace hearth {

class JobService {
 public:
  // Nothing runs before start(). `state` outlives it.
  JobService(StateDirectory& state, const ExecutorOptions& executor, const RunnerOptions& options, JobHooks hooks)
      : store_(state.database()),
        executor_(make_executor(executor)),
        runner_(store_, state.jobs(), *executor_, options, std::move(hooks)) {}

  JobStore& store() { return store_; }
  JobRunner& runner() { return runner_; }

 private:
  JobStore store_;
  std::unique_ptr<Executor> executor_;
  JobRunner runner_;
};

}  // namespace hearth
