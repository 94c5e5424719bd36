// The adapters of tests/golden/make_peft_adapters.py and the tiny models that they belong to.
#pragma once

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "models/adapters/peft_adapter.h"
#include "runtime/base/error.h"
#include "tests/models/tiny_models.h"

namespace hearth::test {

inline const std::filesystem::path kPeftAdapters = "tests/golden/peft_adapters";

// A tiny model by the name of its case, in exact f32.
inline std::shared_ptr<const LanguageModel> load_tiny(const std::string& name) {
  const TemporaryDirectory directory;
  make_directory(tiny_model(name), directory.path());
  return load_model(directory.path(), {.compute_dtype = ComputeDtype::kFloat32, .chat = {}}).model;
}

inline const std::shared_ptr<ModelTensor>& tensor_of(ModelTensors tensors, std::string_view name) {
  const auto found = std::find_if(tensors.begin(), tensors.end(), [&](const auto& one) { return one->name == name; });
  if (found == tensors.end()) throw not_found("the model has no tensor '{}'", name);
  return *found;
}

// The message of the Error that `action` throws; empty when it throws none.
template <class Action>
std::string refusal(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace hearth::test
