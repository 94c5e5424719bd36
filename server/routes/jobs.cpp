// /v1/jobs: LLaMA-Factory's YAML of a training, an evaluation or an export as a job of the queue.
#include <filesystem>

#include "finetune/spec/job_spec.h"
#include "runtime/base/file.h"
#include "server/api_error.h"
#include "server/app.h"
#include "server/job_stream.h"
#include "server/jobs/job_service.h"
#include "server/json_reader.h"
#include "server/paging.h"
#include "server/rate_limiter.h"
#include "server/routes/handlers.h"
#include "server/routes/job_files.h"
#include "server/routes/submitted_spec.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kMostPriority = 100;
constexpr size_t kMostLog = 4 << 20;

Json seconds(const std::optional<int64_t>& milliseconds) {
  return milliseconds ? Json(static_cast<double>(*milliseconds) / 1000) : Json();
}

Json describe(const Job& job) {
  return {{"id", job.id},
          {"object", "job"},
          {"kind", job.kind},
          {"status", to_string(job.state)},
          {"wanted", job.wanted ? Json(to_string(*job.wanted)) : Json()},
          {"priority", job.priority},
          {"name", job.request.value("name", Json())},
          {"created_at", seconds(job.created_at)},
          {"started_at", seconds(job.started_at)},
          {"finished_at", seconds(job.finished_at)},
          {"attempt", job.attempt},
          {"progress", job.progress},
          {"result", job.result},
          {"error", job.error},
          {"warnings", job.request.value("warnings", Json::array())}};
}

// With what was asked for, which lists leave out: it may be long.
Json describe_whole(const Job& job, const JobRunner& runner) {
  Json out = describe(job);
  const std::filesystem::path output_dir = output_dir_of(job, runner);
  out["spec"] = job.spec;
  out["directory"] = job.directory.empty() ? Json() : Json(job.directory);
  out["output_dir"] = output_dir.empty() ? Json() : Json(output_dir.string());
  return out;
}

Json describe_event(const JobEvent& event) {
  return {{"id", event.id},       {"object", "job.event"}, {"created_at", seconds(event.created_at)},
          {"level", event.level}, {"type", event.type},    {"message", event.message},
          {"data", event.data}};
}

// Where a job writes is known without its directory, or the spec comes with one.
void require_start(const std::string& directory, const JobOutput& output) {
  if (output.directory.empty())
    throw invalid_field("spec", fmt::format("lacks '{}', where the job's files go", output.key));
  if (directory.empty() && !output.directory.is_absolute())
    throw invalid_field("directory", fmt::format("is needed where {} is relative ('{}'): the directory that paths of "
                                                 "the spec start from",
                                                 output.key, output.directory.string()));
}

NewJob read_job(const Request& request, const ModelHost& host) {
  const Json document = parse_json(request.body);
  const JsonReader body(document);
  NewJob job;
  job.priority = body["priority"] ? static_cast<int>(body["priority"].integer(-kMostPriority, kMostPriority)) : 0;
  const SubmittedSpec submitted = read_submitted_spec(body, host);
  job.kind = kind_of(submitted.spec);
  job.directory = submitted.directory;
  job.spec = to_yaml(submitted.spec);
  job.request = {{"name", submitted.name}, {"warnings", warnings_of(submitted.spec)}};
  require_start(job.directory, output_of(job.spec, submitted.name));
  if (request.admission && !request.admission->key_name.empty()) job.owner = request.admission->key_name;
  if (const auto key = request.header("Idempotency-Key"))
    job.idempotency_key = fmt::format("job:{}:{}", job.owner.value_or(""), *key);
  return job;
}

// {id} of a job of any kind.
template <class Act>
Reply acted(const Request& request, Act act) {
  return json_reply(describe(act(request.path_argument)));
}

}  // namespace

Reply handle_create_job(const Request& request, App& app) {
  return json_reply(describe(app.jobs().store().submit(read_job(request, app.host()))));
}

Reply handle_list_jobs(const Request& request, App& app) {
  const Query query(request.query);
  const Page page = read_page(query, {});
  JobQuery wanted{.limit = page.rows()};
  if (!page.after.empty()) wanted.after = page.after;
  for (const auto& [name, value] : query.entries())
    if (name == "status") wanted.states.push_back(parse_job_state(value));
  Json rows = Json::array();
  for (const Job& job : app.jobs().store().list(wanted)) rows.push_back(describe(job));
  return json_reply(list_object(std::move(rows), page));
}

Reply handle_get_job(const Request& request, App& app) {
  JobService& jobs = app.jobs();
  return json_reply(describe_whole(jobs.store().get(request.path_argument), jobs.runner()));
}

Reply handle_cancel_job(const Request& request, App& app) {
  return acted(request, [&](const std::string& id) { return app.jobs().store().cancel(id); });
}

Reply handle_pause_job(const Request& request, App& app) {
  return acted(request, [&](const std::string& id) { return app.jobs().store().pause(id); });
}

Reply handle_resume_job(const Request& request, App& app) {
  return acted(request, [&](const std::string& id) { return app.jobs().store().resume(id); });
}

Reply handle_job_events(const Request& request, App& app) {
  const std::string& id = request.path_argument;
  if (wants_stream(request))
    return job_stream(request, app, id,
                      {.event = describe_event, .progress = [](const Job& job) { return describe(job); }});
  const Page page = read_page(Query(request.query), {});
  const std::optional<std::string> after = page.after.empty() ? std::nullopt : std::optional(page.after);
  Json rows = Json::array();
  for (const JobEvent& event : app.jobs().store().events(id, after, page.rows())) rows.push_back(describe_event(event));
  return json_reply(list_object(std::move(rows), page));
}

Reply handle_job_log(const Request& request, App& app) {
  const Job job = app.jobs().store().get(request.path_argument);
  const std::filesystem::path file = app.jobs().runner().directory_of(job.id).log();
  return {.content_type = "text/plain; charset=utf-8",
          .body = std::filesystem::exists(file) ? read_file(file, kMostLog) : ""};
}

}  // namespace hearth
