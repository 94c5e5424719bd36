// How the names of a model's tensors and the keys of peft's files correspond.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "models/adapters/peft_adapter.h"

namespace hearth {

std::string_view module_path(std::string_view tensor_name) {
  return tensor_name.substr(0, std::min(tensor_name.rfind('.'), tensor_name.size()));
}

std::vector<std::string> paths_in_files(std::string_view path) {
  // Of a text model that was trained within one that sees, and of the parts of such a one before transformers 5.
  constexpr std::pair<std::string_view, std::string_view> kOthers[] = {
      {"model.language_model.", "language_model.model."},
      {"model.language_model.", "model."},
      {"model.vision_tower.", "vision_tower.vision_model."},
      {"model.vision_tower.", "model.vision_tower.vision_model."},
      {"model.vision_tower.", "vision_tower."},
      {"model.multi_modal_projector.", "multi_modal_projector."},
      {"model.visual.", "visual."},
      {"model.", "model.language_model."},
      {"model.", "language_model.model."},
      {"lm_head", "language_model.lm_head"}};
  std::vector<std::string> paths = {std::string(path)};
  for (const auto& [here, there] : kOthers)
    if (path.starts_with(here)) paths.push_back(std::string(there).append(path.substr(here.size())));
  return paths;
}

std::vector<std::shared_ptr<ModelTensor>> saved_tensors(const std::vector<std::string>& modules, ModelTensors tensors) {
  std::vector<std::shared_ptr<ModelTensor>> found;
  for (const std::shared_ptr<ModelTensor>& tensor : tensors) {
    const std::string_view path = module_path(tensor->name);
    if (std::any_of(modules.begin(), modules.end(), [&](const std::string& name) { return has_module(path, name); }))
      found.push_back(tensor);
  }
  return found;
}

std::string peft_key(std::string_view path, std::string_view rest) {
  return fmt::format("base_model.model.{}.{}", path, rest);
}

}  // namespace hearth
