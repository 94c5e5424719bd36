// What jobs of /v1/jobs have trained, as models that answer: at once when a job has succeeded, and again when the
// daemon is started anew. An adapter is served beside its base, as "base:name"; a whole model, or an adapter that
// others were merged under, as a model of its own. The name is that of output_dir.
#pragma once

#include "server/jobs/job_store.h"
#include "server/models/model_host.h"

namespace hearth {

class TrainedModels {
 public:
  explicit TrainedModels(ModelHost& host) : host_(host) {}

  // For JobHooks::succeeded: `finished` with "served_as", the id that it answers to, or "not_served", the reason. A run
  // into the same directory takes the place of the one before.
  JobJson serve(const Job& job, const JobJson& finished);
  // Those of earlier daemons that are still there.
  void serve_again(JobStore& store);
  // A model that is deleted: the next daemon does not serve it either. Its files stay where the job's YAML put them.
  void forget(JobStore& store, const std::string& id);

 private:
  std::string serve_run(const Job& job, const JobJson& finished);

  ModelHost& host_;
};

}  // namespace hearth
