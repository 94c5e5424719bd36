#include "server/routes/submitted_spec.h"

#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "finetune/spec/check_train_spec.h"
#include "finetune/spec/field_makers.h"
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

std::string name_of_spec(const JsonReader& body) { return body["name"] ? body["name"].string() : "spec"; }

std::vector<std::string> overrides_of(const JsonReader& body) {
  std::vector<std::string> overrides;
  for (const JsonReader& override : body["overrides"].elements()) overrides.push_back(override.string());
  return overrides;
}

// Keys that make of a served id its files.
std::vector<std::string> served_files(const ExportSpec& spec, const ModelHost& host) {
  const std::optional<ModelFiles> files = host.files_of(spec.model_name_or_path);
  if (!files) return {};
  std::vector<std::string> keys = {"model_name_or_path=" + yaml_text(fs::absolute(files->base).string())};
  if (!spec.adapter_name_or_path.empty()) return keys;
  std::vector<std::string> adapters;
  for (const fs::path& adapter : files->adapters) adapters.push_back(yaml_text(fs::absolute(adapter).string()));
  keys.push_back(fmt::format("adapter_name_or_path=[{}]", fmt::join(adapters, ", ")));
  return keys;
}

}  // namespace

std::optional<SubmittedExport> read_submitted_export(const JsonReader& body, const ModelHost& host) {
  const std::string name = name_of_spec(body), text = body.required("spec").string();
  const std::vector<std::string> overrides = overrides_of(body);
  try {
    if (!is_export_spec(text, name, overrides)) return std::nullopt;
    ExportSpec spec = parse_export_spec(text, name, overrides);
    if (const std::vector<std::string> keys = served_files(spec, host); !keys.empty())
      spec = parse_export_spec(spec.yaml, name, keys);
    return SubmittedExport{name, directory_of(body["directory"]), std::move(spec)};
  } catch (const ApiError&) {
    throw;
  } catch (const Error& error) {
    throw invalid_field("spec", error.what());
  }
}

SubmittedSpec read_submitted_spec(const JsonReader& body, const ModelHost& host) {
  SubmittedSpec out;
  out.name = name_of_spec(body);
  const std::vector<std::string> overrides = overrides_of(body);
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
