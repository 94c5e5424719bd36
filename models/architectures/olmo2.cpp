// OLMo 2: norms after attention and MLP instead of before, and over the whole of q and of k (arXiv 2501.00656;
// transformers' Olmo2ForCausalLM).
#include "models/config_reader.h"
#include "models/decoder.h"
#include "models/registry.h"

namespace hearth {
namespace {

constexpr GgufName kLayerNames[] = {{"post_attention_norm", "post_attention_layernorm"},
                                    {"post_ffw_norm", "post_feedforward_layernorm"}};

// y = x + norm(attention(x)); y + norm(feed_forward(y))
class Olmo2Layer : public DecoderLayer {
 public:
  explicit Olmo2Layer(const LayerContext& at)
      : attention_(llama_attention(at, at.load.norm(at.name + "self_attn.q_norm", at.q_size(), at.config.norm),
                                   at.load.norm(at.name + "self_attn.k_norm", at.kv_size(), at.config.norm))),
        attention_norm_(at.norm("post_attention_layernorm")),
        mlp_(gated_mlp(at)),
        mlp_norm_(at.norm("post_feedforward_layernorm")) {}

  Tensor forward(const Tensor& x, const Batch& batch, int layer) const override {
    const Tensor y = ops::add(x, attention_norm_((*attention_)(x, batch, layer)));
    return ops::add(y, mlp_norm_((*mlp_)(y, batch)));
  }

 private:
  std::unique_ptr<const Attention> attention_;
  Norm attention_norm_;
  std::unique_ptr<const FeedForward> mlp_;
  Norm mlp_norm_;
};

void set_family(ModelConfig& config) { config.norm.eps = 1e-5f; }

void configure(const ConfigReader& json, ModelConfig& config) {
  config.attention_bias = config.attention_output_bias = json.boolean("attention_bias").value_or(false);
}

std::unique_ptr<const DecoderLayer> make_layer(const LayerContext& at) { return std::make_unique<Olmo2Layer>(at); }

}  // namespace

constinit const Architecture kOlmo2 = {.name = "olmo2",
                                       .hugging_face = "Olmo2ForCausalLM",
                                       .family = set_family,
                                       .configure = configure,
                                       .make_layer = make_layer,
                                       .gguf = {.name = "olmo2", .layer_names = kLayerNames}};

}  // namespace hearth
