#include "finetune/reports/tensorboard.h"

#include <cstdint>

#include <fmt/format.h>
#include <unistd.h>

#include "finetune/reports/host.h"
#include "finetune/reports/protobuf_writer.h"
#include "finetune/reports/tracked_values.h"
#include "runtime/base/crc.h"
#include "runtime/base/little_endian.h"

namespace hearth {
namespace {

// Fields of tensorflow.Event and Summary.Value.
enum EventField { kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5 };
enum ValueField { kTag = 1, kSimpleValue = 2 };
constexpr int kSummaryValue = 1;

uint32_t masked(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8u; }

// Length, data and their checksums.
std::string tf_record(std::string_view data) {
  std::string record;
  append_little_endian(record, static_cast<uint64_t>(data.size()));
  append_little_endian(record, masked(crc32c(record)));
  record += data;
  append_little_endian(record, masked(crc32c(data)));
  return record;
}

}  // namespace

std::string version_event(double wall_time) {
  return tf_record(ProtobufWriter().number(kWallTime, wall_time).text(kFileVersion, "brain.Event:2").bytes());
}

std::string scalar_event(double wall_time, int64_t step, const std::string& tag, float value) {
  const ProtobufWriter scalar = ProtobufWriter().text(kTag, tag).number(kSimpleValue, value);
  return tf_record(ProtobufWriter()
                       .number(kWallTime, wall_time)
                       .integer(kStep, step)
                       .message(kSummary, ProtobufWriter().message(kSummaryValue, scalar))
                       .bytes());
}

void TensorBoard::on_begin(const TrainSpec& spec, const TrainerState&) {
  const std::string host = host_name();
  file_.emplace(
      spec.training.output_dir / "runs" / (now_as("%b%d_%H-%M-%S_") + host) /
      fmt::format("events.out.tfevents.{}.{}.{}.0", static_cast<int64_t>(seconds_since_1970()), host, ::getpid()));
  file_->append(version_event(seconds_since_1970()));
}

void TensorBoard::on_log(const TrainerState& state) {
  std::string events;
  const double now = seconds_since_1970();
  for (const auto& [key, value] : newest_numbers(state))
    events += scalar_event(now, state.global_step, tracked_name(key), static_cast<float>(value));
  if (file_) file_->append(events);
}

void TensorBoard::on_end(const TrainerState&, Outcome) { file_.reset(); }

}  // namespace hearth
