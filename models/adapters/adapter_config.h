// adapter_config.json of a LoRA adapter as peft writes it (0.18 to 0.21: tuners/lora/config.py, whose names these are),
// and the rules by which it picks linear maps and their ranks (tuners/tuners_utils.py, utils/other.py). What is not
// implemented is refused by its key; nothing is left out silently.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/tokenizer/regex.h"

namespace hearth {

// Module paths by their last components ("q_proj", "self_attn.q_proj", a whole path), or by an expression that matches
// the whole path.
struct ModuleNames {
  std::vector<std::string> suffixes;
  std::optional<std::string> expression;
};

// What hearth writes into adapter_config.json besides peft's keys, which ignores it: how the adapter came to be.
struct AdapterOrigin {
  std::string stage;      // "dpo"
  std::string start;      // the adapters that training went on from; empty: a new one
  std::string reference;  // the model that losses compared with; empty: none
};

struct AdapterConfig {
  std::string base_model_name_or_path;
  int rank = 8;
  double alpha = 8;
  double dropout = 0;
  ModuleNames target_modules;                // the expression "all-linear": every linear map
  ModuleNames exclude_modules;               // wins over target_modules
  std::vector<int64_t> layers_to_transform;  // empty: all
  std::vector<std::string> layers_pattern;   // what the list of layers is called; empty: anything
  std::vector<std::string> modules_to_save;  // trained and saved in full
  // Expressions for the end of a path; the first that matches counts.
  std::vector<std::pair<std::string, int>> rank_pattern;
  std::vector<std::pair<std::string, double>> alpha_pattern;
  bool use_rslora = false, use_dora = false;
  bool fan_in_fan_out = false;  // the base's matrices lie [in, out] (GPT-2's Conv1D); an adapter's never do
  // PiSSA: the base lacks its principal part. Subspace iterations of the fast SVD, or -1: the exact one.
  std::optional<int> pissa_iterations;
  std::optional<AdapterOrigin> origin;  // written, not read
};

// Reads `directory`/adapter_config.json. Throws kNotFound, kDataCorruption, or kInvalidArgument naming file and key.
AdapterConfig read_adapter_config(const std::filesystem::path& directory);

// The file's text, with the keys of peft 0.18, sorted.
std::string to_json(const AdapterConfig& config);

// Which linear maps a config means, by their module paths ("model.layers.0.self_attn.q_proj").
class AdapterRules {
 public:
  // Throws kDataCorruption for an expression that cannot be compiled. `config` must outlive the rules.
  explicit AdapterRules(const AdapterConfig& config);

  bool targets(std::string_view path) const;
  int rank(std::string_view path) const;
  float scale(std::string_view path) const;  // alpha / rank, or alpha / sqrt(rank)

 private:
  bool in_chosen_layer(std::string_view path) const;

  const AdapterConfig& config_;
  std::optional<Regex> target_, exclude_;
  std::vector<Regex> layers_;  // each up to the layer's number
  std::vector<std::pair<Regex, int>> ranks_;
  std::vector<std::pair<Regex, double>> alphas_;
};

// Whether `path` is `suffix` or ends in it after a dot.
bool ends_in_module(std::string_view path, std::string_view suffix);
// Whether `module` is a run of whole components of `path`: what modules_to_save means by it.
bool has_module(std::string_view path, std::string_view module);

}  // namespace hearth
