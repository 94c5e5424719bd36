// What DeepSeek-V2 and V3 share: attention whose keys and values come from one latent vector a token, and mixtures with
// shared experts from some layer on.
#pragma once

#include <memory>

#include "models/config_reader.h"
#include "models/layers.h"
#include "models/mixture.h"

namespace hearth {

class GgufKeys;
class GgufKeyWriter;

inline constexpr GgufName kDeepseekLayerNames[] = {{"attn_q_a", "self_attn.q_a_proj"},
                                                   {"attn_q_a_norm", "self_attn.q_a_layernorm"},
                                                   {"attn_q_b", "self_attn.q_b_proj"},
                                                   {"attn_kv_a_mqa", "self_attn.kv_a_proj_with_mqa"},
                                                   {"attn_kv_a_norm", "self_attn.kv_a_layernorm"},
                                                   {"attn_kv_b", "self_attn.kv_b_proj"},
                                                   {"ffn_gate_shexp", "mlp.shared_experts.gate_proj"},
                                                   {"ffn_up_shexp", "mlp.shared_experts.up_proj"},
                                                   {"ffn_down_shexp", "mlp.shared_experts.down_proj"},
                                                   {"exp_probs_b.bias", "mlp.gate.e_score_correction_bias"}};

inline constexpr int64_t kSoftmaxGating = 1, kSigmoidGating = 2;  // expert_gating_func

void configure_deepseek(const ConfigReader& json, ModelConfig& config);
void configure_deepseek_gguf(const GgufKeys& keys, ModelConfig& config);
void describe_deepseek(const ModelConfig& config, GgufKeyWriter& keys);
std::unique_ptr<const Attention> latent_attention(const LayerContext& at);
// Newer GGUF files have kv_b_proj's part of keys and part of values apart, the former transposed.
void restore_kv_b(WeightSource& source, const ModelConfig& config);

}  // namespace hearth
