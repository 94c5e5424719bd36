// Every option of the daemon, each in one line of one table: a key of the YAML, HEARTH_<FLAG> of the environment and
// --flag of the command line are the same option, read by the same function with the same bounds. The command line wins
// over the environment, and that over the file. Every function throws kInvalidArgument, and names where the value was.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "finetune/spec/yaml_file.h"
#include "server/config.h"

namespace hearth {

enum class OptionGroup { kModels, kNetwork, kLimits, kOperation };
std::string_view group_title(OptionGroup group);  // a heading of the help

struct ServeOption {
  OptionGroup group;
  std::string_view key;       // "api_keys", in the YAML
  std::string_view flag;      // "--api-key", or "-p,--port"; HEARTH_API_KEY in the environment
  std::string_view argument;  // what stands for the value in the help: "KEY"
  std::string_view help;
  void (*apply)(const YamlEntry& entry, ServeConfig& config);  // replaces what an earlier source said
  bool is_list = false;  // repeatable on the command line, separated by commas in the environment

  std::string long_flag() const;    // "--api-key"
  std::string environment() const;  // "HEARTH_API_KEY"
};

std::span<const ServeOption> serve_options();
// The option with this key; it must be one.
const ServeOption& serve_option(std::string_view key);

// Strict: an unknown key is an error that names file, line and the nearest known key.
ServeConfig load_serve_config(const std::filesystem::path& path);

// What is set beside the file. `values` is one text unless the option is a list; `where` is what errors call the place.
void set_option(const ServeOption& option, const std::vector<std::string>& values, std::string_view where,
                ServeConfig& config);

// The variables HEARTH_<FLAG> that are set and not empty; others that begin with HEARTH_ are not its business.
void apply_environment(ServeConfig& config);
// For `hearth api`, whose models the YAML names: those of all groups but kModels, and then LLaMA-Factory's own
// API_HOST, API_PORT, API_KEY, API_MODEL_NAME, API_CORS_ORIGINS.
void apply_api_environment(ServeConfig& config);

}  // namespace hearth
