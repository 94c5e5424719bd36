// Qwen3: a llama that normalises every head of q and k before it rotates them (transformers' Qwen3ForCausalLM).
#include "models/architectures/qwen2.h"
#include "models/config_reader.h"
#include "models/decoder.h"
#include "models/registry.h"

namespace hearth {
namespace {

class Qwen3Layer : public DecoderLayer {
 public:
  Qwen3Layer(const ModelConfig& c, std::shared_ptr<const Rope> rope, const std::string& name, LayerLoader& load)
      : rope_(std::move(rope)),
        attention_(attention_spec(c)),
        input_norm_(load.rms_norm(name + "input_layernorm", c.hidden_size, c.rms_norm_eps)),
        qkv_(load_qkv(c, name, load)),
        q_norm_(load.rms_norm(name + "self_attn.q_norm", c.head_dim, c.rms_norm_eps)),
        k_norm_(load.rms_norm(name + "self_attn.k_norm", c.head_dim, c.rms_norm_eps)),
        output_(load_attention_output(c, name, load)),
        post_attention_norm_(load.rms_norm(name + "post_attention_layernorm", c.hidden_size, c.rms_norm_eps)),
        mlp_(load_mlp(c, name, load)) {}

  Tensor forward(const Tensor& x, const Batch& batch, int layer) const override {
    auto [q, k, v] = qkv_(input_norm_(x));  // [tokens, {num_heads, num_kv_heads, num_kv_heads} * head_dim]
    q = ops::rope(q_norm_(q), batch, *rope_);
    k = ops::rope(k_norm_(k), batch, *rope_);
    const Tensor y = ops::add(x, output_(ops::attention(q, k, v, batch, layer, attention_)));
    return ops::add(y, mlp_(post_attention_norm_(y)));
  }

 private:
  std::shared_ptr<const Rope> rope_;
  ops::AttentionSpec attention_;
  RmsNorm input_norm_;
  QkvProjection qkv_;
  RmsNorm q_norm_, k_norm_;
  Linear output_;
  RmsNorm post_attention_norm_;
  GatedMlp mlp_;
};

void configure(const ConfigReader& json, ModelConfig& config) {
  constexpr int kDefaultHeadDim = 128;  // whatever hidden_size is
  if (!json.has("head_dim")) config.head_dim = kDefaultHeadDim;
  config.attention_bias = config.attention_output_bias = json.boolean("attention_bias").value_or(false);
  read_qwen_window(json, config);
}

}  // namespace

constinit const Architecture kQwen3 = {"qwen3", "Qwen3ForCausalLM", false, configure, make_decoder<Qwen3Layer>};

}  // namespace hearth
