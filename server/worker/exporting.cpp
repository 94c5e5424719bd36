#include "server/worker/exporting.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

#include "finetune/export/export_model.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"

namespace hearth {
namespace {

constexpr const char* kExporting = "exporting";  // what the job is doing, in its progress

class Monitor : public ExportMonitor {
 public:
  explicit Monitor(const WorkerContext& context) : events_(*context.events), stop_(context.stop) {}

  void on_note(const std::string& line) override { events_.message("info", line); }
  void on_warning(const std::string& line) override { events_.message("warn", line); }
  void on_written(uint64_t bytes, uint64_t total) override {
    constexpr auto kTick = std::chrono::seconds(1);
    const auto now = std::chrono::steady_clock::now();
    if (now - told_at_ < kTick && bytes < total) return;
    told_at_ = now;
    events_.progress({{"phase", kExporting}, {"bytes", bytes}, {"total_bytes", total}});
  }
  bool stop_requested() override { return stop_.load(); }

 private:
  WorkerEvents& events_;
  const std::atomic<bool>& stop_;
  std::chrono::steady_clock::time_point told_at_;
};

}  // namespace

WorkerOutcome run_exporting(const WorkerContext& context, const ExportSpec& spec) {
  if (!context.events) return WorkerOutcome::kFinished;  // another process writes
  write_file_atomic(context.directory.began(), "");
  Monitor monitor(context);
  try {
    const ExportResult result = export_model(spec, monitor);
    context.events->finished({{"output_dir", result.directory.string()},
                              {"model", spec.model_name_or_path},
                              {"files", result.files},
                              {"bytes", result.bytes}});
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kCancelled) throw;
    context.events->stopped();
    return WorkerOutcome::kStopped;
  }
  return WorkerOutcome::kFinished;
}

}  // namespace hearth
