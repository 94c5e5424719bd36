#include "server/routes/submitted_spec.h"

#include <filesystem>
#include <optional>
#include <system_error>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "finetune/spec/field_makers.h"
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

// Keys that make of a served id its files. Adapters of one come along unless the spec names others.
std::vector<std::string> served_files(const std::string& model, const std::vector<std::string>& adapters,
                                      const ModelHost& host) {
  const std::optional<ModelFiles> files = host.files_of(model);
  if (!files) return {};
  std::vector<std::string> keys = {"model_name_or_path=" + yaml_text(fs::absolute(files->base).string())};
  if (!adapters.empty()) return keys;
  std::vector<std::string> served;
  for (const fs::path& adapter : files->adapters) served.push_back(yaml_text(fs::absolute(adapter).string()));
  if (!served.empty()) keys.push_back(fmt::format("adapter_name_or_path=[{}]", fmt::join(served, ", ")));
  return keys;
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
    out.spec = parse_job_spec(text, out.name, overrides);
    const std::vector<std::string> keys = std::visit(
        [&](const auto& spec) { return served_files(spec.model_name_or_path, spec.adapter_name_or_path, host); },
        out.spec);
    overrides.insert(overrides.end(), keys.begin(), keys.end());
    if (!keys.empty()) out.spec = parse_job_spec(text, out.name, overrides);
  } catch (const Error& error) {
    throw invalid_field("spec", error.what());
  }
  return out;
}

}  // namespace hearth
