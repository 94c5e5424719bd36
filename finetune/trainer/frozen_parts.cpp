#include "finetune/trainer/frozen_parts.h"

#include <algorithm>
#include <set>

#include <fmt/ranges.h>

#include "runtime/base/error.h"
#include "runtime/base/nearest_name.h"

namespace hearth {

bool is_frozen(const FrozenParts& frozen, ModelPart part) {
  switch (part) {
    case ModelPart::kTower:
      return frozen.tower;
    case ModelPart::kProjector:
      return frozen.projector;
    case ModelPart::kLanguage:
      return frozen.language;
    case ModelPart::kOther:
      break;
  }
  return false;
}

std::vector<std::string> lora_targets(const std::vector<std::string>& target, const FrozenParts& frozen,
                                      const VisionConfig& vision, ModelTensors tensors) {
  std::set<std::string> known, named(target.begin(), target.end());
  const bool all = target == std::vector<std::string>{"all"};
  if (all) named.clear();
  for (const auto& tensor : tensors) {
    if (tensor->linear < 0) continue;
    const std::string_view path = module_path(tensor->name);
    const std::string name(path.substr(path.rfind('.') + 1));
    known.insert(name);
    const ModelPart part = part_of(vision, path);
    if (all && part != ModelPart::kProjector && (part != ModelPart::kTower || !frozen.tower)) named.insert(name);
  }
  std::vector<std::string> paths;
  std::set<std::string> unused = named;
  for (const auto& tensor : tensors) {
    if (tensor->linear < 0) continue;
    const std::string path(module_path(tensor->name));
    bool is_named = false;
    for (const std::string& name : named) {
      if (path.find(name) == std::string::npos) continue;
      is_named = true;
      unused.erase(name);
    }
    if (is_named && !is_frozen(frozen, part_of(vision, path))) paths.push_back(path);
  }
  if (!unused.empty() && !all)
    throw invalid_argument("lora_target: the model has no linear map '{}'{}; it has {}", *unused.begin(),
                           did_you_mean(*unused.begin(), known), fmt::join(known, ", "));
  if (paths.empty())
    throw invalid_argument(
        "lora_target: what it names is all frozen: freeze_vision_tower, freeze_multi_modal_projector and "
        "freeze_language_model say which parts are");
  return paths;
}

}  // namespace hearth
