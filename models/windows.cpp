#include "models/windows.h"

#include <algorithm>

#include "models/gguf_keys.h"
#include "runtime/base/error.h"
#include "runtime/io/untrusted.h"

namespace hearth {

void set_windows(int window, ModelConfig& config, const std::function<bool(int layer)>& slides) {
  config.windows.resize(config.num_hidden_layers);
  for (int i = 0; i < config.num_hidden_layers; ++i) config.windows[i] = slides(i) ? window : 0;
}

void set_windows(const ConfigReader& json, ModelConfig& config, const std::function<bool(int layer)>& slides) {
  const int window = static_cast<int>(json.integer("sliding_window", 1, kMostPositions).value_or(0));
  const std::vector<std::string> types = json.texts("layer_types");
  if (types.empty()) return set_windows(window, config, slides);
  if (types.size() != static_cast<size_t>(config.num_hidden_layers))
    throw invalid_argument("{}: layer_types has {} entries for {} layers", json.place(), types.size(),
                           config.num_hidden_layers);
  for (const std::string& type : types) {
    if (type != "sliding_attention" && type != "full_attention")
      throw invalid_argument(
          "{}: layer type '{}' is not one that hearth has; it has full_attention and sliding_attention", json.place(),
          printable(type));
  }
  set_windows(window, config, [&](int layer) { return types[layer] == "sliding_attention"; });
}

void describe_window(const ModelConfig& config, GgufKeyWriter& keys) {
  const auto largest = std::max_element(config.windows.begin(), config.windows.end());
  keys.integer("attention.sliding_window", largest == config.windows.end() ? 0 : *largest);
}

void set_qwen_windows(const ConfigReader& json, ModelConfig& config) {
  if (!json.boolean("use_sliding_window").value_or(false)) return;
  const int64_t first = json.integer("max_window_layers", 0, kMostLayers).value_or(28);
  set_windows(json, config, [&](int layer) { return layer >= first; });
}

}  // namespace hearth
