// InternLM3: a llama that may have biases (its modeling_internlm3.py). In GGUF it is called llama.
#include "models/architectures/llama.h"
#include "models/config_reader.h"
#include "models/registry.h"

namespace hearth {
namespace {

void configure(const ConfigReader& json, ModelConfig& config) {
  config.attention_bias = json.boolean("qkv_bias").value_or(false);
  config.attention_output_bias = config.mlp_bias = json.boolean("bias").value_or(false);
}

}  // namespace

constinit const Architecture kInternLm3 = {
    .name = "internlm3",
    .hugging_face = "InternLM3ForCausalLM",
    .configure = configure,
    .make_layer = make_llama_layer,
    .gguf = {.name = "llama", .is_of = is_never_of, .restore = restore_interleaved_heads}};

}  // namespace hearth
