#include "finetune/reports/wandb.h"

#include <algorithm>
#include <cmath>
#include <random>

#include <fmt/format.h>

#include "finetune/reports/environment.h"
#include "finetune/reports/host.h"
#include "finetune/reports/run_config.h"
#include "finetune/reports/tracked_values.h"
#include "runtime/base/crc.h"
#include "runtime/base/file.h"
#include "runtime/base/little_endian.h"

namespace hearth {
namespace {

using nlohmann::json;

constexpr size_t kBlock = 32768, kHeader = 7;
enum Fragment : uint8_t { kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4 };

// Fields of wandb_internal.proto.
enum RecordField { kNum = 1, kHistory = 2, kSummary = 3, kRun = 17, kExit = 18, kHeaderRecord = 21 };
enum RunField { kRunId = 1, kProject = 3, kConfig = 4, kDisplayName = 8, kHost = 13, kStartTime = 17 };
enum ItemField { kKey = 1, kNestedKey = 2, kValueJson = 16 };
constexpr int kItem = 1, kHistoryStep = 2;  // of a history; a summary's and a config's updates are kItem too

std::string dumped(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

// A key such as "train/loss" is one component of a path.
ProtobufWriter item(ItemField key_field, const std::string& key, const json& value) {
  return ProtobufWriter().text(key_field, key).text(kValueJson, dumped(value));
}

std::string random_id() {
  std::random_device device;
  std::string id;
  for (int i = 0; i < 8; ++i) id += "abcdefghijklmnopqrstuvwxyz0123456789"[device() % 36];
  return id;
}

// wandb's config.yaml: JSON is YAML.
std::string config_yaml(const nlohmann::ordered_json& config) {
  std::string yaml;
  for (const auto& [key, value] : config.items()) yaml += fmt::format("{}:\n  value: {}\n", key, dumped(value));
  return yaml;
}

}  // namespace

LevelDbLog::LevelDbLog(const std::filesystem::path& path) : file_(path), at_(kHeader) {
  std::string header = ":W&B";
  append_little_endian(header, uint16_t{0xbee1});
  header += '\0';  // version
  file_.append(header);
}

void LevelDbLog::append(std::string_view record) {
  std::string bytes;
  bool first = true;
  while (first || !record.empty()) {
    const size_t left = kBlock - (at_ + bytes.size()) % kBlock;
    if (left < kHeader) {
      bytes.append(left, '\0');
      continue;
    }
    const size_t length = std::min(record.size(), left - kHeader);
    const bool last = length == record.size();
    const std::string type(1, static_cast<char>(first ? (last ? kFull : kFirst) : (last ? kLast : kMiddle)));
    append_little_endian(bytes, crc32(record.substr(0, length), crc32(type)));
    append_little_endian(bytes, static_cast<uint16_t>(length));
    bytes += type;
    bytes += record.substr(0, length);
    record.remove_prefix(length);
    first = false;
  }
  file_.append(bytes);
  at_ += bytes.size();
}

void Wandb::write(int field, const ProtobufWriter& message) {
  log_->append(ProtobufWriter().integer(kNum, ++records_).message(field, message).bytes());
}

void Wandb::write_summary() const { write_file_atomic(directory_ / "files" / "wandb-summary.json", dumped(summary_)); }

void Wandb::on_begin(const TrainSpec& spec, const TrainerState&) {
  const std::string id = random_id(), host = host_name();
  directory_ = std::filesystem::path(environment("WANDB_DIR", spec.training.output_dir.string())) / "wandb" /
               ("offline-run-" + now_as("%Y%m%d_%H%M%S-") + id);
  const nlohmann::ordered_json config = run_config(spec);
  write_file_atomic(directory_ / "files" / "config.yaml", config_yaml(config));
  write_file_atomic(directory_ / "files" / "wandb-metadata.json",
                    dumped({{"host", host}, {"program", "hearth"}, {"startedAt", now_as("%Y-%m-%dT%H:%M:%S")}}));
  log_.emplace(directory_ / ("run-" + id + ".wandb"));
  begin_ = seconds_since_1970();

  constexpr int kVersionInfo = 1, kProducer = 1, kMinConsumer = 2;  // as wandb 0.31 writes them
  write(kHeaderRecord, ProtobufWriter().message(
                           kVersionInfo, ProtobufWriter().text(kProducer, "hearth").text(kMinConsumer, "0.70.0")));
  ProtobufWriter updates;
  updates.message(kItem, item(kKey, "_wandb", json::object()));
  for (const auto& [key, value] : config.items()) updates.message(kItem, item(kKey, key, value));
  constexpr int kSeconds = 1;
  ProtobufWriter run;
  run.text(kRunId, id).text(kProject, environment("WANDB_PROJECT", "hearth")).message(kConfig, updates);
  const std::string name = environment("WANDB_NAME", spec.training.run_name);
  if (!name.empty()) run.text(kDisplayName, name);
  run.text(kHost, host).message(kStartTime, ProtobufWriter().integer(kSeconds, static_cast<int64_t>(begin_)));
  write(kRun, run);
}

void Wandb::on_log(const TrainerState& state) {
  const double now = seconds_since_1970();
  json values = {{"_step", history_steps_},
                 {"_timestamp", now},
                 {"_runtime", now - begin_},
                 {"train/global_step", state.global_step}};
  for (const auto& [key, value] : newest_numbers(state))
    if (std::isfinite(value)) values[tracked_name(key)] = value;
  ProtobufWriter history, summary;
  for (const auto& [key, value] : values.items()) {
    history.message(kItem, item(kNestedKey, key, value));
    summary.message(kItem, item(kNestedKey, key, value));
  }
  history.message(kHistoryStep, ProtobufWriter().integer(1, history_steps_++));
  write(kHistory, history);
  write(kSummary, summary);
  summary_.update(values);
  write_summary();
}

void Wandb::on_end(const TrainerState&, Outcome outcome) {
  constexpr int kExitCode = 1, kRuntime = 2;
  write(kExit, ProtobufWriter()
                   .integer(kExitCode, outcome == Outcome::kFinished ? 0 : 1)
                   .integer(kRuntime, static_cast<int64_t>(seconds_since_1970() - begin_)));
  log_.reset();
}

}  // namespace hearth
