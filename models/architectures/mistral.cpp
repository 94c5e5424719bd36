// Mistral 7B and its kin: a llama whose attention reaches back sliding_window tokens in every layer (transformers'
// MistralForCausalLM). In GGUF they are called llama.
#include "models/architectures/llama.h"
#include "models/config_reader.h"
#include "models/registry.h"
#include "models/windows.h"

namespace hearth {
namespace {

void configure(const ConfigReader& json, ModelConfig& config) {
  constexpr int kDefaultWindow = 4096;  // null stands for none
  if (!json.states("sliding_window")) return set_windows(kDefaultWindow, config, [](int) { return true; });
  set_windows(json, config, [](int) { return true; });
}

}  // namespace

constinit const Architecture kMistral = {
    .name = "mistral",
    .hugging_face = "MistralForCausalLM",
    .configure = configure,
    .make_layer = make_llama_layer,
    .gguf = {.name = "llama", .is_of = is_never_of, .restore = restore_interleaved_heads}};

}  // namespace hearth
