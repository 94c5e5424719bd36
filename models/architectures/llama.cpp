#include "models/architectures/llama.h"

#include "models/config_reader.h"
#include "models/decoder.h"
#include "models/registry.h"

namespace hearth {
namespace {

class LlamaLayer : public DecoderLayer {
 public:
  LlamaLayer(const ModelConfig& c, std::shared_ptr<const Rope> rope, const std::string& name, LayerLoader& load)
      : rope_(std::move(rope)),
        attention_(attention_spec(c)),
        input_norm_(load.rms_norm(name + "input_layernorm", c.hidden_size, c.rms_norm_eps)),
        qkv_(load_qkv(c, name, load)),
        output_(load_attention_output(c, name, load)),
        post_attention_norm_(load.rms_norm(name + "post_attention_layernorm", c.hidden_size, c.rms_norm_eps)),
        mlp_(load_mlp(c, name, load)) {}

  Tensor forward(const Tensor& x, const Batch& batch, int layer) const override {
    auto [q, k, v] = qkv_(input_norm_(x));  // [tokens, {num_heads, num_kv_heads, num_kv_heads} * head_dim]
    q = ops::rope(q, batch, *rope_);
    k = ops::rope(k, batch, *rope_);
    const Tensor y = ops::add(x, output_(ops::attention(q, k, v, batch, layer, attention_)));
    return ops::add(y, mlp_(post_attention_norm_(y)));
  }

 private:
  std::shared_ptr<const Rope> rope_;
  ops::AttentionSpec attention_;
  RmsNorm input_norm_;
  QkvProjection qkv_;
  Linear output_;
  RmsNorm post_attention_norm_;
  GatedMlp mlp_;
};

void configure(const ConfigReader& json, ModelConfig& config) {
  config.attention_bias = config.attention_output_bias = json.boolean("attention_bias").value_or(false);
  config.mlp_bias = json.boolean("mlp_bias").value_or(false);
}

}  // namespace

std::unique_ptr<const LanguageModel> make_llama(const ModelConfig& config, LayerLoader& load) {
  return make_decoder<LlamaLayer>(config, load);
}

constinit const Architecture kLlama = {"llama", "LlamaForCausalLM", true, configure, make_llama};

}  // namespace hearth
