// The tiny models of tests/golden/make_tiny_models.py and make_architectures.py, put together as a user would have
// them: a Hugging Face directory or a GGUF file.
#pragma once

#include <algorithm>
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
  static const nlohmann::json kCases = [] {
    nlohmann::json llamas = nlohmann::json::parse(read_file(kTinyModels / "cases.json"));
    const nlohmann::json others = nlohmann::json::parse(read_file(kTinyModels / "architectures/cases.json"));
    for (const nlohmann::json& one : others["cases"]) llamas["cases"].push_back(one);
    return llamas;
  }();
  return kCases;
}

inline const nlohmann::json& tiny_model(const std::string& name) {
  for (const nlohmann::json& one : tiny_models()["cases"])
    if (one["name"] == name) return one;
  throw not_found("no tiny model is named '{}'", name);
}

// A file that make_architectures.py cut into pieces.
inline std::string assembled(const nlohmann::json& one, const nlohmann::json& parts) {
  const std::string blobs[] = {read_file(kTinyModels / "architectures/shared.bin"),
                               read_file(kTinyModels / (one["weights"].get<std::string>() + ".bin"))};
  std::string file;
  for (const nlohmann::json& part : parts) file.append(blobs[part[0].get<size_t>()], part[1], part[2]);
  return file;
}

// A case's files in `directory`: config.json, weights, tokenizer.
inline void make_directory(const nlohmann::json& one, const std::filesystem::path& directory) {
  write_file_atomic(directory / "config.json", one["config"].dump());
  const std::string weights = one["weights"];
  if (one.contains("weights_parts")) {
    write_file_atomic(directory / "model.safetensors", assembled(one, one["weights_parts"]));
  } else if (weights == "f16") {
    for (const char* file :
         {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"})
      std::filesystem::copy(kTinyModels / file, directory);
  } else {
    std::filesystem::copy(kTinyModels / (weights + ".safetensors"), directory / "model.safetensors");
  }
  for (const char* file : {"tokenizer.json", "tokenizer_config.json", "generation_config.json"})
    std::filesystem::copy(kTinyModels / file, directory);
}

// The same with the hub's old pytorch_model.bin, or its index and shards, as the weights.
inline void make_torch_directory(const nlohmann::json& one, const std::filesystem::path& directory) {
  make_directory(one, directory);
  std::filesystem::remove(directory / "model.safetensors");
  for (const auto& [file, parts] : one["torch_parts"].items())
    write_file_atomic(directory / file, assembled(one, parts));
}

inline std::filesystem::path make_gguf(const nlohmann::json& one, const std::filesystem::path& directory) {
  const std::string name = one["gguf"];
  if (std::filesystem::exists(kTinyModels / (name + ".gguf"))) return kTinyModels / (name + ".gguf");
  const std::filesystem::path path = directory / (one["name"].get<std::string>() + ".gguf");
  if (one.contains("gguf_parts")) {
    write_file_atomic(path, assembled(one, one["gguf_parts"]));
    return path;
  }
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

// One sequence of at most `length` tokens, forwarded piece by piece through a KV cache.
class CachedSequence {
 public:
  CachedSequence(const LanguageModel& model, int length)
      : model_(model),
        cache_({model.dims().num_layers, model.dims().num_kv_heads, model.dims().head_dim}, blocks_of(length) + 1,
               KvFormat::kF32) {
    for (int i = blocks_of(length); i > 0; --i) blocks_.push_back(i);  // any order but the obvious one
  }

  // Rows [begin, end), those before them having been forwarded.
  Tensor forward(const std::vector<TokenId>& ids, int begin, int end) {
    Batch batch = batch_of(ids, begin, end);
    batch.cache = &cache_;
    batch.segments[0].blocks = &blocks_;
    return model_.forward(batch);
  }

 private:
  static int blocks_of(int length) { return (length + kBlockTokens - 1) / kBlockTokens; }

  const LanguageModel& model_;
  KvCache cache_;
  BlockTable blocks_;
};

// The same through a KV cache, `chunk` rows at a time.
inline std::vector<float> chunked_logprobs(const LanguageModel& model, const std::vector<TokenId>& ids, int chunk) {
  const int n = static_cast<int>(ids.size());
  CachedSequence sequence(model, n);
  std::vector<float> logprobs;
  for (int begin = 0; begin < n; begin += chunk) {
    const int end = std::min(begin + chunk, n);
    const Tensor hidden = sequence.forward(ids, begin, end);
    std::vector<TokenId> targets;
    for (int i = begin; i < end; ++i) targets.push_back(i + 1 < n ? ids[i + 1] : -1);
    const Tensor result = ops::token_logprobs(hidden, model.output_head(), targets);
    logprobs.insert(logprobs.end(), result.data(), result.data() + result.size());
  }
  logprobs.pop_back();
  return logprobs;
}

// What the model says after `ids`, always the likeliest token: the prompt `chunk` rows at a time, then one by one.
inline std::vector<TokenId> continuation(const LanguageModel& model, std::vector<TokenId> ids, int chunk, int count) {
  const int prompt = static_cast<int>(ids.size());
  CachedSequence sequence(model, prompt + count);
  for (int begin = 0; begin < prompt + count - 1;) {
    const int end = std::min(begin + chunk, static_cast<int>(ids.size()));
    const Tensor hidden = sequence.forward(ids, begin, end);
    if (end == static_cast<int>(ids.size())) {
      const int last = end - begin - 1;
      const Tensor logits = ops::logits(ops::gather_rows(hidden, {&last, 1}), model.output_head());
      ids.push_back(
          static_cast<TokenId>(std::max_element(logits.data(), logits.data() + logits.size()) - logits.data()));
    }
    begin = end;
  }
  return {ids.begin() + prompt, ids.end()};
}

}  // namespace hearth::test
