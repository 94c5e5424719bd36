// GLM-4 9B: a llama with rope on neighbouring dimensions of half of each head, biases on q, k and v, gate and up in one
// matrix (arXiv 2406.12793; transformers' GlmForCausalLM). In GGUF it is called chatglm.
#include "models/architectures/glm.h"

#include <memory>
#include <string>

#include <fmt/format.h>

#include "models/decoder.h"
#include "models/registry.h"

namespace hearth {
namespace {

constexpr float kEps = 1.5625e-7f;
constexpr GgufName kLayerNames[] = {{"ffn_up", "mlp.gate_up_proj"}};

// Files made from the older checkpoints have q, k and v in one matrix.
void split_qkv(WeightSource& source, const ModelConfig& c) {
  const int64_t q = int64_t{c.num_attention_heads} * c.head_dim, kv = int64_t{c.num_key_value_heads} * c.head_dim;
  const auto rows = [&](int64_t begin, int64_t count) {
    auto order = std::make_shared<RowOrder>();
    order->file_rows = q + 2 * kv;
    for (int64_t i = 0; i < count; ++i) order->rows.push_back(begin + i);
    return order;
  };
  for (int i = 0; i < c.num_hidden_layers; ++i) {
    for (const char* kind : {"weight", "bias"}) {
      const std::string fused = fmt::format("blk.{}.attn_qkv.{}", i, kind);
      const auto name = [&](const char* part) { return fmt::format("model.layers.{}.self_attn.{}.{}", i, part, kind); };
      source.take_rows(fused, name("q_proj"), rows(0, q));
      source.take_rows(fused, name("k_proj"), rows(q, kv));
      source.take_rows(fused, name("v_proj"), rows(q + kv, kv));
      source.drop(fused);
    }
  }
}

std::unique_ptr<const DecoderLayer> make_layer(const LayerContext& at) {
  return pre_norm_layer(at, llama_attention(at), fused_gated_mlp(at));
}

}  // namespace

void set_glm_family(ModelConfig& config) {
  config.norm.eps = kEps;
  config.rope_pairs = RopePairs::kNeighbours;
  config.partial_rotary_factor = 0.5;
}

void configure_glm(const ConfigReader& json, ModelConfig& config) {
  constexpr int kDefaultHeadDim = 128;
  if (!json.has("head_dim")) config.head_dim = kDefaultHeadDim;
  config.attention_bias = json.boolean("attention_bias").value_or(true);
}

constinit const Architecture kGlm = {.name = "glm",
                                     .hugging_face = "GlmForCausalLM",
                                     .family = set_glm_family,
                                     .configure = configure_glm,
                                     .make_layer = make_layer,
                                     .gguf = {.name = "chatglm", .layer_names = kLayerNames, .restore = split_qkv}};

}  // namespace hearth
