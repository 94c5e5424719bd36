#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>

#include "models/adapters/adapter_config.h"
#include "models/adapters/peft_adapter.h"
#include "models/adapters/served_adapter.h"
#include "models/model_config.h"
#include "models/vision/vision_family.h"
#include "runtime/base/error.h"
#include "runtime/io/checkpoint_file.h"
#include "runtime/io/untrusted.h"

namespace hearth {
namespace {

// Linear maps of a layer's input in every family that has them.
constexpr std::string_view kOfHidden[] = {"q_proj",    "k_proj",  "v_proj",      "qkv_proj",
                                          "gate_proj", "up_proj", "gate_up_proj"};

// Of "base_model.model.model.layers.12.self_attn.q_proj.lora_A.weight": 12. Experts' numbers come after it.
std::optional<int64_t> layer_of(std::string_view name) {
  while (!name.empty()) {
    const std::string_view component = name.substr(0, name.find('.'));
    int64_t number = 0;
    const auto [end, error] = std::from_chars(component.data(), component.data() + component.size(), number);
    if (error == std::errc() && end == component.data() + component.size()) return number;
    name.remove_prefix(std::min(name.size(), component.size() + 1));
  }
  return std::nullopt;
}

bool is_of_hidden(std::string_view name) {
  constexpr std::string_view kFactor = ".lora_A.weight";
  if (!name.ends_with(kFactor)) return false;
  name.remove_suffix(kFactor.size());
  return std::any_of(std::begin(kOfHidden), std::end(kOfHidden),
                     [&](std::string_view module) { return ends_in_module(name, module); });
}

}  // namespace

void check_adapter(const std::filesystem::path& directory, const ModelConfig& base) {
  require_servable(read_adapter_config(directory), directory.filename().string());
  const std::shared_ptr<const CheckpointFile> file = open_adapter_tensors(directory);
  for (const CheckpointFile::Tensor& tensor : file->tensors()) {
    if (base.vision && part_of(*base.vision, tensor.name) != ModelPart::kLanguage) continue;
    if (const auto layer = layer_of(tensor.name); layer && (*layer < 0 || *layer >= base.num_hidden_layers))
      throw invalid_argument("{}: adapter does not fit the model: '{}' is of layer {}, the model has {} (from 0)",
                             file->name(), printable(tensor.name), *layer, base.num_hidden_layers);
    if (is_of_hidden(tensor.name) && (tensor.shape.size() != 2 || tensor.shape[1] != base.hidden_size))
      throw invalid_argument("{}: adapter does not fit the model: '{}' is [{}], must be [rank, {}]", file->name(),
                             printable(tensor.name), fmt::join(tensor.shape, ", "), base.hidden_size);
  }
}

}  // namespace hearth
