// TensorBoard event files: TFRecords of Event messages with scalars, below output_dir/runs/<date>_<host> as
// transformers' TensorBoardCallback has them. Source: tensorflow's record_writer and event.proto.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "finetune/reports/report.h"
#include "runtime/base/append_file.h"

namespace hearth {

class TensorBoard : public Report {
 public:
  std::string name() const override { return "TensorBoard"; }
  void on_begin(const TrainSpec& spec, const TrainerState& state) override;
  void on_log(const TrainerState& state) override;
  void on_end(const TrainerState& state, Outcome outcome) override;

 private:
  std::optional<AppendFile> file_;
};

// The TFRecord that begins a file, and that of a value; times in seconds since 1970.
std::string version_event(double wall_time);
std::string scalar_event(double wall_time, int64_t step, const std::string& tag, float value);

}  // namespace hearth
