// A Weights & Biases run as its own client keeps it offline, below output_dir/wandb/offline-run-<time>-<id>; `wandb
// sync` uploads it. Nothing is sent from here. Source: wandb_internal.proto and LevelDB's log format with wandb's
// header.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "finetune/reports/protobuf_writer.h"
#include "finetune/reports/report.h"
#include "runtime/base/append_file.h"

namespace hearth {

// Records in blocks of 32768 bytes: a record that crosses a block's end is cut there into fragments.
class LevelDbLog {
 public:
  explicit LevelDbLog(const std::filesystem::path& path);
  void append(std::string_view record);

 private:
  AppendFile file_;
  size_t at_ = 0;  // of the file
};

class Wandb : public Report {
 public:
  std::string name() const override { return "W&B"; }
  void on_begin(const TrainSpec& spec, const TrainerState& state) override;
  void on_log(const TrainerState& state) override;
  void on_end(const TrainerState& state, Outcome outcome) override;

 private:
  void write(int field, const ProtobufWriter& message);
  void write_summary() const;

  std::filesystem::path directory_;
  std::optional<LevelDbLog> log_;
  int64_t records_ = 0, history_steps_ = 0;
  double begin_ = 0;
  nlohmann::json summary_ = nlohmann::json::object();
};

}  // namespace hearth
