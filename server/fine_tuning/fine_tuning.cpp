#include "server/fine_tuning/fine_tuning.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "finetune/spec/job_spec.h"
#include "finetune/spec/train_spec_text.h"
#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "server/api_error.h"
#include "server/fine_tuning/check_training_file.h"
#include "server/fine_tuning/request.h"
#include "server/ids.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;

// OpenAI's clients wait for an answer 600 s, and between tries for 120 s at most.
constexpr std::chrono::minutes kRetryWindow{15};
constexpr int kRetryRows = 100;
constexpr const char *kTrainFile = "train.jsonl", *kValidationFile = "validation.jsonl";

std::string fingerprint_of(std::string_view body) {
  Digest digest = Digest::sha256();
  digest.update(body);
  return digest.hex();
}

int64_t random_seed() {
  std::random_device random;
  return random() & 0x7fffffff;
}

// Removes the directory of a job that did not come about.
class NewDirectory {
 public:
  explicit NewDirectory(fs::path path) : path_(std::move(path)) {
    std::error_code error;
    fs::create_directories(path_ / "data", error);
    if (error) throw unavailable("{}: cannot be made: {}", path_.string(), error.message());
  }
  ~NewDirectory() {
    std::error_code ignored;
    if (!kept_) fs::remove_all(path_, ignored);
  }
  NewDirectory(const NewDirectory&) = delete;
  NewDirectory& operator=(const NewDirectory&) = delete;
  void keep() { kept_ = true; }

 private:
  const fs::path path_;
  bool kept_ = false;
};

JobJson file_error(std::string_view code, const std::string& message, const char* param) {
  JobJson error;
  error["code"] = code;
  error["message"] = message;
  error["param"] = param;
  return error;
}

}  // namespace

FineTuning::FineTuning(JobStore& store, fs::path jobs, FineTuningTools tools)
    : store_(store), jobs_(std::move(jobs)), tools_(std::move(tools)) {}

void FineTuning::check_file(const std::string& file, const char* param) {
  std::string purpose;
  try {
    purpose = tools_.purpose_of(file);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNotFound) throw;
    throw invalid_field(param, fmt::format("'{}': there is no file '{}'; upload it to /v1/files first", param, file));
  }
  if (purpose != "fine-tune")
    throw invalid_field(param, fmt::format("'{}': the file '{}' was uploaded with purpose '{}', 'fine-tune' is needed",
                                           param, file, purpose));
}

// The data is linked at once, so that the uploads may be deleted from now on.
NewJob FineTuning::prepare(const FineTuningRequest& request, const TuningBase& base, const fs::path& directory) {
  tools_.link_file(request.training_file, directory / "data" / kTrainFile);
  if (request.validation_file) tools_.link_file(*request.validation_file, directory / "data" / kValidationFile);
  const TrainingFileGlance glance = glance_at_training_file(directory / "data" / kTrainFile);
  TuningData data{.lines = glance.lines,
                  .examples = std::max<int64_t>(glance.examples, 1),
                  .has_validation = request.validation_file.has_value()};
  if (request.method == TuningMethod::kDpo)
    data.lines = TrainingLines::kPreference;
  else if (data.lines == TrainingLines::kPreference)
    data.lines = TrainingLines::kChat;
  write_file_atomic(directory / "data" / "dataset_info.json", tuning_dataset_info(data));
  const TrainSpec spec = tuning_spec(request, base, data, directory);
  NewJob job;
  job.kind = kTrainJob;
  job.state = JobState::kValidating;
  job.spec = to_yaml(spec);
  job.directory = directory.string();
  job.request = kept_request(request, base, spec);
  job.request["lines"] = static_cast<int>(data.lines);
  return job;
}

std::optional<Job> FineTuning::job_of_retry(const std::string& fingerprint, const Submission& submission) {
  if (!submission.is_retry) return std::nullopt;
  const int64_t since = unix_milliseconds() - std::chrono::milliseconds(kRetryWindow).count();
  for (const Job& job :
       store_.list({.id_prefix = std::string(kTuningPrefix), .limit = kRetryRows, .owner = submission.owner}))
    if (job.created_at >= since && job.request.value("fingerprint", "") == fingerprint) return job;
  return std::nullopt;
}

Job FineTuning::create(std::string_view body, const Submission& submission) {
  const nlohmann::ordered_json document = parse_json(body);
  FineTuningRequest request = read_fine_tuning_request(JsonReader(document));
  if (!request.seed) request.seed = random_seed();
  const std::string fingerprint = fingerprint_of(body);
  const std::lock_guard lock(creates_);
  if (std::optional<Job> first = job_of_retry(fingerprint, submission)) return *std::move(first);
  const TuningBase base = tools_.base(request.model);
  check_file(request.training_file, "training_file");
  if (request.validation_file) check_file(*request.validation_file, "validation_file");
  const std::string id = random_id(kTuningPrefix);
  NewDirectory directory(jobs_ / id);
  NewJob job = prepare(request, base, jobs_ / id);
  job.id = id;
  job.owner = submission.owner;
  job.request["fingerprint"] = fingerprint;
  if (submission.idempotency_key)
    job.idempotency_key = fmt::format("ftjob:{}:{}", submission.owner.value_or(""), *submission.idempotency_key);
  Job made = store_.submit(job);
  if (made.id == id)
    directory.keep();
  else if (made.request.value("fingerprint", "") != fingerprint)
    throw ApiError(ErrorCode::kInvalidArgument, "the Idempotency-Key was used before, with another body",
                   {.code = "invalid_value"});
  return made;
}

Job FineTuning::get(std::string_view id) {
  if (!id.starts_with(kTuningPrefix)) throw not_found("there is no fine-tuning job '{}'", id.substr(0, 64));
  return store_.get(id);
}

std::vector<JobCheckpoint> FineTuning::checkpoints(std::string_view id, const std::optional<std::string>& after,
                                                   int limit) {
  std::vector<JobCheckpoint> there;
  for (JobCheckpoint& checkpoint : store_.checkpoints(get(id).id, after, limit)) {
    std::error_code ignored;
    if (fs::exists(checkpoint.path, ignored)) there.push_back(std::move(checkpoint));
  }
  return there;
}

JobJson FineTuning::validate(const Job& job) {
  if (!job.id.starts_with(kTuningPrefix)) return nullptr;
  const fs::path data = fs::path(job.directory) / "data";
  const auto lines = static_cast<TrainingLines>(job.request.value("lines", 0));
  const auto refused = [&](const char* file, int64_t fewest, std::string_view code, const char* param) -> JobJson {
    const TrainingFileReport report = check_training_file(data / file, {.lines = lines, .fewest = fewest});
    if (!report.errors.empty())
      return file_error(code, fmt::format("The {} cannot be used: {}", param, describe(report)), param);
    JobEvent event;
    event.message = fmt::format("{}: {} examples", param, report.examples);
    store_.add_event(job.id, event);
    return nullptr;
  };
  JobJson error = refused(kTrainFile, kFewestExamples, "invalid_training_file", "training_file");
  if (!error.is_null() || !fs::exists(data / kValidationFile)) return error;
  return refused(kValidationFile, 1, "invalid_validation_file", "validation_file");
}

JobJson FineTuning::finish(const Job& job, const JobJson& finished) {
  return finish_fine_tuning(job, finished, store_, tools_);
}

void FineTuning::serve_checkpoint(std::string_view model) {
  if (!is_checkpoint_model(model)) return;
  if (const std::optional<TunedModel> found = find_checkpoint_model(store_, model)) tools_.attach(*found);
}

void FineTuning::forget(const std::string& model) {
  std::optional<TunedModel> found = find_checkpoint_model(store_, model);
  for (TunedModel& tuned : tuned_models(store_))
    if (tuned.id == model) found = std::move(tuned);
  if (!found) return;
  std::error_code error;
  fs::remove_all(found->adapter, error);
  if (error) throw unavailable("{}: cannot be removed: {}", found->adapter.string(), error.message());
}

}  // namespace hearth
