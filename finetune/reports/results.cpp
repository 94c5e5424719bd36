#include "finetune/reports/results.h"

#include "runtime/base/file.h"

namespace hearth {
namespace {

using nlohmann::json;

void write(const std::filesystem::path& path, const json& metrics) {
  write_file_atomic(path, metrics.dump(4, ' ', /*ensure_ascii=*/true, json::error_handler_t::replace));
}

}  // namespace

void save_results(const std::filesystem::path& output_dir, const std::string& split, const LogRecord& metrics) {
  const json sorted(metrics);
  write(output_dir / (split + "_results.json"), sorted);
  const std::filesystem::path all_path = output_dir / "all_results.json";
  json all = json::object();
  if (std::filesystem::exists(all_path)) all = json::parse(read_file(all_path), nullptr, /*allow_exceptions=*/false);
  if (!all.is_object()) all = json::object();  // a broken one is written anew
  all.update(sorted);
  write(all_path, all);
}

std::optional<LogRecord> load_results(const std::filesystem::path& output_dir, const std::string& split) {
  for (const std::string& name : {std::string("all"), split}) {
    const std::filesystem::path path = output_dir / (name + "_results.json");
    if (!std::filesystem::exists(path)) continue;
    LogRecord results = LogRecord::parse(read_file(path), nullptr, /*allow_exceptions=*/false);
    return results.is_object() ? std::optional(std::move(results)) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace hearth
