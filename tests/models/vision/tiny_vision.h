// The tiny models that see of tests/golden/make_vision.py, put together as a user would have them.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "models/images/decode_image.h"
#include "models/loader.h"
#include "models/vision/picture_reader.h"
#include "runtime/base/file.h"
#include "runtime/io/safetensors.h"
#include "runtime/io/safetensors_writer.h"
#include "runtime/tokenizer/base64.h"
#include "tests/support/temporary_directory.h"

namespace hearth::test {

inline const std::filesystem::path kTinyVision = "tests/golden/vision";

inline const nlohmann::json& tiny_vision() {
  static const nlohmann::json kCases = nlohmann::json::parse(read_file(kTinyVision / "cases.json"));
  return kCases;
}

inline const nlohmann::json& tiny_vision_model(const std::string& name) {
  for (const nlohmann::json& one : tiny_vision()["cases"])
    if (one["name"] == name) return one;
  throw not_found("no tiny model that sees is named '{}'", name);
}

// Config, processor and tokenizer, without weights.
inline void make_vision_files(const nlohmann::json& one, const std::filesystem::path& directory) {
  write_file_atomic(directory / "config.json", one["config"].dump());
  write_file_atomic(directory / "preprocessor_config.json", one["preprocessor"].dump());
  std::filesystem::copy(kTinyVision / "tokenizer_config.json", directory);
  std::filesystem::copy(kTinyVision / (one["tokenizer"].get<std::string>() + ".json"), directory / "tokenizer.json");
}

inline void make_vision_directory(const nlohmann::json& one, const std::filesystem::path& directory) {
  make_vision_files(one, directory);
  std::filesystem::copy(kTinyVision / (one["weights"].get<std::string>() + ".safetensors"),
                        directory / "model.safetensors");
}

// Those of the case's tensors that get a name.
inline void write_renamed(const nlohmann::json& one, const std::filesystem::path& path,
                          const std::function<std::optional<std::string>(const std::string&)>& name_of) {
  const auto file = SafetensorsFile::open(kTinyVision / (one["weights"].get<std::string>() + ".safetensors"));
  std::vector<TensorToWrite> tensors;
  for (const CheckpointFile::Tensor& tensor : file->tensors())
    if (const auto name = name_of(tensor.name))
      tensors.push_back({*name, tensor.dtype, tensor.shape, [&tensor](const auto& sink) { sink(tensor.bytes); }});
  write_safetensors(path, std::move(tensors));
}

inline Image tiny_picture(const std::string& name) {
  return decode_image(*decode_base64(tiny_vision()["pictures"][name].get<std::string>()), name);
}

inline PicturedPrompt pictured_prompt(const LoadedModel& loaded, const std::vector<TokenId>& ids,
                                      const nlohmann::json& names) {
  std::vector<std::shared_ptr<const PreparedPicture>> pictures;
  for (const nlohmann::json& name : names)
    pictures.push_back(loaded.pictures->prepare(tiny_picture(name.get<std::string>())));
  return place_pictures(ids, loaded.pictures->placeholder(), pictures);
}

// A run's prompt with its pictures.
inline PicturedPrompt pictured_prompt(const LoadedModel& loaded, const nlohmann::json& run) {
  return pictured_prompt(loaded, run["ids"].get<std::vector<TokenId>>(), run["pictures"]);
}

}  // namespace hearth::test
