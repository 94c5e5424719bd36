#include "server/commands/job_view.h"

#include <algorithm>
#include <ctime>

#include <fmt/chrono.h>

#include "server/commands/train_monitor.h"
#include "server/hub/progress.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

std::string time_of(const Json& seconds) {
  if (!seconds.is_number()) return "-";
  return fmt::format("{:%Y-%m-%d %H:%M:%S}", fmt::localtime(static_cast<std::time_t>(seconds.get<double>())));
}

// "training, step 5/20, 40 s left"
std::string progress_of(const Json& progress) {
  if (!progress.is_object() || progress.empty()) return "";
  std::string text = progress.value("phase", "");
  if (progress.contains("step"))
    text += fmt::format(", step {}/{}", progress.value("step", 0), progress.value("total_steps", 0));
  if (const double total = progress.value("total_bytes", 0.0); total > 0)
    text += fmt::format(", {:.0f} %", 100 * progress.value("bytes", 0.0) / total);
  if (progress.value("seconds_left", 0.0) > 0)
    text += fmt::format(", {} left", format_duration(progress.value("seconds_left", 0.0)));
  return text;
}

std::string state_of(const Json& job) {
  const Json wanted = job.value("wanted", Json());
  return job.value("status", "") + (wanted.is_string() ? " (" + wanted.get<std::string>() + " soon)" : "");
}

// What is worth a column besides the state.
std::string remark_of(const Json& job) {
  if (job.value("status", "") == "running") return progress_of(job.value("progress", Json()));
  const Json error = job.value("error", Json()), result = job.value("result", Json());
  if (error.is_object()) return error.value("message", "");
  if (result.is_object()) return result.value("served_as", result.value("output_dir", ""));
  return "";
}

std::string first_line(const std::string& text, size_t most) {
  const std::string_view line = std::string_view(text).substr(0, text.find('\n'));
  return fmt::format("{}{}", line.substr(0, most), line.size() > most ? " ..." : "");
}

}  // namespace

void print_jobs(const Json& jobs) {
  if (jobs.empty()) fmt::print("no jobs; `hearth submit CONFIG.yaml` makes one\n");
  for (const Json& job : jobs)
    fmt::print("{}  {}  {:<10} {:<24} {}\n", job.value("id", ""), time_of(job.value("created_at", Json())),
               state_of(job), job.value("name", Json()).is_string() ? job.value("name", "") : "",
               first_line(remark_of(job), 80));
}

void print_job(const Json& job) {
  const auto row = [](const char* name, const std::string& value) {
    if (!value.empty() && value != "-") fmt::print("{:<10} {}\n", name, value);
  };
  row("id", job.value("id", ""));
  if (job.value("name", Json()).is_string()) row("name", job.value("name", ""));
  row("status", state_of(job));
  row("created", time_of(job.value("created_at", Json())));
  row("started", time_of(job.value("started_at", Json())));
  row("finished", time_of(job.value("finished_at", Json())));
  if (job.value("attempt", 0) > 1) row("attempt", std::to_string(job.value("attempt", 0)));
  if (job.value("status", "") == "running") row("progress", progress_of(job.value("progress", Json())));
  const Json error = job.value("error", Json()), result = job.value("result", Json());
  if (error.is_object()) row("error", error.value("message", ""));
  if (!result.is_object()) return;
  row("output", result.value("output_dir", ""));
  if (result.contains("served_as")) row("model", result.value("served_as", ""));
  if (result.contains("metrics")) row("metrics", describe_record(result["metrics"]));
}

void JobView::clear() {
  if (!drawn_) return;
  fmt::print(out_, "\r\x1b[K");
  std::fflush(out_);
  drawn_ = false;
}

void JobView::print(const std::string& line) {
  clear();
  fmt::print(out_, "{}\n", line);
  std::fflush(out_);
}

void JobView::show(const Json& object) {
  if (object.value("object", "") == "job") return show_job(object);
  const Json data = object.value("data", Json::object());
  if (object.value("type", "") == "metrics") {
    Json record = data;
    record.erase("step");
    record.erase("total_steps");
    print(describe_record(record));
  } else {
    const std::string level = object.value("level", "info");
    print((level == "info" ? "" : level + ": ") + object.value("message", ""));
  }
}

void JobView::show_job(const Json& job) {
  if (!terminal_ || job.value("status", "") != "running") return;
  const Json progress = job.value("progress", Json::object());
  if (!progress.contains("step")) return;
  const double total = std::max(1.0, progress.value("total_steps", 0.0));
  const TrainingProgress shown{.step = progress.value("step", int64_t{0}),
                               .total = static_cast<int64_t>(total),
                               .epoch = progress.value("epoch", 0.0),
                               .loss = progress.value("loss", 0.0),
                               .tokens_per_second = progress.value("tokens_per_second", 0.0),
                               .seconds_left = progress.value("seconds_left", 0.0)};
  const bool predicts = progress.value("phase", "") == "predicting";
  fmt::print(out_, "\r{}\x1b[K", predicts ? predicting_bar(shown) : training_bar(shown));
  std::fflush(out_);
  drawn_ = true;
}

}  // namespace hearth
