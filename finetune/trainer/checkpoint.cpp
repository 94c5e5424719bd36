#include "finetune/trainer/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <fcntl.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "finetune/spec/load_train_spec.h"
#include "finetune/spec/train_spec_text.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/io/safetensors.h"
#include "runtime/io/safetensors_writer.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "checkpoint-";
constexpr const char *kSpecFile = "training_args.yaml", *kStateFile = "trainer_state.json",
                     *kOptimizerFile = "optimizer.safetensors", *kTotalsFile = "run_totals.json";

// A rename is durable once its directory is.
void sync_directory(const fs::path& directory) {
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

std::optional<int64_t> step_of(const fs::path& directory) {
  const std::string name = directory.filename().string();
  if (!name.starts_with(kPrefix)) return std::nullopt;
  int64_t step = 0;
  const char* end = name.data() + name.size();
  const auto read = std::from_chars(name.data() + kPrefix.size(), end, step);
  if (read.ec != std::errc() || read.ptr != end || step < 0) return std::nullopt;
  return step;
}

void save_optimizer(const AdamWState& state, const fs::path& path) {
  std::vector<TensorToWrite> tensors;
  Tensor steps({1});
  steps.data()[0] = static_cast<float>(state.steps);  // exact below 2^24
  tensors.push_back(TensorToWrite::f32("steps", steps));
  for (const AdamWState::Moments& moments : state.moments) {
    tensors.push_back(TensorToWrite::f32("exp_avg." + moments.parameter, moments.first));
    tensors.push_back(TensorToWrite::f32("exp_avg_sq." + moments.parameter, moments.second));
  }
  write_safetensors(path, std::move(tensors));
}

Tensor read_f32(const SafetensorsFile& file, const std::string& name, const Shape& shape) {
  const CheckpointFile::Tensor* tensor = file.tensor(name);
  Tensor values(shape);
  const size_t bytes = values.size() * sizeof(float);
  if (!tensor || tensor->dtype != "F32" || tensor->bytes.size() != bytes)
    throw data_corruption("{}: has no tensor '{}' of {} F32 values; resume from an older checkpoint", file.name(), name,
                          values.size());
  std::memcpy(values.data(), tensor->bytes.data(), bytes);
  return values;
}

AdamWState read_optimizer(const AdamWState& like, const fs::path& path) {
  const auto file = SafetensorsFile::open(path);
  AdamWState state;
  state.steps = static_cast<int64_t>(read_f32(*file, "steps", {1}).data()[0]);
  for (const AdamWState::Moments& moments : like.moments) {
    const Shape& shape = moments.first.shape();
    state.moments.push_back({.parameter = moments.parameter,
                             .first = read_f32(*file, "exp_avg." + moments.parameter, shape),
                             .second = read_f32(*file, "exp_avg_sq." + moments.parameter, shape)});
  }
  return state;
}

void save_totals(const RunTotals& totals, const fs::path& path) {
  nlohmann::ordered_json metrics = nlohmann::ordered_json::array();
  for (const MetricSum& metric : totals.window_metrics) metrics.push_back({metric.sum, metric.weight});
  const nlohmann::ordered_json json = {{"loss", totals.loss},
                                       {"window_loss", totals.window_loss},
                                       {"window_steps", totals.window_steps},
                                       {"window_metrics", metrics},
                                       {"objective_state", totals.objective_state},
                                       {"evaluations_without_progress", totals.evaluations_without_progress},
                                       {"examples", totals.examples},
                                       {"tokens", totals.tokens},
                                       {"seconds", totals.seconds}};
  write_file_atomic(path, json.dump(2) + "\n");
}

RunTotals read_totals(const fs::path& path) {
  const nlohmann::json json = nlohmann::json::parse(read_file(path), nullptr, false);
  RunTotals totals;
  try {
    totals = {.loss = json.at("loss").get<double>(),
              .window_loss = json.at("window_loss").get<double>(),
              .window_steps = json.at("window_steps").get<int64_t>(),
              .window_metrics = {},
              .objective_state = json.value("objective_state", std::vector<double>()),
              .evaluations_without_progress = json.at("evaluations_without_progress").get<int64_t>(),
              .examples = json.at("examples").get<int64_t>(),
              .tokens = json.value("tokens", int64_t{0}),
              .seconds = json.at("seconds").get<double>()};
    for (const nlohmann::json& metric : json.at("window_metrics"))
      if (metric.is_array())  // an earlier version had sums alone
        totals.window_metrics.push_back({metric.at(0).get<double>(), metric.at(1).get<double>()});
  } catch (const nlohmann::json::exception&) {
    throw data_corruption("{}: is not what a checkpoint has; resume from an older one", path.string());
  }
  return totals;
}

}  // namespace

fs::path checkpoint_directory(const fs::path& output_dir, int64_t step) {
  return output_dir / fmt::format("{}{}", kPrefix, step);
}

std::vector<Checkpoint> find_checkpoints(const fs::path& output_dir) {
  std::vector<Checkpoint> found;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(output_dir, ignored)) {
    if (!entry.is_directory(ignored)) continue;
    if (const auto step = step_of(entry.path())) found.push_back({entry.path(), *step});
  }
  std::sort(found.begin(), found.end(), [](const Checkpoint& a, const Checkpoint& b) { return a.step < b.step; });
  return found;
}

void remove_leftovers(const fs::path& output_dir) {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(output_dir, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(kPrefix) && name.ends_with(kUnfinished)) fs::remove_all(entry.path(), ignored);
  }
  remove_unfinished_files(output_dir);
}

fs::path save_checkpoint(const Snapshot& s) {
  const fs::path directory = checkpoint_directory(s.spec.training.output_dir, s.state.global_step);
  const fs::path unfinished = directory.string() + std::string(kUnfinished);
  try {
    fs::remove_all(unfinished);
    fs::create_directories(unfinished);
    s.trainable.save(unfinished);
    if (s.optimizer) {
      save_optimizer(s.optimizer->state(), unfinished / kOptimizerFile);
      save_totals(s.totals, unfinished / kTotalsFile);
    }
    write_file_atomic(unfinished / kSpecFile, to_yaml(s.spec));
    s.state.save(unfinished / kStateFile);
    fs::remove_all(directory);  // of an earlier run, which this one has passed
    fs::rename(unfinished, directory);
    sync_directory(directory.parent_path());
  } catch (const fs::filesystem_error& error) {
    std::error_code ignored;
    fs::remove_all(unfinished, ignored);
    throw unavailable("{}: the checkpoint cannot be written: {}", directory.string(), error.code().message());
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(unfinished, ignored);
    throw;
  }
  return directory;
}

void load_checkpoint(const fs::path& directory, const TrainSpec& spec, Trainable& trainable, AdamW& optimizer,
                     TrainerState& state, RunTotals& totals) {
  if (!fs::exists(directory / kOptimizerFile))
    throw failed_precondition(
        "{}: has no {} (it was saved with save_only_model, or by another program) and cannot be resumed; to train on "
        "from its weights name it as adapter_name_or_path and choose another output_dir",
        directory.string(), kOptimizerFile);
  const std::vector<std::string> differing = differences(load_train_spec(directory / kSpecFile), spec);
  if (!differing.empty())
    throw failed_precondition(
        "{}: was made by a job with another {}; go on with the same values, choose another output_dir, or set "
        "overwrite_output_dir: true to start anew",
        directory.string(), fmt::join(differing, ", "));
  TrainerState saved = TrainerState::load(directory / kStateFile);
  AdamWState moments = read_optimizer(optimizer.state(), directory / kOptimizerFile);
  totals = read_totals(directory / kTotalsFile);
  trainable.load(directory);
  optimizer.restore(std::move(moments));
  state = std::move(saved);
}

void prune_checkpoints(const fs::path& output_dir, int limit, const std::optional<std::string>& best) {
  std::vector<Checkpoint> all = find_checkpoints(output_dir);
  size_t count = all.size();
  for (size_t i = 0; i + 1 < all.size() && count > static_cast<size_t>(std::max(limit, 1)); ++i) {
    if (best && all[i].directory == *best) continue;
    // Renamed first, so that what is left after a crash is no checkpoint.
    const fs::path leftover = all[i].directory.string() + std::string(kUnfinished);
    std::error_code failed;
    fs::rename(all[i].directory, leftover, failed);
    if (failed) continue;
    fs::remove_all(leftover, failed);
    --count;
  }
}

}  // namespace hearth
