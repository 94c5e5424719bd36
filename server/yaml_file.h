// Strict reading of flat YAML files: every entry knows file and line, a value of the wrong type or out of range is an
// error that says so, and no key is given twice. All functions throw kInvalidArgument.
#pragma once

#include <cstdint>
#include <filesystem>
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
// "key=value" of the command line, the value as YAML reads it.
YamlEntry parse_override(std::string_view text);

std::string yaml_string(const YamlEntry& entry);
bool yaml_bool(const YamlEntry& entry);
int64_t yaml_int(const YamlEntry& entry, int64_t least, int64_t most);
double yaml_float(const YamlEntry& entry, double least, double most);
// A list of strings, or one string.
std::vector<std::string> yaml_strings(const YamlEntry& entry);

}  // namespace hearth
