#include "server/yaml_file.h"

#include <charconv>
#include <cmath>
#include <set>

#include "runtime/base/error.h"
#include "runtime/base/file.h"

namespace hearth {
namespace {

constexpr size_t kMaxFileBytes = size_t{1} << 20;

const char* type_name(const YAML::Node& node) {
  if (node.IsMap()) return "a mapping";
  if (node.IsSequence()) return "a list";
  if (node.IsNull()) return "nothing";
  return "a value";
}

std::string scalar(const YamlEntry& entry, const char* wanted) {
  if (!entry.value.IsScalar())
    throw invalid_argument("{}: '{}' must be {}, found {}", entry.where, entry.key, wanted, type_name(entry.value));
  return entry.value.Scalar();
}

}  // namespace

std::vector<YamlEntry> read_yaml_entries(const std::filesystem::path& path) {
  const std::string text = read_file(path, kMaxFileBytes);
  std::vector<YamlEntry> entries;
  try {
    const YAML::Node root = YAML::Load(text);
    if (!root.IsDefined() || root.IsNull()) return entries;
    if (!root.IsMap())
      throw invalid_argument("{}: must be a mapping (key: value), found {}", path.string(), type_name(root));
    std::set<std::string> seen;
    for (const auto& pair : root) {
      const std::string where = fmt::format("{}:{}", path.string(), pair.first.Mark().line + 1);
      if (!pair.first.IsScalar())
        throw invalid_argument("{}: a key must be a name, found {}", where, type_name(pair.first));
      entries.push_back({pair.first.Scalar(), pair.second, where});
      if (!seen.insert(entries.back().key).second)
        throw invalid_argument("{}: '{}' is given twice", where, entries.back().key);
    }
  } catch (const YAML::Exception& error) {
    throw invalid_argument("{}:{}: not YAML: {}", path.string(), error.mark.line + 1, error.msg);
  }
  return entries;
}

YamlEntry parse_override(std::string_view text) {
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0)
    throw invalid_argument("argument '{}': must have the form key=value", text);
  const std::string where = fmt::format("argument '{}'", text);
  try {
    return {std::string(text.substr(0, equals)), YAML::Load(std::string(text.substr(equals + 1))), where};
  } catch (const YAML::Exception& error) {
    throw invalid_argument("{}: the value is not YAML: {}", where, error.msg);
  }
}

std::string yaml_string(const YamlEntry& entry) { return scalar(entry, "a text"); }

bool yaml_bool(const YamlEntry& entry) {
  const std::string text = scalar(entry, "true or false");
  bool value = false;
  if (!YAML::convert<bool>::decode(entry.value, value))
    throw invalid_argument("{}: '{}' must be true or false, found '{}'", entry.where, entry.key, text);
  return value;
}

int64_t yaml_int(const YamlEntry& entry, int64_t least, int64_t most) {
  const std::string text = scalar(entry, "a whole number");
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    throw invalid_argument("{}: '{}' must be a whole number, found '{}'", entry.where, entry.key, text);
  if (value < least || value > most)
    throw invalid_argument("{}: '{}' is {}, must be from {} to {}", entry.where, entry.key, value, least, most);
  return value;
}

double yaml_float(const YamlEntry& entry, double least, double most) {
  const std::string text = scalar(entry, "a number");
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    throw invalid_argument("{}: '{}' must be a number, found '{}'", entry.where, entry.key, text);
  if (value < least || value > most)
    throw invalid_argument("{}: '{}' is {}, must be from {} to {}", entry.where, entry.key, text, least, most);
  return value;
}

std::vector<std::string> yaml_strings(const YamlEntry& entry) {
  std::vector<std::string> strings;
  if (entry.is_null()) return strings;
  if (!entry.value.IsSequence()) return {scalar(entry, "a text or a list of texts")};
  for (const YAML::Node& item : entry.value) {
    if (!item.IsScalar())
      throw invalid_argument("{}: '{}' must be a list of texts, one is {}", entry.where, entry.key, type_name(item));
    strings.push_back(item.Scalar());
  }
  return strings;
}

}  // namespace hearth
