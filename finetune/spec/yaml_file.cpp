#include "finetune/spec/yaml_file.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <set>
#include <utility>

#include <fmt/format.h>

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

// `where` says where a key stands.
std::vector<YamlEntry> entries_of(const YAML::Node& mapping,
                                  const std::function<std::string(const YAML::Node& key)>& where) {
  std::vector<YamlEntry> entries;
  std::set<std::string> seen;
  for (const auto& pair : mapping) {
    if (!pair.first.IsScalar())
      throw invalid_argument("{}: a key must be a name, found {}", where(pair.first), type_name(pair.first));
    entries.push_back({pair.first.Scalar(), pair.second, where(pair.first)});
    if (!seen.insert(entries.back().key).second)
      throw invalid_argument("{}: '{}' is given twice", entries.back().where, entries.back().key);
  }
  return entries;
}

YamlEntry parse_override(std::string_view text) {
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0)
    throw invalid_argument("argument '{}': must have the form key=value", text);
  const std::string where = fmt::format("argument '{}'", text);
  const std::string key(text.substr(0, equals));
  try {
    const YAML::Node value = YAML::Load(std::string(text.substr(equals + 1)));
    const size_t dot = key.find('.');
    if (dot == std::string::npos) return {key, value, where};
    YAML::Node mapping;
    mapping[key.substr(dot + 1)] = value;
    return {key.substr(0, dot), mapping, where};
  } catch (const YAML::Exception& error) {
    throw invalid_argument("{}: the value is not YAML: {}", where, error.msg);
  }
}

// What both mappings name is the second's; anything else but two mappings is the second.
YAML::Node merge(const YamlEntry& first, const YamlEntry& second) {
  if (!first.value.IsMap() || !second.value.IsMap()) return second.value;
  YAML::Node merged(YAML::NodeType::Map);
  for (const YamlEntry* entry : {&first, &second})
    for (const YamlEntry& inner : yaml_mapping(*entry)) merged[inner.key] = inner.value;
  return merged;
}

}  // namespace

std::vector<YamlEntry> read_yaml_entries(const std::filesystem::path& path) {
  return parse_yaml_entries(read_file(path, kMaxFileBytes), path.string());
}

std::vector<YamlEntry> parse_yaml_entries(std::string_view text, std::string_view name) {
  try {
    const YAML::Node root = YAML::Load(std::string(text));
    if (!root.IsDefined() || root.IsNull()) return {};
    if (!root.IsMap()) throw invalid_argument("{}: must be a mapping (key: value), found {}", name, type_name(root));
    return entries_of(root, [&](const YAML::Node& key) { return fmt::format("{}:{}", name, key.Mark().line + 1); });
  } catch (const YAML::Exception& error) {
    throw invalid_argument("{}:{}: not YAML: {}", name, error.mark.line + 1, error.msg);
  }
}

std::vector<YamlEntry> with_overrides(std::vector<YamlEntry> entries, std::span<const std::string> overrides) {
  for (const std::string& text : overrides) {
    const YamlEntry given = parse_override(text);
    YAML::Node value = given.value;
    std::vector<YamlEntry> kept;
    for (const YamlEntry& entry : entries)
      if (entry.key == given.key)
        value.reset(merge(entry, given));
      else
        kept.push_back(entry);
    kept.push_back({given.key, value, given.where});
    entries = std::move(kept);
  }
  return entries;
}

std::string yaml_text(const std::vector<YamlEntry>& entries) {
  YAML::Emitter out;
  out << YAML::BeginMap;
  for (const YamlEntry& entry : entries) out << YAML::Key << entry.key << YAML::Value << entry.value;
  out << YAML::EndMap;
  return std::string(out.c_str()) + "\n";
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

std::vector<std::string> yaml_comma_list(const YamlEntry& entry) {
  return entry.value.IsScalar() ? split_at_commas(entry.value.Scalar()) : yaml_strings(entry);
}

std::vector<YamlEntry> yaml_mapping(const YamlEntry& entry) {
  YAML::Node mapping = entry.value;
  if (mapping.IsScalar() && mapping.Scalar().starts_with("{")) {
    try {
      mapping.reset(YAML::Load(mapping.Scalar()));
    } catch (const YAML::Exception& error) {
      throw invalid_argument("{}: '{}' is not JSON: {}", entry.where, entry.key, error.msg);
    }
  }
  if (!mapping.IsMap())
    throw invalid_argument("{}: '{}' must be a mapping, found {}", entry.where, entry.key, type_name(mapping));
  return entries_of(mapping, [&](const YAML::Node&) { return fmt::format("{}: in '{}'", entry.where, entry.key); });
}

std::vector<std::string> split_at_commas(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t end = std::min(text.find(','), text.size());
    std::string_view part = text.substr(0, end);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    if (!part.empty()) parts.emplace_back(part);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

}  // namespace hearth
