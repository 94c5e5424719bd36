#include "server/jobs/worker_events.h"

#include <fstream>
#include <utility>

#include "runtime/base/error.h"

namespace hearth {
namespace {

// What is taken in by one transaction; the rest follows with the next.
constexpr int64_t kMostBytes = 1 << 20;
constexpr size_t kMostText = 16 << 10;  // of a line, which must be shorter than that

std::string read_from(const std::filesystem::path& file, int64_t from) {
  std::ifstream stream(file, std::ios::binary);
  std::string text;
  if (!stream.seekg(from)) return text;
  text.resize(kMostBytes);
  stream.read(text.data(), kMostBytes);
  text.resize(static_cast<size_t>(stream.gcount()));
  return text;
}

WorkerEnd end_of(const JobJson& line) {
  const std::string outcome = line.value("outcome", "");
  if (outcome == "finished") return {WorkerEnd::Outcome::kFinished, line.value("result", JobJson::object()), "", ""};
  if (outcome == "stopped") return {WorkerEnd::Outcome::kStopped, {}, "", ""};
  return {WorkerEnd::Outcome::kFailed, {}, line.value("code", "internal"), line.value("message", "")};
}

void take(const JobJson& line, WorkerReading& reading) {
  const std::string type = line.value("type", "");
  const int64_t at = line.value("at", int64_t{0});
  if (type == "message") {
    JobEvent event;
    event.created_at = at;
    event.level = line.value("level", "info");
    event.message = line.value("message", "");
    reading.news.events.push_back(std::move(event));
  } else if (type == "progress") {
    reading.news.progress = line.value("progress", JobJson::object());
    const std::string phase = reading.news.progress->value("phase", "");
    if (phase == kTraining || phase == kPredicting) reading.news.stepped = true;
  } else if (type == "metrics") {
    JobEvent event;
    event.created_at = at;
    event.type = "metrics";
    event.data = {{"step", line.value("step", int64_t{0})}, {"total_steps", line.value("total_steps", int64_t{0})}};
    event.data.update(line.value("data", JobJson::object()));
    event.message = fmt::format("step {}/{}", line.value("step", int64_t{0}), line.value("total_steps", int64_t{0}));
    reading.news.events.push_back(std::move(event));
  } else if (type == "checkpoint") {
    JobCheckpoint checkpoint;
    checkpoint.created_at = at;
    checkpoint.step = line.value("step", int64_t{0});
    checkpoint.path = line.value("path", "");
    checkpoint.metrics = line.value("metrics", JobJson::object());
    JobEvent event;
    event.created_at = at;
    event.message = fmt::format("saved {}", checkpoint.path);
    reading.news.events.push_back(std::move(event));
    reading.news.checkpoints.push_back(std::move(checkpoint));
  } else if (type == "end") {
    reading.end = end_of(line);
  }
}

}  // namespace

void WorkerEvents::write(JobJson line) {
  line["at"] = unix_milliseconds();
  file_.append(line.dump(-1, ' ', false, JobJson::error_handler_t::replace) + "\n");
}

void WorkerEvents::message(std::string_view level, const std::string& text) {
  write({{"type", "message"}, {"level", level}, {"message", text.substr(0, kMostText)}});
}

void WorkerEvents::progress(JobJson progress) { write({{"type", "progress"}, {"progress", std::move(progress)}}); }

void WorkerEvents::metrics(int64_t step, int64_t total_steps, const JobJson& record) {
  write({{"type", "metrics"}, {"step", step}, {"total_steps", total_steps}, {"data", record}});
}

void WorkerEvents::checkpoint(int64_t step, const std::filesystem::path& path, const JobJson& metrics) {
  write({{"type", "checkpoint"}, {"step", step}, {"path", path.string()}, {"metrics", metrics}});
}

void WorkerEvents::finished(const JobJson& result) {
  write({{"type", "end"}, {"outcome", "finished"}, {"result", result}});
}

void WorkerEvents::stopped() { write({{"type", "end"}, {"outcome", "stopped"}}); }

void WorkerEvents::failed(std::string_view code, const std::string& message) {
  write({{"type", "end"}, {"outcome", "failed"}, {"code", code}, {"message", message}});
}

WorkerReading read_worker_events(const std::filesystem::path& file, int64_t from) {
  WorkerReading reading;
  const std::string text = read_from(file, from);
  size_t begin = 0;
  for (size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const JobJson line = JobJson::parse(text.data() + begin, text.data() + end, nullptr, /*allow_exceptions=*/false);
    if (!line.is_object()) continue;
    try {
      take(line, reading);
    } catch (const JobJson::exception&) {  // a field of another type
    }
  }
  reading.news.taken_in = from + static_cast<int64_t>(begin);
  return reading;
}

}  // namespace hearth
