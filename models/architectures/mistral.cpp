// Mistral 7B and its kin: a llama whose attention reaches back sliding_window tokens (transformers'
// MistralForCausalLM). In GGUF they are called llama.
#include "models/architectures/llama.h"
#include "models/config_reader.h"
#include "models/model_config.h"
#include "models/registry.h"

namespace hearth {
namespace {

void configure(const ConfigReader& json, ModelConfig& config) {
  config.sliding_window = static_cast<int>(json.integer("sliding_window", 1, INT32_MAX).value_or(0));
}

}  // namespace

constinit const Architecture kMistral = {"mistral", "MistralForCausalLM", true, configure, make_llama};

}  // namespace hearth
