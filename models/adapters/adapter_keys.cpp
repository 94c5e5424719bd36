// How the names of a model's tensors and the keys of peft's files correspond.
#include <algorithm>

#include <fmt/format.h>

#include "models/adapters/peft_adapter.h"

namespace hearth {

std::string_view module_path(std::string_view tensor_name) {
  return tensor_name.substr(0, std::min(tensor_name.rfind('.'), tensor_name.size()));
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
