// Qwen2 and Qwen2.5: a llama whose q, k and v have biases (transformers' Qwen2ForCausalLM).
#include "models/architectures/llama.h"
#include "models/config_reader.h"
#include "models/registry.h"
#include "models/windows.h"

namespace hearth {
namespace {

void configure(const ConfigReader& json, ModelConfig& config) {
  config.attention_bias = true;
  set_qwen_windows(json, config);
}

}  // namespace

constinit const Architecture kQwen2 = {.name = "qwen2",
                                       .hugging_face = "Qwen2ForCausalLM",
                                       .configure = configure,
                                       .make_layer = make_llama_layer,
                                       .gguf = {.name = "qwen2"}};

}  // namespace hearth
