#include "finetune/spec/model_reference.h"

#include <filesystem>
#include <system_error>

#include "models/hub_cache.h"

namespace hearth {

std::string with_revision(const std::string& model, const std::string& revision) {
  std::error_code ignored;
  if (revision == "main" || !is_hub_reference(model) || std::filesystem::exists(model, ignored)) return model;
  HubReference reference = parse_hub_reference(model);
  if (reference.revision == "main") reference.revision = revision;
  return reference.to_string();
}

}  // namespace hearth
