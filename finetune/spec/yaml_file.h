// Strict reading of flat YAML files: every entry knows file and line, a value of the wrong type or out of range is an
// error that says so, and no key is given twice. What a scalar means is its reader's to say, so 1e-4 is a number
// though YAML 1.1 calls it a string. All functions throw kInvalidArgument.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <yaml-cpp/yaml.h>

namespace hearth {

struct YamlEntry {
  std::string key;
  const YAML::Node value;  // const, since assigning to a YAML::Node writes into every copy of it
  std::string where;       // "serve.yaml:3" or "argument 'port=1'"

  bool is_null() const { return !value.IsDefined() || value.IsNull(); }
};

// The entries of the mapping that the file consists of; none of an empty file.
std::vector<YamlEntry> read_yaml_entries(const std::filesystem::path& path);
// The same of the text of the file that errors call `name`.
std::vector<YamlEntry> parse_yaml_entries(std::string_view text, std::string_view name);
// `entries` with "key=value" of the command line, the value as YAML reads it. Later ones win over earlier ones and over
// the file; a mapping, or "key.inner=value", only over what it names of a mapping.
std::vector<YamlEntry> with_overrides(std::vector<YamlEntry> entries, std::span<const std::string> overrides);
// The entries as the text of a file, which reads back as the same.
std::string yaml_text(const std::vector<YamlEntry>& entries);

std::string yaml_string(const YamlEntry& entry);
bool yaml_bool(const YamlEntry& entry);
int64_t yaml_int(const YamlEntry& entry, int64_t least, int64_t most);
double yaml_float(const YamlEntry& entry, double least, double most);
// A list of strings, or one string.
std::vector<std::string> yaml_strings(const YamlEntry& entry);
// A list of strings, or one string with commas between them.
std::vector<std::string> yaml_comma_list(const YamlEntry& entry);
// A mapping from names to values, each an entry of its own; also as a text of JSON.
std::vector<YamlEntry> yaml_mapping(const YamlEntry& entry);

// The parts between commas, without the blanks around them; empty ones are left out.
std::vector<std::string> split_at_commas(std::string_view text);

}  // namespace hearth
