#include "server/routes/submitted_spec.h"

#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "finetune/spec/check_train_spec.h"
#include "finetune/spec/load_train_spec.h"
#include "runtime/base/error.h"
#include "server/api_error.h"
#include "server/models/model_host.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;

std::string directory_of(const JsonReader& field) {
  if (!field) return "";
  const fs::path path = field.string();
  std::error_code ignored;
  if (!path.is_absolute() || !fs::is_directory(path, ignored))
    field.fail("must be an absolute path of a directory on the daemon's machine");
  return path.string();
}

// Adapters of a served id come along unless the spec names others.
void name_served_files(TrainSpec& spec, const std::string& name, const ModelHost& host) {
  const std::optional<ModelFiles> files = host.files_of(spec.model_name_or_path);
  if (!files) return;
  spec.model_name_or_path = fs::absolute(files->base).string();
  if (!spec.adapter_name_or_path.empty()) return;
  for (const fs::path& adapter : files->adapters) spec.adapter_name_or_path.push_back(fs::absolute(adapter).string());
  check_train_spec(spec, {name, {}});
}

}  // namespace

SubmittedSpec read_submitted_spec(const JsonReader& body, const ModelHost& host) {
  SubmittedSpec out;
  out.name = body["name"] ? body["name"].string() : "spec";
  std::vector<std::string> overrides;
  for (const JsonReader& override : body["overrides"].elements()) overrides.push_back(override.string());
  out.directory = directory_of(body["directory"]);
  const std::string text = body.required("spec").string();
  try {
    out.spec = parse_train_spec(text, out.name, overrides);
    name_served_files(out.spec, out.name, host);
  } catch (const Error& error) {
    throw invalid_field("spec", error.what());
  }
  return out;
}

}  // namespace hearth
