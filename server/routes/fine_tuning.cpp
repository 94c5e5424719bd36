// /v1/fine_tuning/jobs, as OpenAI's clients know it.
#include "server/fine_tuning/fine_tuning.h"

#include <string>
#include <string_view>

#include "server/api_error.h"
#include "server/app.h"
#include "server/fine_tuning/job_object.h"
#include "server/job_stream.h"
#include "server/paging.h"
#include "server/query.h"
#include "server/rate_limiter.h"
#include "server/routes/handlers.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

constexpr PageRule kPages{.default_limit = 20, .max_limit = 100};

std::optional<std::string> after_of(const Page& page) {
  return page.after.empty() ? std::nullopt : std::optional(page.after);
}

// metadata[KEY]=VALUE, or metadata=null for jobs without any.
void read_metadata_filter(const Query& query, JobQuery& wanted) {
  constexpr std::string_view kBegin = "metadata[";
  for (const auto& [name, value] : query.entries()) {
    if (name == "metadata") {
      if (value != "null")
        throw invalid_field("metadata", "'metadata': must be null, or be given as metadata[KEY]=VALUE");
      wanted.without_metadata = true;
    } else if (name.starts_with(kBegin) && name.ends_with(']')) {
      wanted.metadata[name.substr(kBegin.size(), name.size() - kBegin.size() - 1)] = value;
    }
  }
}

Submission submission_of(const Request& request) {
  Submission submission;
  if (const auto key = request.header("Idempotency-Key"); key && !key->empty()) submission.idempotency_key = *key;
  const std::string_view retries = request.header("x-stainless-retry-count").value_or("");
  if (request.admission && !request.admission->key_name.empty()) submission.owner = request.admission->key_name;
  submission.is_retry = !retries.empty() && retries != "0";
  return submission;
}

// A change of the state of {id}'s job.
Reply changed(const Request& request, App& app, Job (JobStore::*change)(std::string_view id)) {
  FineTuning& tuning = app.fine_tuning();
  return json_reply(fine_tuning_job((tuning.store().*change)(tuning.get(request.path_argument).id)));
}

}  // namespace

Reply handle_create_fine_tuning_job(const Request& request, App& app) {
  return json_reply(fine_tuning_job(app.fine_tuning().create(request.body, submission_of(request))));
}

Reply handle_list_fine_tuning_jobs(const Request& request, App& app) {
  const Query query(request.query);
  const Page page = read_page(query, kPages);
  JobQuery wanted{.id_prefix = std::string(kTuningPrefix), .after = after_of(page), .limit = page.rows()};
  read_metadata_filter(query, wanted);
  Json rows = Json::array();
  for (const Job& job : app.fine_tuning().store().list(wanted)) rows.push_back(fine_tuning_job(job));
  return json_reply(list_object(std::move(rows), page));
}

Reply handle_get_fine_tuning_job(const Request& request, App& app) {
  return json_reply(fine_tuning_job(app.fine_tuning().get(request.path_argument)));
}

Reply handle_cancel_fine_tuning_job(const Request& request, App& app) {
  return changed(request, app, &JobStore::cancel);
}

Reply handle_pause_fine_tuning_job(const Request& request, App& app) { return changed(request, app, &JobStore::pause); }

Reply handle_resume_fine_tuning_job(const Request& request, App& app) {
  return changed(request, app, &JobStore::resume);
}

Reply handle_fine_tuning_events(const Request& request, App& app) {
  FineTuning& tuning = app.fine_tuning();
  const std::string id = tuning.get(request.path_argument).id;
  if (wants_stream(request)) return job_stream(request, app, id, {.event = fine_tuning_event});
  const Page page = read_page(Query(request.query), kPages);
  Json rows = Json::array();
  for (const JobEvent& event : tuning.store().events(id, after_of(page), page.rows()))
    rows.push_back(fine_tuning_event(event));
  return json_reply(list_object(std::move(rows), page));
}

Reply handle_fine_tuning_checkpoints(const Request& request, App& app) {
  FineTuning& tuning = app.fine_tuning();
  const Job job = tuning.get(request.path_argument);
  const Page page = read_page(Query(request.query), {.default_limit = 10, .max_limit = 100});
  Json rows = Json::array();
  for (const JobCheckpoint& checkpoint : tuning.checkpoints(job.id, after_of(page), page.rows()))
    rows.push_back(fine_tuning_checkpoint(job, checkpoint));
  return json_reply(list_object(std::move(rows), page));
}

}  // namespace hearth
