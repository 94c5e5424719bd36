// A model's hyper-parameters, from config.json or from a GGUF's metadata. Strict: what would make the model compute
// something else in silence (an unknown type, activation or scaling, a size out of range) is an error with its name.
// Defaults are those of transformers' LlamaConfig; what a family has otherwise stands in its file under architectures/.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/rope_scaling.h"
#include "runtime/language_model.h"
#include "runtime/ops/ops.h"

namespace hearth {

class ConfigReader;
class GgufFile;
struct VisionConfig;

// Bounds far above every model there is; products of two sizes stay far below 2^63.
inline constexpr int64_t kMostTokens = 1 << 24, kWidest = 1 << 20, kMostLayers = 4096, kMostHeads = 4096;
inline constexpr double kSmallestEps = 1e-20, kLargestEps = 1.0;
inline constexpr int64_t kWidestHead = 4096, kMostPositions = 1 << 30, kMostExperts = 1 << 16;

// Every norm of a model is of one kind.
struct NormConfig {
  bool subtracts_mean = false;  // layer norm; else RMS norm
  bool has_bias = false;
  float weight_offset = 0;  // the factor is offset + weight (gemma: 1)
  float eps = 1e-6f;
};

// A mixture of experts in place of the MLP.
struct MixtureConfig {
  std::vector<bool> layers = {};  // [num_hidden_layers], which have one; empty: none
  int num_experts = 0, num_experts_per_tok = 0;
  int64_t moe_intermediate_size = 0;
  int64_t shared_expert_intermediate_size = 0;  // of the expert that sees every token; 0: none
  bool norm_topk_prob = false;                  // the chosen experts' weights are made to sum to 1
  float routed_scaling_factor = 1;
  // Experts are chosen from the topk_group best of n_group groups.
  int n_group = 1, topk_group = 1;
  bool sigmoid_scores = false;  // deepseek_v3: else softmax
};

// Keys and values from one latent vector a token (deepseek).
struct LatentAttentionConfig {
  int64_t q_lora_rank = 0;  // 0: q is one projection
  int64_t kv_lora_rank = 0;
  int64_t qk_nope_head_dim = 0, qk_rope_head_dim = 0, v_head_dim = 0;
};

// Names are config.json's.
struct ModelConfig {
  std::string architecture;  // a name of models/registry.h
  int64_t vocab_size = 0, hidden_size = 0, intermediate_size = 0;
  int num_hidden_layers = 0, num_attention_heads = 0, num_key_value_heads = 0, head_dim = 0;
  int max_position_embeddings = 0;
  NormConfig norm;
  Activation activation = Activation::kSilu;
  bool attention_bias = false;         // of q, k and v
  bool attention_output_bias = false;  // of o
  bool mlp_bias = false;
  bool tie_word_embeddings = false;
  bool use_qk_norm = false;        // where a family's models differ in it
  bool parallel_residual = false;  // likewise: attention and MLP see the same x
  bool separate_norms = false;     // likewise: each through a norm of its own

  bool is_causal = true;                                 // attention; false: of towers, to the whole segment
  float attention_scale = 0;                             // of q k; 0: 1 / sqrt(head_dim)
  float attention_softcap = 0, final_logit_softcap = 0;  // 0: none
  float embedding_multiplier = 1, residual_multiplier = 1, logit_multiplier = 1;

  std::vector<int> windows;            // [num_hidden_layers], tokens that a layer's attention reaches back; 0: all
  std::vector<bool> layers_with_rope;  // [num_hidden_layers]; empty: all
  double partial_rotary_factor = 1;    // 0: no rope in any layer
  int rotary_dim = -1;                 // of head_dim that are rotated; -1 until known: head_dim * partial_rotary_factor
  RopePairs rope_pairs = RopePairs::kHalves;
  RopeParameters rope;
  std::optional<RopeParameters> sliding_rope;  // of the layers with a window, where theirs is another

  MixtureConfig mixture;
  LatentAttentionConfig latent;
  std::shared_ptr<const VisionConfig> vision;  // null: it reads text only
};

// Throws kNotFound, kInvalidArgument for what hearth does not have, kDataCorruption for what cannot be; the message
// names the file and the key.
ModelConfig read_model_config(const std::filesystem::path& config_json);
ModelConfig read_model_config(const GgufFile& gguf);

// The activation that a key names. Throws kInvalidArgument for one that hearth does not have.
std::optional<Activation> read_activation(const ConfigReader& json, const std::string& key);

// What the engine knows of it.
ModelDims model_dims(const ModelConfig& config);

}  // namespace hearth
