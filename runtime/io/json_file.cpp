#include "runtime/io/json_file.h"

#include "runtime/base/error.h"
#include "runtime/base/file.h"

namespace hearth {
namespace {

constexpr int kDeepest = 64;

}  // namespace

nlohmann::json parse_json(std::string_view text, const std::string& name) {
  const auto limit_depth = [&name](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    if (depth > kDeepest) throw data_corruption("{}: JSON nested deeper than {}", name, kDeepest);
    return true;
  };
  try {
    return nlohmann::json::parse(text, limit_depth);
  } catch (const nlohmann::json::parse_error& error) {
    throw data_corruption("{}: not valid JSON at byte {} of {}", name, error.byte, text.size());
  } catch (const nlohmann::json::exception&) {  // a number out of range
    throw data_corruption("{}: not valid JSON", name);
  }
}

nlohmann::json read_json_file(const std::filesystem::path& path, size_t max_bytes) {
  return parse_json(read_file(path, max_bytes), path.string());
}

}  // namespace hearth
