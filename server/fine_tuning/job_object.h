// A job of the queue, its events and its checkpoints as OpenAI's API shows them: fine_tuning.job,
// fine_tuning.job.event, fine_tuning.job.checkpoint. Every key that its clients require is there, null where nothing is
// known yet. Source: openai-python's types/fine_tuning; ../shared/reference/openai-http.md 2.8.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "server/jobs/job.h"

namespace hearth {

JobJson fine_tuning_job(const Job& job);
JobJson fine_tuning_event(const JobEvent& event);
JobJson fine_tuning_checkpoint(const Job& job, const JobCheckpoint& checkpoint);

// ft:<base>:local:<suffix>:<the id's last 8 characters>; the same for every call.
std::string fine_tuned_model(const Job& job);
// The same with ":ckpt-step-<step>".
std::string checkpoint_model(const Job& job, int64_t step);

// The number that OpenAI calls train_loss and so on, of a record of the training log: {train_loss,
// train_mean_token_accuracy, valid_loss, valid_mean_token_accuracy}, those that it has.
JobJson openai_metrics(const JobJson& record);

}  // namespace hearth
