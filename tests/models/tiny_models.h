// The tiny models of tests/golden/make_tiny_models.py, put together as a user would have them: a Hugging Face directory
// or a GGUF file.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "models/loader.h"
#include "runtime/base/file.h"
#include "runtime/ops/ops.h"
#include "tests/support/temporary_directory.h"

namespace hearth::test {

inline const std::filesystem::path kTinyModels = "tests/golden/tiny_models";

inline const nlohmann::json& tiny_models() {
  static const nlohmann::json kCases = nlohmann::json::parse(read_file(kTinyModels / "cases.json"));
  return kCases;
}

inline const nlohmann::json& tiny_model(const std::string& name) {
  for (const nlohmann::json& one : tiny_models()["cases"])
    if (one["name"] == name) return one;
  throw not_found("no tiny model is named '{}'", name);
}

// A case's files in `directory`: config.json, weights, tokenizer.
inline void make_directory(const nlohmann::json& one, const std::filesystem::path& directory) {
  write_file_atomic(directory / "config.json", one["config"].dump());
  const std::string weights = one["weights"];
  if (weights == "f16") {
    for (const char* file :
         {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"})
      std::filesystem::copy(kTinyModels / file, directory);
  } else {
    std::filesystem::copy(kTinyModels / (weights + ".safetensors"), directory / "model.safetensors");
  }
  for (const char* file : {"tokenizer.json", "tokenizer_config.json", "generation_config.json"})
    std::filesystem::copy(kTinyModels / file, directory);
}

inline std::filesystem::path make_gguf(const nlohmann::json& one, const std::filesystem::path& directory) {
  const std::string name = one["gguf"];
  if (std::filesystem::exists(kTinyModels / (name + ".gguf"))) return kTinyModels / (name + ".gguf");
  const std::filesystem::path path = directory / (name + ".gguf");
  write_file_atomic(path, read_file(kTinyModels / (name + ".head")) + read_file(kTinyModels / "tensors.bin"));
  return path;
}

// Rows [begin, end) of one sequence.
inline Batch batch_of(const std::vector<TokenId>& ids, int begin, int end) {
  Batch batch;
  for (int i = begin; i < end; ++i) {
    batch.token_ids.push_back(ids[i]);
    batch.positions.push_back(i);
  }
  batch.segments = {{.begin = 0, .end = end - begin, .past = begin, .prompt_length = static_cast<int>(ids.size())}};
  return batch;
}

// log p(ids[i + 1] | ids[..i]), the whole prompt at once.
inline std::vector<float> prompt_logprobs(const LanguageModel& model, const std::vector<TokenId>& ids) {
  const int n = static_cast<int>(ids.size());
  const Tensor hidden = model.forward(batch_of(ids, 0, n));
  std::vector<TokenId> targets(ids.begin() + 1, ids.end());
  targets.push_back(-1);
  const Tensor result = ops::token_logprobs(hidden, model.output_head(), targets);
  return {result.data(), result.data() + n - 1};
}

// The same through a KV cache, `chunk` rows at a time.
inline std::vector<float> chunked_logprobs(const LanguageModel& model, const std::vector<TokenId>& ids, int chunk) {
  const ModelDims& dims = model.dims();
  const int n = static_cast<int>(ids.size()), blocks = (n + kBlockTokens - 1) / kBlockTokens;
  KvCache cache({dims.num_layers, dims.num_kv_heads, dims.head_dim}, blocks + 1, KvFormat::kF32);
  BlockTable table;
  for (int i = blocks; i > 0; --i) table.push_back(i);  // any order but the obvious one
  std::vector<float> logprobs;
  for (int begin = 0; begin < n; begin += chunk) {
    const int end = std::min(begin + chunk, n);
    Batch batch = batch_of(ids, begin, end);
    batch.cache = &cache;
    batch.segments[0].blocks = &table;
    const Tensor hidden = model.forward(batch);
    std::vector<TokenId> targets;
    for (int i = begin; i < end; ++i) targets.push_back(i + 1 < n ? ids[i + 1] : -1);
    const Tensor result = ops::token_logprobs(hidden, model.output_head(), targets);
    logprobs.insert(logprobs.end(), result.data(), result.data() + result.size());
  }
  logprobs.pop_back();
  return logprobs;
}

}  // namespace hearth::test
