#include "models/model_config.h"

#include <algorithm>

#include "models/config_reader.h"
#include "models/gguf_keys.h"
#include "models/registry.h"
#include "models/rope_config.h"
#include "models/vision/vision_config.h"
#include "runtime/base/error.h"
#include "runtime/io/gguf.h"
#include "runtime/io/json_file.h"
#include "runtime/io/untrusted.h"

namespace hearth {
namespace {

void check_rope(const RopeParameters& rope, int rotary_dim, const std::string& place) {
  if (rope.type == RopeType::kDynamic && rotary_dim <= 2)
    throw invalid_argument("{}: rope turns {} dimensions, its dynamic scaling needs more than 2", place, rotary_dim);
  if (rope.type == RopeType::kYarn && rope.rope_theta <= 1.0)
    throw invalid_argument("{}: rope_theta is {}, yarn needs more than 1", place, rope.rope_theta);
  if (rope.type == RopeType::kLlama3 && rope.high_freq_factor <= rope.low_freq_factor)
    throw invalid_argument("{}: llama3 rope scaling needs high_freq_factor ({}) above low_freq_factor ({})", place,
                           rope.high_freq_factor, rope.low_freq_factor);
  if (rope.type == RopeType::kLongrope) {
    const auto expected = static_cast<size_t>(rotary_dim / 2);
    if (rope.short_factor.size() != expected || rope.long_factor.size() != expected)
      throw invalid_argument("{}: longrope has {} short and {} long factors, rope turns {} pairs", place,
                             rope.short_factor.size(), rope.long_factor.size(), expected);
  }
}

// What must hold between the numbers, whichever file they came from.
void check_consistency(const ModelConfig& c, const std::string& place) {
  if (c.num_attention_heads % c.num_key_value_heads != 0)
    throw invalid_argument("{}: {} attention heads cannot share {} key-value heads evenly", place,
                           c.num_attention_heads, c.num_key_value_heads);
  if (c.rotary_dim % 2 != 0 || c.rotary_dim > c.head_dim)
    throw invalid_argument("{}: rope turns {} of a head's {} dimensions; it must be an even number of them", place,
                           c.rotary_dim, c.head_dim);
  if (c.vision) {
    const auto& [time, row, column] = c.vision->mrope_section;
    const int sections = time + row + column;
    if (sections != 0 && 2 * sections != c.rotary_dim)
      throw invalid_argument("{}: mrope_section has {} pairs, rope turns {}", place, sections, c.rotary_dim / 2);
  }
  check_rope(c.rope, c.rotary_dim, place);
  if (c.sliding_rope) check_rope(*c.sliding_rope, c.rotary_dim, place);
  const MixtureConfig& m = c.mixture;
  if (!m.layers.empty() &&
      (m.num_experts_per_tok > m.num_experts || m.num_experts % m.n_group != 0 || m.topk_group > m.n_group ||
       m.num_experts / m.n_group * m.topk_group < m.num_experts_per_tok))
    throw invalid_argument("{}: cannot choose {} of {} experts from {} of {} groups", place, m.num_experts_per_tok,
                           m.num_experts, m.topk_group, m.n_group);
}

// What follows from the rest.
void complete(ModelConfig& c) {
  if (c.rotary_dim < 0) c.rotary_dim = static_cast<int>(c.head_dim * c.partial_rotary_factor);
  if (c.windows.empty()) c.windows.assign(c.num_hidden_layers, 0);
}

int head_dim_of(std::optional<int64_t> stated, int64_t hidden_size, int64_t heads, const std::string& place) {
  if (stated) return static_cast<int>(*stated);
  if (hidden_size % heads != 0)
    throw invalid_argument("{}: hidden_size {} is not a multiple of {} attention heads, and head_dim is not given",
                           place, hidden_size, heads);
  return static_cast<int>(hidden_size / heads);
}

std::optional<Activation> activation_of(std::string_view name) {
  if (name == "silu" || name == "swish") return Activation::kSilu;
  if (name == "gelu" || name == "gelu_python") return Activation::kGelu;
  if (name == "gelu_new" || name == "gelu_fast" || name == "gelu_pytorch_tanh") return Activation::kGeluTanh;
  if (name == "quick_gelu") return Activation::kQuickGelu;
  return std::nullopt;
}

// Keys of variants that would compute something else, where the family did not read them.
void refuse_unread(const GgufKeys& keys, const ModelConfig& c) {
  keys.refuse("attention.clamp_kqv");
  if (c.latent.kv_lora_rank == 0) keys.refuse("rope.scaling.yarn_log_multiplier");
  if (c.mixture.layers.empty()) keys.refuse("expert_count");
  if (c.logit_multiplier == 1) keys.refuse("logit_scale");
  if (c.embedding_multiplier == 1) keys.refuse("embedding_scale");
  if (c.residual_multiplier == 1) keys.refuse("residual_scale");
  if (c.attention_scale == 0) keys.refuse("attention.scale");
}

// The architecture by model_type, confirmed by `architectures`: a llama with another head is another model.
const Architecture& read_architecture(const ConfigReader& config) {
  const auto model_type = config.text("model_type");
  if (!model_type) throw invalid_argument("{}: has no model_type", config.place());
  const Architecture& architecture = find_architecture(*model_type, config.place());
  for (const std::string& name : config.texts("architectures")) {
    if (name != architecture.hugging_face)
      throw invalid_argument("{}: architecture '{}' is not one that hearth has; of '{}' it has '{}'", config.place(),
                             printable(name), architecture.name, architecture.hugging_face);
  }
  return architecture;
}

}  // namespace

ModelConfig read_model_config(const std::filesystem::path& config_json) {
  nlohmann::json json = read_json_file(config_json);
  std::string place = config_json.string();
  const std::shared_ptr<const VisionConfig> vision = read_vision_config(json, config_json);
  if (vision) {
    json = text_config_of(json, *vision);
    place += ": text_config";
  }
  const Architecture& architecture = read_architecture(ConfigReader(json, place));
  const ConfigReader config(json, place, architecture.key_aliases);
  ModelConfig c;
  c.vision = vision;
  c.architecture = architecture.name;
  if (architecture.family) architecture.family(c);
  if (config.has("quantization_config"))
    throw invalid_argument("{}: quantization_config is not supported; use the original checkpoint or a GGUF file",
                           config.place());
  c.activation = read_activation(config, "hidden_act").value_or(c.activation);
  c.vocab_size = config.required_integer("vocab_size", 1, kMostTokens);
  c.hidden_size = config.required_integer("hidden_size", 1, kWidest);
  c.intermediate_size = config.integer("intermediate_size", 1, kWidest).value_or(0);
  c.num_hidden_layers = static_cast<int>(config.required_integer("num_hidden_layers", 1, kMostLayers));
  c.num_attention_heads = static_cast<int>(config.required_integer("num_attention_heads", 1, kMostHeads));
  c.num_key_value_heads =
      static_cast<int>(config.integer("num_key_value_heads", 1, kMostHeads).value_or(c.num_attention_heads));
  c.head_dim =
      head_dim_of(config.integer("head_dim", 1, kWidestHead), c.hidden_size, c.num_attention_heads, config.place());
  c.max_position_embeddings =
      static_cast<int>(config.integer("max_position_embeddings", 1, kMostPositions).value_or(2048));
  const char* eps = c.norm.subtracts_mean ? "layer_norm_eps" : "rms_norm_eps";
  c.norm.eps = static_cast<float>(config.number(eps, kSmallestEps, kLargestEps).value_or(c.norm.eps));
  c.tie_word_embeddings = config.boolean("tie_word_embeddings").value_or(c.tie_word_embeddings);
  read_rope(config, c);
  if (architecture.configure) architecture.configure(config, c);
  if (c.intermediate_size == 0) throw invalid_argument("{}: has no intermediate_size", config.place());
  complete(c);
  check_consistency(c, config.place());
  return c;
}

ModelConfig read_model_config(const GgufFile& gguf) {
  const Architecture& architecture = find_gguf_architecture(gguf);
  const GgufKeys keys(gguf, std::string(architecture.gguf.name) + ".");
  ModelConfig c;
  c.architecture = architecture.name;
  if (architecture.family) architecture.family(c);
  c.num_hidden_layers = static_cast<int>(keys.required_integer("block_count", 1, kMostLayers));
  c.hidden_size = keys.required_integer("embedding_length", 1, kWidest);
  c.intermediate_size = keys.integer("feed_forward_length", 1, kWidest).value_or(0);
  c.num_attention_heads = static_cast<int>(keys.required_integer("attention.head_count", 1, kMostHeads));
  c.num_key_value_heads =
      static_cast<int>(keys.integer("attention.head_count_kv", 1, kMostHeads).value_or(c.num_attention_heads));
  c.head_dim = head_dim_of(keys.integer("attention.key_length", 1, kWidestHead), c.hidden_size, c.num_attention_heads,
                           gguf.name());
  c.max_position_embeddings = static_cast<int>(keys.required_integer("context_length", 1, kMostPositions));
  const char* eps = c.norm.subtracts_mean ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon";
  c.norm.eps = static_cast<float>(keys.required_number(eps, kSmallestEps, kLargestEps));
  const GgufFile::Tensor* embedding = gguf.tensor("token_embd.weight");
  if (!embedding) throw data_corruption("{}: has no tensor 'token_embd.weight'", gguf.name());
  if (embedding->dims[1] > kMostTokens)
    throw data_corruption("{}: a vocabulary of {} tokens", gguf.name(), embedding->dims[1]);
  c.vocab_size = embedding->dims[1];
  c.tie_word_embeddings = !gguf.tensor("output.weight");
  c.attention_bias = gguf.tensor("blk.0.attn_q.bias") || gguf.tensor("blk.0.attn_qkv.bias");
  c.attention_output_bias = gguf.tensor("blk.0.attn_output.bias") != nullptr;
  c.mlp_bias = gguf.tensor("blk.0.ffn_up.bias") != nullptr;
  read_rope(keys, c);
  if (architecture.gguf.configure) architecture.gguf.configure(keys, c);
  refuse_unread(keys, c);
  complete(c);
  if (c.latent.kv_lora_rank == 0 &&
      keys.integer("attention.value_length", 1, kWidestHead).value_or(c.head_dim) != c.head_dim)
    throw invalid_argument("{}: keys and values of different lengths are not supported", gguf.name());
  check_consistency(c, gguf.name());
  return c;
}

std::optional<Activation> read_activation(const ConfigReader& json, const std::string& key) {
  const auto name = json.text(key);
  if (!name) return std::nullopt;
  const auto activation = activation_of(*name);
  if (!activation)
    throw invalid_argument("{}: {} is '{}', hearth has silu, gelu, gelu_new, gelu_pytorch_tanh and quick_gelu",
                           json.place(), key, printable(*name));
  return activation;
}

ModelDims model_dims(const ModelConfig& c) {
  ModelDims dims;
  dims.vocab_size = c.vocab_size;
  dims.hidden_size = c.hidden_size;
  dims.num_layers = c.num_hidden_layers;
  dims.num_heads = c.num_attention_heads;
  dims.num_kv_heads = c.num_key_value_heads;
  dims.head_dim = c.head_dim;
  dims.max_positions = max_positions(c.rope, c.max_position_embeddings);
  if (c.rope.type == RopeType::kDynamic || c.rope.type == RopeType::kLongrope)
    dims.fixed_rope_length = c.rope.original_max_position_embeddings;
  return dims;
}

}  // namespace hearth
