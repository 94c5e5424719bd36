#include "models/config_difference.h"

#include <algorithm>
#include <cmath>
#include <variant>
#include <vector>

namespace hearth {
namespace {

bool close(double a, double b) { return std::fabs(a - b) <= 1e-6 * std::max(std::fabs(a), std::fabs(b)); }

bool all_close(const std::vector<float>& a, const std::vector<float>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), close);
}

// Of the layers with a window or of the others.
Rope rope_of(const ModelConfig& c, bool slides) {
  return make_rope(slides && c.sliding_rope ? *c.sliding_rope : c.rope, c.head_dim, c.rotary_dim);
}

bool same_rope(const ModelConfig& a, const ModelConfig& b, bool slides) {
  if (a.rotary_dim != b.rotary_dim || a.head_dim != b.head_dim) return false;
  if (a.rotary_dim == 0) return true;
  const Rope x = rope_of(a, slides), y = rope_of(b, slides);
  if (x.sections != y.sections || !all_close(x.inverse_frequencies, y.inverse_frequencies) ||
      !close(x.attention_factor, y.attention_factor))
    return false;
  const auto *long_x = std::get_if<Rope::Long>(&x.by_length), *long_y = std::get_if<Rope::Long>(&y.by_length);
  return (long_x == nullptr) == (long_y == nullptr) &&
         (!long_x || (long_x->original_positions == long_y->original_positions &&
                      all_close(long_x->inverse_frequencies, long_y->inverse_frequencies)));
}

double attention_scale(const ModelConfig& c) {
  return c.attention_scale != 0 ? c.attention_scale : 1 / std::sqrt(static_cast<double>(c.head_dim));
}

std::vector<bool> layers_with_rope(const ModelConfig& c) {
  return c.layers_with_rope.empty() ? std::vector<bool>(static_cast<size_t>(c.num_hidden_layers), true)
                                    : c.layers_with_rope;
}

bool same_norms(const NormConfig& a, const NormConfig& b) {
  return a.subtracts_mean == b.subtracts_mean && a.has_bias == b.has_bias && a.weight_offset == b.weight_offset &&
         close(a.eps, b.eps);
}

bool same_mixture(const MixtureConfig& a, const MixtureConfig& b) {
  return a.layers == b.layers && a.num_experts == b.num_experts && a.num_experts_per_tok == b.num_experts_per_tok &&
         a.moe_intermediate_size == b.moe_intermediate_size &&
         a.shared_expert_intermediate_size == b.shared_expert_intermediate_size && a.n_group == b.n_group &&
         a.topk_group == b.topk_group;
}

bool same_choice(const MixtureConfig& a, const MixtureConfig& b) {
  return a.norm_topk_prob == b.norm_topk_prob && a.sigmoid_scores == b.sigmoid_scores &&
         close(a.routed_scaling_factor, b.routed_scaling_factor);
}

bool same_latent(const LatentAttentionConfig& a, const LatentAttentionConfig& b) {
  return a.q_lora_rank == b.q_lora_rank && a.kv_lora_rank == b.kv_lora_rank &&
         a.qk_nope_head_dim == b.qk_nope_head_dim && a.qk_rope_head_dim == b.qk_rope_head_dim &&
         a.v_head_dim == b.v_head_dim;
}

}  // namespace

std::string first_difference(const ModelConfig& a, const ModelConfig& b) {
  const struct {
    const char* what;
    bool same;
  } facts[] = {
      {"vocab_size", a.vocab_size == b.vocab_size},
      {"hidden_size", a.hidden_size == b.hidden_size},
      {"intermediate_size", a.intermediate_size == b.intermediate_size},
      {"num_hidden_layers", a.num_hidden_layers == b.num_hidden_layers},
      {"num_attention_heads", a.num_attention_heads == b.num_attention_heads},
      {"num_key_value_heads", a.num_key_value_heads == b.num_key_value_heads},
      {"head_dim", a.head_dim == b.head_dim},
      {"max_position_embeddings", a.max_position_embeddings == b.max_position_embeddings},
      {"norms", same_norms(a.norm, b.norm)},
      {"hidden_act", a.activation == b.activation},
      {"attention_bias", a.attention_bias == b.attention_bias && a.attention_output_bias == b.attention_output_bias},
      {"mlp_bias", a.mlp_bias == b.mlp_bias},
      {"tie_word_embeddings", a.tie_word_embeddings == b.tie_word_embeddings},
      {"norms of q and k", a.use_qk_norm == b.use_qk_norm},
      {"parallel residual", a.parallel_residual == b.parallel_residual && a.separate_norms == b.separate_norms},
      {"scale of attention", close(attention_scale(a), attention_scale(b))},
      {"soft cap of attention", close(a.attention_softcap, b.attention_softcap)},
      {"soft cap of logits", close(a.final_logit_softcap, b.final_logit_softcap)},
      {"embedding multiplier", close(a.embedding_multiplier, b.embedding_multiplier)},
      {"residual multiplier", close(a.residual_multiplier, b.residual_multiplier)},
      {"scale of logits", close(a.logit_multiplier, b.logit_multiplier)},
      {"layers without rope", layers_with_rope(a) == layers_with_rope(b)},
      {"pairs of rope", a.rope_pairs == b.rope_pairs},
      {"rope parameters", same_rope(a, b, false) && same_rope(a, b, true)},
      {"experts", same_mixture(a.mixture, b.mixture)},
      {"choice of experts", same_choice(a.mixture, b.mixture)},
      {"latent attention", same_latent(a.latent, b.latent)},
  };
  for (const auto& fact : facts)
    if (!fact.same) return fact.what;
  return "";
}

int same_up_to(const ModelConfig& a, const ModelConfig& b) {
  int most = 0;
  const auto lower = [&](int tokens) {
    if (tokens > 0 && (most == 0 || tokens < most)) most = tokens;
  };
  for (size_t i = 0; i < std::min(a.windows.size(), b.windows.size()); ++i) {
    if (a.windows[i] == b.windows[i]) continue;
    lower(a.windows[i]);
    lower(b.windows[i]);
  }
  for (const ModelConfig* one : {&a, &b})
    if (one->rope.type == RopeType::kDynamic && a.rope.type != b.rope.type)
      lower(one->rope.original_max_position_embeddings);
  return most;
}

}  // namespace hearth
