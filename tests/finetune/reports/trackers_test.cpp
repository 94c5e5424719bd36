#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "finetune/reports/mlflow.h"
#include "finetune/reports/report.h"
#include "finetune/reports/tensorboard.h"
#include "finetune/reports/wandb.h"
#include "runtime/base/crc.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "tests/finetune/reports/json_server.h"
#include "tests/finetune/reports/some_run.h"
#include "tests/support/temporary_directory.h"

namespace hearth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;
using testing::StartsWith;

// Set while it lives; null: not set.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (value)
      ::setenv(name, value, 1);
    else
      ::unsetenv(name);
  }
  ~Variable() { ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

void tell(Report& report, const TrainSpec& spec, Outcome outcome) {
  report.on_begin(spec, {});
  report.on_end(some_run([&](const TrainerState& s) { report.on_log(s); }), outcome);
}

// The one file below a directory whose name begins so.
std::filesystem::path only_file(const std::filesystem::path& directory, const std::string& prefix) {
  std::filesystem::path found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (!entry.is_regular_file() || !entry.path().filename().string().starts_with(prefix)) continue;
    EXPECT_TRUE(found.empty());
    found = entry.path();
  }
  return found;
}

TEST(Crc, HasTheKnownChecks) {
  EXPECT_EQ(crc32("123456789"), 0xcbf43926u);
  EXPECT_EQ(crc32("6789", crc32("12345")), 0xcbf43926u);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
}

TEST(TensorBoard, WritesTensorBoardsBytes) {
  EXPECT_EQ(version_event(1.5) + scalar_event(1795832869.25, 300, "train/loss", 0.1f),
            read_file("tests/golden/reports/events.bin"));
  const test::TemporaryDirectory directory;
  TensorBoard report;
  tell(report, some_spec(directory.path()), Outcome::kFinished);
  const std::filesystem::path file = only_file(directory.path() / "runs", "events.out.tfevents.");
  const std::string bytes = read_file(file);
  for (const char* tag : {"train/loss", "train/grad_norm", "train/learning_rate", "train/epoch", "eval/loss"})
    EXPECT_THAT(bytes, HasSubstr(tag));
  EXPECT_THAT(file.parent_path().filename().string(), MatchesRegex("[A-Z][a-z][a-z][0-9]+_[0-9]+-[0-9]+-[0-9]+_.+"));
}

// The records of a file, put together from their fragments.
std::vector<std::string> records_of(const std::string& file) {
  std::vector<std::string> records;
  const auto byte = [&](size_t at) { return static_cast<uint32_t>(static_cast<unsigned char>(file.at(at))); };
  bool open = false;
  for (size_t at = 7; at < file.size();) {
    const size_t left = 32768 - at % 32768;
    if (left < 7) {
      EXPECT_EQ(file.substr(at, left), std::string(left, '\0'));
      at += left;
      continue;
    }
    const size_t length = byte(at + 4) | byte(at + 5) << 8, type = byte(at + 6);
    EXPECT_LE(length + 7, left);
    EXPECT_EQ(open, type > 2);
    const std::string data = file.substr(at + 7, length);
    const uint32_t check = byte(at) | byte(at + 1) << 8 | byte(at + 2) << 16 | byte(at + 3) << 24;
    EXPECT_EQ(check, crc32(file.substr(at + 6, 1) + data));
    if (type <= 2) records.emplace_back();
    records.back() += data;
    open = type == 2 || type == 3;
    at += 7 + length;
  }
  EXPECT_FALSE(open);
  return records;
}

TEST(LevelDbLog, CutsRecordsAtTheEndsOfBlocks) {
  const test::TemporaryDirectory directory;
  // The second leaves 3 bytes of its block, the fourth exactly a header, the sixth crosses two blocks.
  const std::vector<std::string> records = {std::string(10, 'a'),
                                            std::string(32768 - 7 - 17 - 7 - 3, 'b'),
                                            "c",
                                            std::string(32768 - 8 - 7 - 7, 'd'),
                                            "",
                                            std::string(70000, 'e'),
                                            "f"};
  {
    LevelDbLog log(directory.path() / "x.wandb");
    for (const std::string& record : records) log.append(record);
  }
  const std::string file = read_file(directory.path() / "x.wandb");
  EXPECT_EQ(file.substr(0, 7), std::string(":W&B\xe1\xbe\0", 7));
  EXPECT_EQ(records_of(file), records);
}

TEST(Wandb, IsAnOfflineRun) {
  const test::TemporaryDirectory directory;
  const Variable project("WANDB_PROJECT", nullptr), place("WANDB_DIR", nullptr);
  Wandb report;
  tell(report, some_spec(directory.path()), Outcome::kFinished);
  const std::filesystem::path file = only_file(directory.path() / "wandb", "run-");
  EXPECT_THAT(file.parent_path().filename().string(), MatchesRegex("offline-run-[0-9]+_[0-9]+-[a-z0-9]+"));
  const std::vector<std::string> records = records_of(read_file(file));
  ASSERT_EQ(records.size(), 9u);  // header, run, three times history and summary, exit
  EXPECT_THAT(records[1], HasSubstr("hearth"));
  EXPECT_THAT(records[1], HasSubstr("\"smollm2\""));
  EXPECT_THAT(records[2], HasSubstr("train/loss\x82\x01\x03"
                                    "2.5"));
  EXPECT_THAT(records[6], HasSubstr("eval/loss\x82\x01\x03"
                                    "1.5"));
  const auto summary = nlohmann::json::parse(read_file(file.parent_path() / "files" / "wandb-summary.json"));
  EXPECT_EQ(summary["train/loss"], 1.25);
  EXPECT_EQ(summary["train/global_step"], 10);
  EXPECT_THAT(read_file(file.parent_path() / "files" / "config.yaml"), HasSubstr("learning_rate:\n  value: 5e-05\n"));
}

TEST(Mlflow, TellsAServerOfTheRun) {
  test::JsonServer server([](const test::JsonServer::Request& r) -> std::pair<int, std::string> {
    if (r.line.find("get-by-name") != std::string::npos) return {404, R"({"error_code": "RESOURCE_DOES_NOT_EXIST"})"};
    if (r.line.find("experiments/create") != std::string::npos) return {200, R"({"experiment_id": "7"})"};
    if (r.line.find("runs/create") != std::string::npos) return {200, R"({"run": {"info": {"run_id": "abc"}}})"};
    return {200, "{}"};
  });
  const Variable uri("MLFLOW_TRACKING_URI", (server.url() + "/").c_str()), name("MLFLOW_EXPERIMENT_NAME", "a b"),
      token("MLFLOW_TRACKING_TOKEN", "secret");
  Mlflow report;
  tell(report, some_spec("out"), Outcome::kStopped);
  const auto& requests = server.requests();
  ASSERT_EQ(requests.size(), 8u);
  EXPECT_THAT(requests[0].line, StartsWith("GET /api/2.0/mlflow/experiments/get-by-name?experiment_name=a%20b "));
  const auto body = [&](size_t i) { return nlohmann::json::parse(requests[i].body); };
  EXPECT_EQ(body(1)["name"], "a b");
  EXPECT_EQ(body(2)["experiment_id"], "7");
  EXPECT_EQ(body(2)["run_name"], "first");
  EXPECT_EQ(body(3)["params"][0]["value"], "smollm2");
  EXPECT_THAT(requests[4].line, StartsWith("POST /api/2.0/mlflow/runs/log-batch "));
  EXPECT_EQ(body(4)["metrics"][0]["key"], "loss");
  EXPECT_EQ(body(4)["metrics"][0]["value"], 2.5);
  EXPECT_EQ(body(4)["metrics"][0]["step"], 5);
  EXPECT_EQ(body(6)["metrics"][0]["key"], "eval_loss");
  EXPECT_EQ(body(7)["status"], "KILLED");
  for (const auto& request : requests) EXPECT_THAT(request.headers, HasSubstr("Authorization: Bearer secret"));
}

std::string mlflow_refusal(const char* uri) {
  const Variable variable("MLFLOW_TRACKING_URI", uri);
  try {
    Mlflow().on_begin(some_spec("out"), {});
  } catch (const Error& e) {
    return e.what();
  }
  return "none";
}

TEST(Mlflow, SaysWhatIsMissing) {
  EXPECT_THAT(mlflow_refusal(nullptr), HasSubstr("MLFLOW_TRACKING_URI is not set"));
  EXPECT_THAT(mlflow_refusal("file:///tmp"), HasSubstr("not an http URL"));
  EXPECT_THAT(mlflow_refusal("http://me:hunter2@host"), Not(HasSubstr("hunter2")));
  test::JsonServer server([](const auto&) { return std::pair(500, R"({"message": "no disk"})"); });
  EXPECT_THAT(mlflow_refusal(server.url().c_str()), HasSubstr("answered 500: \"no disk\""));
}

// Notes what it is told; fails from its nth call on.
class Failing : public Report {
 public:
  Failing(int good_calls, std::vector<int>& calls) : good_calls_(good_calls), calls_(calls) {}
  std::string name() const override { return "failing"; }
  void on_begin(const TrainSpec&, const TrainerState&) override { called(0); }
  void on_log(const TrainerState&) override { called(1); }
  void on_end(const TrainerState&, Outcome) override { called(2); }

 private:
  void called(int which) {
    calls_.push_back(which);
    if (good_calls_-- <= 0) throw unavailable("no network");
  }
  int good_calls_;
  std::vector<int>& calls_;
};

TEST(Reports, DropsATrackerThatFailsButNotTheLog) {
  std::vector<int> log_calls, bad_calls, good_calls;
  std::vector<std::unique_ptr<Report>> trackers;
  trackers.push_back(std::make_unique<Failing>(1, bad_calls));
  trackers.push_back(std::make_unique<Failing>(9, good_calls));
  Reports reports(std::make_unique<Failing>(4, log_calls), std::move(trackers));
  reports.on_begin(some_spec("out"), {});
  TrainerState state = some_run([&](const TrainerState& s) { reports.on_log(s); });
  EXPECT_THAT(bad_calls, ElementsAre(0, 1));
  EXPECT_THAT(good_calls, ElementsAre(0, 1, 1, 1));
  EXPECT_THROW(reports.on_end(state, Outcome::kFinished), Error);
}

TEST(Reports, KnowsItsTrackers) {
  TrainSpec spec;
  spec.training.report_to = {"none", "tensorboard", "mlflow", "wandb", "all"};
  EXPECT_NO_THROW(Reports{spec});
  spec.training.report_to = {"tensorbord"};
  try {
    const Reports reports(spec);
    FAIL();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("did you mean 'tensorboard'?"));
  }
}

}  // namespace
}  // namespace hearth
