// From a request to a model: what is submitted, what is refused, what a retry gives, what validation says, and what is
// made of a job that has trained. The runner and the uploads are stood in for.
#include "server/fine_tuning/fine_tuning.h"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "finetune/spec/load_train_spec.h"
#include "runtime/base/file.h"
#include "server/api_error.h"
#include "server/fine_tuning/job_object.h"
#include "server/state/state_directory.h"
#include "tests/support/temporary_directory.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string lines(int count) {
  std::string text;
  for (int i = 0; i < count; ++i)
    text += fmt::format(
        R"({{"messages": [{{"role": "user", "content": "{0}?"}}, {{"role": "assistant", "content": "{0}!"}}]}})"
        "\n",
        i);
  return text;
}

class FineTuningTest : public testing::Test {
 protected:
  FineTuningTest() {
    upload("file-good", lines(12));
    upload("file-bad", lines(12) + "{\n");
    upload("file-few", lines(9));
    upload("file-batch", lines(12), "batch");
  }

  void upload(const std::string& id, const std::string& content, const std::string& purpose = "fine-tune") {
    write_file_atomic(directory_.path() / "files" / id, content);
    purposes_[id] = purpose;
  }

  FineTuningTools tools() {
    FineTuningTools tools;
    tools.base = [](const std::string& model) -> TuningBase {
      if (model != "base")
        throw ApiError(ErrorCode::kNotFound, "no such model", {.code = "model_not_found", .param = "model"});
      return {.id = "base", .path = "/models/base.gguf", .max_context = 512};
    };
    tools.purpose_of = [this](const std::string& file) {
      if (!purposes_.contains(file)) throw not_found("no file {}", file);
      return purposes_[file];
    };
    tools.link_file = [this](const std::string& file, const fs::path& path) {
      fs::create_hard_link(directory_.path() / "files" / file, path);
    };
    tools.attach = [this](const TunedModel& model) {
      if (!fits_) throw invalid_argument("it does not fit");
      attached_.push_back(model.id + " on " + model.base + " from " + model.adapter.filename().string());
    };
    tools.add_result_file = [this](const std::string&, const std::string& content) {
      results_.push_back(content);
      return "file-result";
    };
    return tools;
  }

  Job create(const std::string& fields, const Submission& submission = {}) {
    return tuning_.create(R"({"model": "base")" + (fields.empty() ? "" : ", " + fields) + "}", submission);
  }
  std::string refusal(const std::string& fields) {
    try {
      create(fields);
    } catch (const Error& error) {
      return error_object(error).dump();
    }
    return "";
  }
  size_t job_directories() {
    std::error_code ignored;
    return static_cast<size_t>(std::distance(fs::directory_iterator(state_.jobs(), ignored), fs::directory_iterator()));
  }
  // A job that has run up to its end, as the runner would have it.
  Job trained(const Job& job) {
    store_.validated(job.id, nullptr);
    const Job running = store_.claim(unix_milliseconds()).value();
    WorkerNews news{.taken_in = 1, .events = {}, .checkpoints = {}, .progress = {}};
    for (int step = 1; step <= 3; ++step) {
      JobEvent event;
      event.type = "metrics";
      event.data = {{"step", step}, {"total_steps", 3}, {"loss", 1.0 / step}};
      news.events.push_back(event);
    }
    news.events[2].data["eval_loss"] = 0.5;
    JobEvent summary = news.events[2];
    summary.data = {{"step", 3}, {"total_steps", 3}, {"train_runtime", 1.0}, {"train_loss", 0.6}};
    news.events.push_back(summary);
    for (const int step : {2, 3}) {
      JobCheckpoint checkpoint;
      checkpoint.step = step;
      checkpoint.path = (fs::path(job.directory) / "output" / fmt::format("checkpoint-{}", step)).string();
      checkpoint.metrics = {{"loss", 0.5}, {"eval_loss", 0.25}, {"eval_accuracy", 0.75}};
      news.checkpoints.push_back(checkpoint);
    }
    write_file_atomic(fs::path(job.directory) / "output" / "checkpoint-3" / "adapter_config.json", "{}");
    write_file_atomic(fs::path(job.directory) / "output" / "adapter_config.json", "{}");
    store_.take_in(job.id, running.attempt, news);
    return store_.get(job.id);
  }
  Job succeeded(const Job& job) {
    const JobJson finished = {{"output_dir", (fs::path(job.directory) / "output").string()}, {"trained_tokens", 99}};
    const JobJson result = tuning_.finish(job, finished);
    store_.finish(job.id, job.attempt, {.state = JobState::kSucceeded, .result = result}, unix_milliseconds());
    return store_.get(job.id);
  }

  test::TemporaryDirectory directory_;
  StateDirectory state_{directory_.path() / "state"};
  JobStore store_{state_.database()};
  std::map<std::string, std::string> purposes_;
  std::vector<std::string> attached_, results_;
  bool fits_ = true;
  FineTuning tuning_{store_, state_.jobs(), tools()};
};

TEST_F(FineTuningTest, ARequestBecomesAJobWithItsDataBesideIt) {
  const Job job =
      create(R"("training_file": "file-good", "validation_file": "file-few", "suffix": "x", "metadata": {"a": "b"})");
  EXPECT_EQ(job.kind, "train");
  EXPECT_EQ(job.state, JobState::kValidating);
  const fs::path data = state_.jobs() / job.id / "data";
  EXPECT_EQ(read_file(data / "train.jsonl"), lines(12));
  EXPECT_EQ(read_file(data / "validation.jsonl"), lines(9));
  const TrainSpec spec = parse_train_spec(job.spec, "spec.yaml");
  EXPECT_EQ(spec.data.cutoff_len, 512);
  EXPECT_EQ(spec.data.dataset_dir, data);
  const JobJson object = fine_tuning_job(job);
  EXPECT_EQ(object["status"], "validating_files");
  EXPECT_EQ(object["hyperparameters"].dump(), R"({"n_epochs":8,"batch_size":1,"learning_rate_multiplier":1.0})");
  EXPECT_EQ(
      object["method"].dump(),
      R"({"type":"supervised","supervised":{"hyperparameters":{"n_epochs":8,"batch_size":1,"learning_rate_multiplier":1.0}}})");
  EXPECT_EQ(object["seed"], spec.training.seed);
  for (const char* key : {"finished_at", "fine_tuned_model", "error", "trained_tokens", "estimated_finish"})
    EXPECT_TRUE(object.contains(key) && object[key].is_null()) << key;
  EXPECT_EQ(object["metadata"].dump(), R"({"a":"b"})");
}

TEST_F(FineTuningTest, WhatIsRefusedLeavesNothingBehind) {
  EXPECT_THAT(refusal(R"("training_file": "file-none")"),
              HasSubstr(R"("param":"training_file","code":"invalid_value")"));
  EXPECT_THAT(refusal(R"("training_file": "file-batch")"), HasSubstr("purpose 'batch', 'fine-tune' is needed"));
  EXPECT_THAT(refusal(R"("training_file": "file-good", "validation_file": "file-none")"),
              HasSubstr(R"("param":"validation_file")"));
  EXPECT_THAT(refusal(R"("training_file": "file-good", "hearth": {"max_seq_len": 1024})"),
              HasSubstr("above the context of 'base', 512"));
  EXPECT_THAT(refusal(R"("training_file": "file-good", "model": "other")"), HasSubstr("model_not_found"));
  EXPECT_EQ(job_directories(), 0);
  EXPECT_THAT(store_.list({}), IsEmpty());
}

TEST_F(FineTuningTest, ARetryAndAKeyGiveTheFirstJob) {
  const std::string body = R"("training_file": "file-good")";
  const Job first = create(body);
  EXPECT_NE(create(body).id, first.id);  // twice the same is two jobs
  const Job second = create(body);
  EXPECT_EQ(create(body, {.is_retry = true}).id, second.id);
  EXPECT_NE(create(body + R"(, "seed": 1)", {.is_retry = true}).id, second.id);
  const Job keyed = create(body, {.idempotency_key = "k"});
  EXPECT_EQ(create(body, {.idempotency_key = "k"}).id, keyed.id);
  EXPECT_NE(create(body, {.owner = "other", .idempotency_key = "k"}).id, keyed.id);
  EXPECT_THROW(create(body + R"(, "seed": 1)", {.idempotency_key = "k"}), ApiError);
  EXPECT_EQ(job_directories(), store_.list({.limit = 100}).size());
}

TEST_F(FineTuningTest, ValidationNamesTheFileAndTheLines) {
  const auto validated = [&](const std::string& fields) { return tuning_.validate(create(fields)); };
  EXPECT_TRUE(validated(R"("training_file": "file-good", "validation_file": "file-few")").is_null());
  const JobJson bad = validated(R"("training_file": "file-bad")");
  EXPECT_EQ(bad["code"], "invalid_training_file");
  EXPECT_EQ(bad["param"], "training_file");
  EXPECT_THAT(bad["message"].get<std::string>(), HasSubstr("line 13: it is not JSON"));
  EXPECT_THAT(validated(R"("training_file": "file-few")")["message"].get<std::string>(),
              HasSubstr("9 examples, at least 10"));
  EXPECT_EQ(validated(R"("training_file": "file-good", "validation_file": "file-bad")")["code"],
            "invalid_validation_file");
  EXPECT_THAT(validated(R"("training_file": "file-good", "method": {"type": "dpo"})")["message"].get<std::string>(),
              HasSubstr("line 1: 'input' is required"));
  NewJob other;
  other.kind = "train";
  EXPECT_TRUE(tuning_.validate(store_.submit(other)).is_null());
}

TEST_F(FineTuningTest, AJobThatHasTrainedIsAModelWithAFileOfItsLosses) {
  const Job job = trained(create(R"("training_file": "file-good", "suffix": "x")"));
  const std::string name = "ft:base:local:x:" + job.id.substr(job.id.size() - 8);
  const JobJson object = fine_tuning_job(succeeded(job));
  EXPECT_EQ(object["status"], "succeeded");
  EXPECT_EQ(object["fine_tuned_model"], name);
  EXPECT_EQ(object["trained_tokens"], 99);
  EXPECT_EQ(object["result_files"].dump(), R"(["file-result"])");
  EXPECT_THAT(attached_, ElementsAre(name + " on base from output"));
  EXPECT_THAT(results_, ElementsAre("step,train_loss,valid_loss\n1,1,\n2,0.5,\n3,0.3333333333333333,0.5\n"));
  // For the next daemon, and for requests that name a checkpoint.
  ASSERT_EQ(tuned_models(store_).size(), 1);
  EXPECT_EQ(tuned_models(store_)[0].id, name);
  EXPECT_EQ(find_checkpoint_model(store_, name + ":ckpt-step-3").value().adapter.filename(), "checkpoint-3");
  for (const char* none : {":ckpt-step-2", ":ckpt-step-4", ":ckpt-step-", ":ckpt-step-3x", ""})
    EXPECT_FALSE(find_checkpoint_model(store_, name + none)) << none;
  tuning_.serve_checkpoint(name + ":ckpt-step-3");
  tuning_.serve_checkpoint(name);
  EXPECT_THAT(attached_, ElementsAre(name + " on base from output", name + ":ckpt-step-3 on base from checkpoint-3"));
  tuning_.forget(name + ":ckpt-step-3");
  EXPECT_FALSE(find_checkpoint_model(store_, name + ":ckpt-step-3"));
  tuning_.forget("base");
  ASSERT_EQ(tuned_models(store_).size(), 1);
  tuning_.forget(name);
  EXPECT_THAT(tuned_models(store_), IsEmpty());
  EXPECT_TRUE(fs::exists(fs::path(job.directory) / "data"));
}

TEST_F(FineTuningTest, CheckpointsThatWereRemovedAreNotListed) {
  const Job job = trained(create(R"("training_file": "file-good")"));
  const std::vector<JobCheckpoint> checkpoints = tuning_.checkpoints(job.id, std::nullopt, 10);
  ASSERT_EQ(checkpoints.size(), 1);
  const JobJson object = fine_tuning_checkpoint(job, checkpoints[0]);
  EXPECT_EQ(object["step_number"], 3);
  EXPECT_EQ(object["fine_tuned_model_checkpoint"], fine_tuned_model(job) + ":ckpt-step-3");
  EXPECT_EQ(
      object["metrics"].dump(),
      R"({"step":3,"train_loss":0.5,"valid_loss":0.25,"valid_mean_token_accuracy":0.75,"full_valid_loss":0.25,"full_valid_mean_token_accuracy":0.75})");
  EXPECT_THROW(tuning_.checkpoints("job-1", std::nullopt, 10), Error);
}

TEST_F(FineTuningTest, AnAdapterThatDoesNotFitFailsTheJob) {
  const Job job = trained(create(R"("training_file": "file-good")"));
  fits_ = false;
  EXPECT_THROW(tuning_.finish(job, {{"output_dir", "x"}}), Error);
}

TEST_F(FineTuningTest, EventsHaveOpenaisNamesForNumbers) {
  const Job job = trained(create(R"("training_file": "file-good")"));
  const JobEvent event = store_.events(job.id, std::nullopt, 10).at(1);
  const JobJson object = fine_tuning_event(event);
  EXPECT_EQ(object["object"], "fine_tuning.job.event");
  EXPECT_EQ(object["type"], "metrics");
  EXPECT_EQ(object["message"], "step 3/3: train_loss=0.3333, valid_loss=0.5");
  EXPECT_EQ(object["data"]["valid_loss"], 0.5);
}

}  // namespace
}  // namespace hearth
