// Exports as a user asks for them, and what the models that come out say.
#pragma once

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "finetune/export/export_model.h"
#include "models/adapters/new_adapter.h"
#include "models/adapters/served_adapter.h"
#include "tests/models/adapters/tiny_adapters.h"

namespace hearth::test {

class Recorder : public ExportMonitor {
 public:
  void on_note(const std::string&) override {}
  void on_warning(const std::string& line) override { warnings.push_back(line); }
  void on_written(uint64_t bytes, uint64_t total) override {
    written = bytes;
    expected = total;
  }
  bool stop_requested() override { return stops; }

  std::vector<std::string> warnings;
  uint64_t written = 0, expected = 0;
  bool stops = false;
};

inline ExportResult exported(const std::string& yaml, Recorder& recorder) {
  return export_model(parse_export_spec(yaml, "export.yaml"), recorder);
}

inline ExportResult exported(const std::string& yaml) {
  Recorder recorder;
  const ExportResult result = exported(yaml, recorder);
  EXPECT_EQ(recorder.written, recorder.expected);
  return result;
}

inline LoadedModel load_exact(const std::filesystem::path& path) {
  return load_model(path, {.compute_dtype = ComputeDtype::kFloat32, .chat = {}});
}

inline std::vector<float> logprobs(const LoadedModel& loaded, const Adapter* adapter = nullptr) {
  const auto ids = tiny_models()["prompts"]["short"].get<std::vector<TokenId>>();
  Batch batch = batch_of(ids, 0, static_cast<int>(ids.size()));
  batch.segments[0].adapter = adapter;
  std::vector<TokenId> targets(ids.begin() + 1, ids.end());
  targets.push_back(-1);
  const Tensor result = ops::token_logprobs(loaded.model->forward(batch), loaded.model->output_head(), targets);
  return {result.data(), result.data() + ids.size() - 1};
}

// What serving says with the adapters in their order.
inline std::vector<float> served_logprobs(const std::filesystem::path& base,
                                          const std::vector<std::filesystem::path>& adapters) {
  const LoadedModel loaded = load_exact(base);
  const auto adapter = apply_adapters(adapters, loaded.model->tensors(), ComputeDtype::kFloat32);
  return logprobs(loaded, adapter.get());
}

inline double furthest(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double most = 0;
  for (size_t i = 0; i < a.size(); ++i) most = std::max(most, static_cast<double>(std::fabs(a[i] - b[i])));
  return most;
}

inline std::string yaml_of(const std::filesystem::path& base, const std::vector<std::filesystem::path>& adapters,
                           const std::filesystem::path& out, const std::string& more = "") {
  std::string yaml = "model_name_or_path: " + base.string() + "\nexport_dir: " + out.string() + "\n" + more + "\n";
  for (const std::filesystem::path& adapter : adapters)
    yaml += (&adapter == &adapters.front() ? "adapter_name_or_path: " : ",") + adapter.string();
  return yaml + "\n";
}

// A new adapter whose factors are not 0, of whatever the model's linear maps are.
inline std::filesystem::path made_adapter(const std::filesystem::path& base, const std::filesystem::path& directory) {
  const LoadedModel loaded = load_exact(base);
  const PeftAdapter peft = make_adapter({.rank = 2, .seed = 3}, loaded.model->tensors());
  for (const auto& part : peft.adapter->low_ranks)
    if (part)
      for (size_t i = 0; i < part->b.value.size(); ++i)
        part->b.value.data()[i] = 0.05f * std::sin(static_cast<float>(i));
  write_adapter(directory, peft.config, *peft.adapter, loaded.model->tensors());
  return directory;
}

}  // namespace hearth::test
