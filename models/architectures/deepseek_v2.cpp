// DeepSeek-V2 and V2-Lite (arXiv 2405.04434; transformers' DeepseekV2ForCausalLM). Keys and values are expanded before
// they are cached, values padded to the length of keys.
#include "models/architectures/deepseek_v2.h"

#include <algorithm>
#include <cmath>

#include "models/decoder.h"
#include "models/gguf_keys.h"
#include "models/registry.h"
#include "runtime/base/error.h"
#include "runtime/io/gguf.h"
#include "runtime/io/untrusted.h"

namespace hearth {
namespace {

// q and k of a head: a part without positions, then a part with rope, whose k is the same for all heads.
class LatentAttention : public Attention {
 public:
  explicit LatentAttention(const LayerContext& at)
      : heads_(at.config.num_attention_heads),
        size_(at.config.latent),
        spec_(at.attention_spec()),
        rope_(at.rope),
        kv_a_(at.linear("self_attn.kv_a_proj_with_mqa", size_.kv_lora_rank + size_.qk_rope_head_dim,
                        at.config.hidden_size, at.config.attention_bias)),
        kv_a_norm_(at.load.norm(at.name + "self_attn.kv_a_layernorm", size_.kv_lora_rank, kLatentNorm)),
        kv_b_(at.linear("self_attn.kv_b_proj", heads_ * (size_.qk_nope_head_dim + size_.v_head_dim), size_.kv_lora_rank,
                        false)),
        q_(size_.q_lora_rank > 0 ? at.linear("self_attn.q_b_proj", at.q_size(), size_.q_lora_rank, false)
                                 : at.linear("self_attn.q_proj", at.q_size(), at.config.hidden_size, false)),
        output_(at.linear("self_attn.o_proj", at.config.hidden_size, heads_ * size_.v_head_dim,
                          at.config.attention_output_bias)) {
    if (size_.q_lora_rank == 0) return;
    q_a_ = at.linear("self_attn.q_a_proj", size_.q_lora_rank, at.config.hidden_size, at.config.attention_bias);
    q_a_norm_ = at.load.norm(at.name + "self_attn.q_a_layernorm", size_.q_lora_rank, kLatentNorm);
  }

  Tensor operator()(const Tensor& x, const Batch& batch, int layer) const override {
    const int64_t nope = size_.qk_nope_head_dim, rotated = size_.qk_rope_head_dim, value = size_.v_head_dim;
    Tensor q = q_(q_a_ ? (*q_a_norm_)((*q_a_)(x, batch)) : x, batch);  // [tokens, heads * (nope + rotated)]
    q = ops::join_columns(ops::columns(q, heads_, 0, nope),
                          ops::rope(ops::columns(q, heads_, nope, rotated), batch, *rope_), heads_);

    const Tensor latent = kv_a_(x, batch);  // [tokens, rank + rotated]
    const Tensor kv =
        kv_b_(kv_a_norm_(ops::columns(latent, 1, 0, size_.kv_lora_rank)), batch);  // [tokens, heads * (nope + value)]
    const Tensor k_rotated = ops::rope(ops::columns(latent, 1, size_.kv_lora_rank, rotated), batch, *rope_);
    const Tensor k = ops::join_shared_columns(ops::columns(kv, heads_, 0, nope), k_rotated, heads_);
    Tensor v = ops::columns(kv, heads_, nope, value);
    if (value < nope + rotated) v = ops::join_shared_columns(v, Tensor({x.rows(), nope + rotated - value}), heads_);

    const Tensor y = ops::attention(q, k, v, batch, layer, spec_);
    return output_(ops::columns(y, heads_, 0, value), batch);
  }

 private:
  static constexpr NormConfig kLatentNorm = {.eps = 1e-6f};  // whatever rms_norm_eps is

  int heads_;
  LatentAttentionConfig size_;
  ops::AttentionSpec spec_;
  std::shared_ptr<const Rope> rope_;
  Linear kv_a_;
  Norm kv_a_norm_;
  Linear kv_b_, q_, output_;
  std::optional<Linear> q_a_;
  std::optional<Norm> q_a_norm_;
};

// What follows from the lengths of a head's parts.
void complete_latent(ModelConfig& c) {
  const LatentAttentionConfig& latent = c.latent;
  c.num_key_value_heads = c.num_attention_heads;
  c.head_dim = static_cast<int>(latent.qk_nope_head_dim + latent.qk_rope_head_dim);
  c.rotary_dim = static_cast<int>(latent.qk_rope_head_dim);
  // Not for the default rope.
  const double m = c.rope.mscale_all_dim == 0 ? 1 : yarn_mscale(c.rope.factor, c.rope.mscale_all_dim);
  c.attention_scale = static_cast<float>(m * m / std::sqrt(static_cast<double>(c.head_dim)));
}

void check_value_length(const LatentAttentionConfig& latent, const std::string& place) {
  if (latent.v_head_dim > latent.qk_nope_head_dim + latent.qk_rope_head_dim)
    throw invalid_argument("{}: values of {} are longer than keys of {} + {}, which hearth does not support", place,
                           latent.v_head_dim, latent.qk_nope_head_dim, latent.qk_rope_head_dim);
}

void set_family(ModelConfig& config) { config.rope_pairs = RopePairs::kNeighbours; }

void configure(const ConfigReader& json, ModelConfig& config) {
  configure_deepseek(json, config);
  const std::string method = json.text("topk_method").value_or("greedy");
  if (method == "greedy") {
    config.mixture.n_group = config.mixture.topk_group = 1;
  } else if (method != "group_limited_greedy") {
    throw invalid_argument("{}: topk_method is '{}', hearth has greedy and group_limited_greedy", json.place(),
                           printable(method));
  }
}

std::unique_ptr<const DecoderLayer> make_layer(const LayerContext& at) {
  static const MixtureNames kNames = {
      .shared_expert = "mlp.shared_experts", .shared_expert_gate = "", .choice_bias = ""};
  return pre_norm_layer(at, latent_attention(at), mixture_or_mlp(at, kNames));
}

}  // namespace

void configure_deepseek(const ConfigReader& json, ModelConfig& config) {
  LatentAttentionConfig& latent = config.latent;
  latent.q_lora_rank = json.integer("q_lora_rank", 1, kWidest).value_or(0);
  latent.kv_lora_rank = json.required_integer("kv_lora_rank", 1, kWidest);
  latent.qk_nope_head_dim = json.required_integer("qk_nope_head_dim", 1, kWidestHead);
  latent.qk_rope_head_dim = json.required_integer("qk_rope_head_dim", 1, kWidestHead);
  latent.v_head_dim = json.required_integer("v_head_dim", 1, kWidestHead);
  check_value_length(latent, json.place());
  complete_latent(config);
  config.attention_bias = config.attention_output_bias = json.boolean("attention_bias").value_or(false);
  config.mlp_bias = json.boolean("mlp_bias").value_or(false);

  MixtureConfig& mixture = config.mixture;
  mixture.num_experts = static_cast<int>(json.required_integer("n_routed_experts", 1, kMostExperts));
  mixture.num_experts_per_tok = static_cast<int>(json.required_integer("num_experts_per_tok", 1, kMostExperts));
  mixture.moe_intermediate_size = json.required_integer("moe_intermediate_size", 1, kWidest);
  mixture.shared_expert_intermediate_size =
      json.integer("n_shared_experts", 0, kMostExperts).value_or(0) * mixture.moe_intermediate_size;
  mixture.routed_scaling_factor = static_cast<float>(json.number("routed_scaling_factor", 1e-6, 1e6).value_or(1));
  mixture.n_group = static_cast<int>(json.integer("n_group", 1, kMostExperts).value_or(1));
  mixture.topk_group = static_cast<int>(json.integer("topk_group", 1, kMostExperts).value_or(1));
  const int64_t first = json.integer("first_k_dense_replace", 0, kMostLayers).value_or(0);
  mixture.layers.resize(config.num_hidden_layers);
  for (int i = 0; i < config.num_hidden_layers; ++i) mixture.layers[i] = i >= first;
}

void configure_deepseek_gguf(const GgufKeys& keys, ModelConfig& config) {
  LatentAttentionConfig& latent = config.latent;
  latent.q_lora_rank = keys.integer("attention.q_lora_rank", 1, kWidest).value_or(0);
  latent.kv_lora_rank = keys.required_integer("attention.kv_lora_rank", 1, kWidest);
  latent.qk_rope_head_dim = keys.required_integer("rope.dimension_count", 1, kWidestHead);
  // Newer files give key_length and value_length of the latent vectors.
  const bool is_newer = keys.integer("attention.key_length_mla", 1, kWidestHead).has_value();
  const int64_t key =
      keys.required_integer(is_newer ? "attention.key_length_mla" : "attention.key_length", 1, kWidestHead);
  latent.v_head_dim =
      keys.required_integer(is_newer ? "attention.value_length_mla" : "attention.value_length", 1, kWidestHead);
  if (key <= latent.qk_rope_head_dim)
    throw data_corruption("{}: keys of {} with {} rotated dimensions", keys.place(), key, latent.qk_rope_head_dim);
  latent.qk_nope_head_dim = key - latent.qk_rope_head_dim;
  check_value_length(latent, keys.place());
  complete_latent(config);

  read_experts(keys, config);
  MixtureConfig& mixture = config.mixture;
  mixture.shared_expert_intermediate_size =
      keys.integer("expert_shared_count", 0, kMostExperts).value_or(0) * mixture.moe_intermediate_size;
  mixture.routed_scaling_factor = static_cast<float>(keys.number("expert_weights_scale", 1e-6, 1e6).value_or(1));
  mixture.norm_topk_prob = keys.boolean("expert_weights_norm").value_or(false);
  mixture.n_group = static_cast<int>(keys.integer("expert_group_count", 1, kMostExperts).value_or(1));
  mixture.topk_group = static_cast<int>(keys.integer("expert_group_used_count", 1, kMostExperts).value_or(1));
}

// The form with kv_b in one tensor, which llama.cpp reads beside that of the latent vectors.
void describe_deepseek(const ModelConfig& config, GgufKeyWriter& keys) {
  const LatentAttentionConfig& latent = config.latent;
  keys.integer("attention.value_length", latent.v_head_dim);
  if (latent.q_lora_rank > 0) keys.integer("attention.q_lora_rank", latent.q_lora_rank);
  keys.integer("attention.kv_lora_rank", latent.kv_lora_rank);
  if (config.rope.mscale_all_dim != 0)
    keys.number("rope.scaling.yarn_log_multiplier", 0.1 * config.rope.mscale_all_dim);

  const MixtureConfig& mixture = config.mixture;
  keys.integer("leading_dense_block_count", std::count(mixture.layers.begin(), mixture.layers.end(), false));
  keys.integer("expert_feed_forward_length", mixture.moe_intermediate_size);
  keys.integer("expert_shared_count", mixture.shared_expert_intermediate_size / mixture.moe_intermediate_size);
  keys.number("expert_weights_scale", mixture.routed_scaling_factor);
  if (mixture.norm_topk_prob) keys.boolean("expert_weights_norm", true);
  if (mixture.n_group > 1) {
    keys.integer("expert_group_count", mixture.n_group);
    keys.integer("expert_group_used_count", mixture.topk_group);
  }
  keys.integer("expert_gating_func", mixture.sigmoid_scores ? kSigmoidGating : kSoftmaxGating);
}

std::unique_ptr<const Attention> latent_attention(const LayerContext& at) {
  return std::make_unique<LatentAttention>(at);
}

void restore_kv_b(WeightSource& source, const ModelConfig& c) {
  const int64_t heads = c.num_attention_heads, rank = c.latent.kv_lora_rank;
  const int64_t nope = c.latent.qk_nope_head_dim, value = c.latent.v_head_dim;
  for (int i = 0; i < c.num_hidden_layers; ++i) {
    const std::string keys = fmt::format("blk.{}.attn_k_b.weight", i),
                      values = fmt::format("blk.{}.attn_v_b.weight", i);
    if (!source.has(keys)) continue;
    source.flatten(keys);
    source.flatten(values);
    const Weight k = source.matrix(keys, heads * rank, nope), v = source.matrix(values, heads * value, rank);
    std::vector<float> k_rows(heads * rank * nope), joined(heads * (nope + value) * rank);
    k.dequantize_rows(0, heads * rank, k_rows.data());
    for (int64_t h = 0; h < heads; ++h) {
      float* rows = joined.data() + h * (nope + value) * rank;
      for (int64_t r = 0; r < rank; ++r)
        for (int64_t d = 0; d < nope; ++d) rows[d * rank + r] = k_rows[(h * rank + r) * nope + d];
      v.dequantize_rows(h * value, (h + 1) * value, rows + nope * rank);
    }
    source.put(fmt::format("model.layers.{}.self_attn.kv_b_proj.weight", i), {heads * (nope + value), rank},
               std::move(joined));
  }
}

constinit const Architecture kDeepseekV2 = {.name = "deepseek_v2",
                                            .hugging_face = "DeepseekV2ForCausalLM",
                                            .family = set_family,
                                            .configure = configure,
                                            .make_layer = make_layer,
                                            .gguf = {.name = "deepseek2",
                                                     .layer_names = kDeepseekLayerNames,
                                                     .configure = configure_deepseek_gguf,
                                                     .describe = describe_deepseek,
                                                     .restore = restore_kv_b}};

}  // namespace hearth
