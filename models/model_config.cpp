#include "models/model_config.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "models/config_reader.h"
#include "models/registry.h"
#include "runtime/base/error.h"
#include "runtime/io/gguf.h"
#include "runtime/io/json_file.h"
#include "runtime/io/untrusted.h"

namespace hearth {
namespace {

// Bounds far above every model there is; products of two sizes stay far below 2^63.
constexpr int64_t kMostTokens = 1 << 24, kWidest = 1 << 20, kMostLayers = 4096, kMostHeads = 4096, kWidestHead = 4096;
constexpr int64_t kMostPositions = 1 << 30;
constexpr double kSmallestEps = 1e-20, kLargestEps = 1.0;
constexpr double kSmallestTheta = 1.0, kLargestTheta = 1e15, kSmallestFactor = 1e-3, kLargestFactor = 1e6;

// What must hold between the numbers, whichever file they came from.
void check_consistency(const ModelConfig& c, const std::string& place) {
  if (c.num_attention_heads % c.num_key_value_heads != 0)
    throw invalid_argument("{}: {} attention heads cannot share {} key-value heads evenly", place,
                           c.num_attention_heads, c.num_key_value_heads);
  if (c.head_dim % 2 != 0) throw invalid_argument("{}: head_dim is {}, rope needs an even one", place, c.head_dim);
  if (c.rope.type == RopeType::kDynamic && c.head_dim <= 2)
    throw invalid_argument("{}: head_dim is {}, dynamic rope scaling needs more than 2", place, c.head_dim);
  if (c.rope.type == RopeType::kYarn && c.rope.rope_theta <= 1.0)
    throw invalid_argument("{}: rope_theta is {}, yarn needs more than 1", place, c.rope.rope_theta);
  if (c.rope.type == RopeType::kLlama3 && c.rope.high_freq_factor <= c.rope.low_freq_factor)
    throw invalid_argument("{}: llama3 rope scaling needs high_freq_factor ({}) above low_freq_factor ({})", place,
                           c.rope.high_freq_factor, c.rope.low_freq_factor);
}

int head_dim_of(std::optional<int64_t> stated, int64_t hidden_size, int64_t heads, const std::string& place) {
  if (stated) return static_cast<int>(*stated);
  if (hidden_size % heads != 0)
    throw invalid_argument("{}: hidden_size {} is not a multiple of {} attention heads, and head_dim is not given",
                           place, hidden_size, heads);
  return static_cast<int>(hidden_size / heads);
}

RopeType rope_type(std::string_view name, const std::string& place) {
  if (name == "default" || name == "none") return RopeType::kDefault;
  if (name == "linear") return RopeType::kLinear;
  if (name == "dynamic") return RopeType::kDynamic;
  if (name == "yarn") return RopeType::kYarn;
  if (name == "llama3") return RopeType::kLlama3;
  throw invalid_argument(
      "{}: rope scaling '{}' is not one that hearth has; it has default, linear, dynamic, yarn and llama3", place,
      printable(name));
}

// config.json's rope_parameters (transformers 5) or rope_theta and rope_scaling (4), read as transformers'
// convert_rope_params_to_dict does.
RopeParameters read_rope(const ConfigReader& config, int max_position_embeddings) {
  RopeParameters rope;
  std::optional<ConfigReader> given = config.object("rope_scaling");
  if (!given || given->empty()) given = config.object("rope_parameters");
  static const nlohmann::json kNothing = nlohmann::json::object();
  const ConfigReader from = given ? *given : ConfigReader(kNothing, config.place());
  if (from.holds_objects())
    throw invalid_argument("{}: rope parameters that differ between layers are not supported", from.place());
  for (const char* foreign : {"mrope_section", "short_factor", "long_factor"})
    if (from.has(foreign))
      throw invalid_argument("{}: rope parameter '{}' is not one that hearth has", config.place(), foreign);
  const std::string type = from.text("rope_type").value_or(from.text("type").value_or("default"));
  rope.type = rope_type(type, config.place());
  const double theta = config.number("rope_theta", kSmallestTheta, kLargestTheta).value_or(rope.rope_theta);
  rope.rope_theta = from.number("rope_theta", kSmallestTheta, kLargestTheta).value_or(theta);
  for (const ConfigReader& place : {config, from}) {
    if (place.number("partial_rotary_factor", 0, 1).value_or(1) != 1)
      throw invalid_argument("{}: partial_rotary_factor other than 1 is not supported", config.place());
  }
  if (rope.type == RopeType::kDefault) return rope;

  rope.original_max_position_embeddings = max_position_embeddings;
  if (rope.type == RopeType::kYarn || rope.type == RopeType::kLlama3) {
    auto original = config.integer("original_max_position_embeddings", 1, kMostPositions);
    if (!original) original = from.integer("original_max_position_embeddings", 1, kMostPositions);
    rope.original_max_position_embeddings = static_cast<int>(original.value_or(max_position_embeddings));
  }
  const auto factor = from.number("factor", kSmallestFactor, kLargestFactor);
  if (!factor && rope.type != RopeType::kYarn)
    throw invalid_argument("{}: rope scaling '{}' has no factor", config.place(), type);
  rope.factor = factor.value_or(static_cast<double>(max_position_embeddings) / rope.original_max_position_embeddings);
  const auto positive = [&](const char* key, double fallback) {  // 0 and null mean the default, as in the reference
    const double value = from.number(key, 0, kLargestFactor).value_or(0);
    return value == 0 ? fallback : value;
  };
  if (rope.type == RopeType::kYarn) {
    rope.attention_factor = from.number("attention_factor", 0, kLargestFactor);
    rope.mscale = from.number("mscale", 0, kLargestFactor).value_or(0);
    rope.mscale_all_dim = from.number("mscale_all_dim", 0, kLargestFactor).value_or(0);
    rope.beta_fast = positive("beta_fast", rope.beta_fast);
    rope.beta_slow = positive("beta_slow", rope.beta_slow);
    rope.truncate = from.boolean("truncate").value_or(true);
  }
  if (rope.type == RopeType::kLlama3) {
    rope.low_freq_factor = from.required_number("low_freq_factor", kSmallestFactor, kLargestFactor);
    rope.high_freq_factor = from.required_number("high_freq_factor", kSmallestFactor, kLargestFactor);
  }
  return rope;
}

// The architecture by model_type, confirmed by `architectures`: a llama with another head is another model.
std::string read_architecture(const ConfigReader& config) {
  const auto model_type = config.text("model_type");
  if (!model_type) throw invalid_argument("{}: has no model_type", config.place());
  const Architecture& architecture = find_architecture(*model_type, config.place());
  for (const std::string& name : config.texts("architectures")) {
    if (name != architecture.hugging_face)
      throw invalid_argument("{}: architecture '{}' is not one that hearth has; of '{}' it has '{}'", config.place(),
                             printable(name), architecture.name, architecture.hugging_face);
  }
  return std::string(architecture.name);
}

// A GGUF's keys "<architecture>.<key>" with the same checks as ConfigReader.
class GgufKeys {
 public:
  GgufKeys(const GgufFile& gguf, std::string prefix) : gguf_(gguf), prefix_(std::move(prefix)) {}

  std::optional<int64_t> integer(std::string_view key, int64_t least, int64_t most) const {
    const auto value = gguf_.integer(prefix_ + std::string(key));
    if (value) check_range(key, *value, least, most);
    return value;
  }
  std::optional<double> number(std::string_view key, double least, double most) const {
    const auto value = gguf_.number(prefix_ + std::string(key));
    if (value) check_range(key, *value, least, most);
    return value;
  }
  std::optional<std::string_view> text(std::string_view key) const { return gguf_.string(prefix_ + std::string(key)); }
  template <class T>
  T required(std::string_view key, std::optional<T> value) const {
    if (!value) throw data_corruption("{}: has no metadata '{}{}'", gguf_.name(), prefix_, key);
    return *value;
  }
  // Keys of variants that would compute something else.
  void refuse(std::string_view key) const {
    if (number(key, -1e300, 1e300).value_or(0) != 0)
      throw invalid_argument("{}: metadata '{}{}' is set, which hearth does not support", gguf_.name(), prefix_, key);
  }

 private:
  template <class T>
  void check_range(std::string_view key, T value, T least, T most) const {
    if (!(value >= least && value <= most))
      throw data_corruption("{}: metadata '{}{}' is {}, must be from {} to {}", gguf_.name(), prefix_, key, value,
                            least, most);
  }

  const GgufFile& gguf_;
  std::string prefix_;
};

// rope_freqs.weight: what llama.cpp's converter makes of llama3's scaling.
std::vector<float> read_frequency_divisors(const GgufFile& gguf, int head_dim) {
  const GgufFile::Tensor* tensor = gguf.tensor("rope_freqs.weight");
  if (!tensor) return {};
  if (tensor->rank != 1 || tensor->dims[0] != head_dim / 2 || tensor->format != Format::kF32)
    throw data_corruption("{}: tensor 'rope_freqs.weight' is not {} values of F32", gguf.name(), head_dim / 2);
  std::vector<float> divisors(head_dim / 2);
  dequantize(tensor->format, tensor->bytes.data(), head_dim / 2, divisors.data());
  for (const float divisor : divisors) {
    if (!std::isfinite(divisor) || divisor <= 0)
      throw data_corruption("{}: tensor 'rope_freqs.weight' holds {}", gguf.name(), divisor);
  }
  return divisors;
}

RopeParameters read_rope(const GgufFile& gguf, const GgufKeys& keys, const ModelConfig& config) {
  RopeParameters rope;
  rope.rope_theta = keys.number("rope.freq_base", kSmallestTheta, kLargestTheta).value_or(rope.rope_theta);
  if (keys.integer("rope.dimension_count", 1, kWidestHead).value_or(config.head_dim) != config.head_dim)
    throw invalid_argument("{}: rotates {} of {} dimensions of a head, hearth all of them", gguf.name(),
                           *keys.integer("rope.dimension_count", 1, kWidestHead), config.head_dim);
  rope.type = rope_type(keys.text("rope.scaling.type").value_or("none"), gguf.name());
  if (rope.type == RopeType::kDynamic || rope.type == RopeType::kLlama3)
    throw invalid_argument("{}: rope scaling '{}' is not one that GGUF has", gguf.name(),
                           *keys.text("rope.scaling.type"));
  rope.frequency_divisors = read_frequency_divisors(gguf, config.head_dim);
  rope.factor = keys.number("rope.scaling.factor", kSmallestFactor, kLargestFactor)
                    .value_or(keys.number("rope.scale_linear", kSmallestFactor, kLargestFactor).value_or(1));
  if (!keys.text("rope.scaling.type") && keys.number("rope.scale_linear", kSmallestFactor, kLargestFactor))
    rope.type = RopeType::kLinear;  // files from before rope.scaling
  if (rope.type != RopeType::kYarn) return rope;

  rope.original_max_position_embeddings = static_cast<int>(
      keys.integer("rope.scaling.original_context_length", 1, kMostPositions).value_or(config.max_position_embeddings));
  rope.beta_fast = keys.number("rope.scaling.yarn_beta_fast", 1e-3, kLargestFactor).value_or(rope.beta_fast);
  rope.beta_slow = keys.number("rope.scaling.yarn_beta_slow", 1e-3, kLargestFactor).value_or(rope.beta_slow);
  keys.refuse("rope.scaling.yarn_log_multiplier");
  for (const char* multiplier :
       {"rope.scaling.yarn_ext_factor", "rope.scaling.yarn_attn_factor", "rope.scaling.attn_factor"}) {
    if (keys.number(multiplier, -1e6, 1e6).value_or(1) != 1)
      throw invalid_argument("{}: {} other than 1 is not supported", gguf.name(), multiplier);
  }
  return rope;
}

}  // namespace

ModelConfig read_model_config(const std::filesystem::path& config_json) {
  const nlohmann::json json = read_json_file(config_json);
  const ConfigReader config(json, config_json.string());
  ModelConfig c;
  c.architecture = read_architecture(config);
  if (config.has("quantization_config"))
    throw invalid_argument("{}: quantization_config is not supported; use the original checkpoint or a GGUF file",
                           config.place());
  const std::string activation = config.text("hidden_act").value_or("silu");
  if (activation != "silu")
    throw invalid_argument("{}: hidden_act is '{}', hearth's {} has 'silu'", config.place(), printable(activation),
                           c.architecture);
  c.vocab_size = config.required_integer("vocab_size", 1, kMostTokens);
  c.hidden_size = config.required_integer("hidden_size", 1, kWidest);
  c.intermediate_size = config.required_integer("intermediate_size", 1, kWidest);
  c.num_hidden_layers = static_cast<int>(config.required_integer("num_hidden_layers", 1, kMostLayers));
  c.num_attention_heads = static_cast<int>(config.required_integer("num_attention_heads", 1, kMostHeads));
  c.num_key_value_heads =
      static_cast<int>(config.integer("num_key_value_heads", 1, kMostHeads).value_or(c.num_attention_heads));
  c.head_dim =
      head_dim_of(config.integer("head_dim", 1, kWidestHead), c.hidden_size, c.num_attention_heads, config.place());
  c.max_position_embeddings =
      static_cast<int>(config.integer("max_position_embeddings", 1, kMostPositions).value_or(2048));
  c.rms_norm_eps = static_cast<float>(config.number("rms_norm_eps", kSmallestEps, kLargestEps).value_or(1e-6));
  c.tie_word_embeddings = config.boolean("tie_word_embeddings").value_or(false);
  c.rope = read_rope(config, c.max_position_embeddings);
  find_architecture(c.architecture, config.place()).configure(config, c);
  check_consistency(c, config.place());
  return c;
}

ModelConfig read_model_config(const GgufFile& gguf) {
  const auto name = gguf.string("general.architecture");
  if (!name) throw data_corruption("{}: has no metadata 'general.architecture'", gguf.name());
  ModelConfig c;
  c.architecture = find_architecture(*name, gguf.name()).name;
  const GgufKeys keys(gguf, c.architecture + ".");
  for (const char* variant :
       {"expert_count", "logit_scale", "embedding_scale", "residual_scale", "attention.scale", "attention.clamp_kqv"})
    keys.refuse(variant);
  c.num_hidden_layers = static_cast<int>(keys.required("block_count", keys.integer("block_count", 1, kMostLayers)));
  c.hidden_size = keys.required("embedding_length", keys.integer("embedding_length", 1, kWidest));
  c.intermediate_size = keys.required("feed_forward_length", keys.integer("feed_forward_length", 1, kWidest));
  c.num_attention_heads =
      static_cast<int>(keys.required("attention.head_count", keys.integer("attention.head_count", 1, kMostHeads)));
  c.num_key_value_heads =
      static_cast<int>(keys.integer("attention.head_count_kv", 1, kMostHeads).value_or(c.num_attention_heads));
  c.head_dim = head_dim_of(keys.integer("attention.key_length", 1, kWidestHead), c.hidden_size, c.num_attention_heads,
                           gguf.name());
  if (keys.integer("attention.value_length", 1, kWidestHead).value_or(c.head_dim) != c.head_dim)
    throw invalid_argument("{}: keys and values of different lengths are not supported", gguf.name());
  c.max_position_embeddings =
      static_cast<int>(keys.required("context_length", keys.integer("context_length", 1, kMostPositions)));
  c.rms_norm_eps = static_cast<float>(keys.required(
      "attention.layer_norm_rms_epsilon", keys.number("attention.layer_norm_rms_epsilon", kSmallestEps, kLargestEps)));
  const GgufFile::Tensor* embedding = gguf.tensor("token_embd.weight");
  if (!embedding) throw data_corruption("{}: has no tensor 'token_embd.weight'", gguf.name());
  if (embedding->dims[1] > kMostTokens)
    throw data_corruption("{}: a vocabulary of {} tokens", gguf.name(), embedding->dims[1]);
  c.vocab_size = embedding->dims[1];
  c.tie_word_embeddings = !gguf.tensor("output.weight");
  c.attention_bias = gguf.tensor("blk.0.attn_q.bias") != nullptr;
  c.attention_output_bias = gguf.tensor("blk.0.attn_output.bias") != nullptr;
  c.mlp_bias = gguf.tensor("blk.0.ffn_gate.bias") != nullptr;
  c.sliding_window = static_cast<int>(keys.integer("attention.sliding_window", 0, kMostPositions).value_or(0));
  c.rope = read_rope(gguf, keys, c);
  check_consistency(c, gguf.name());
  return c;
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
  if (c.sliding_window > 0) dims.max_positions = std::min(dims.max_positions, c.sliding_window);
  if (c.rope.type == RopeType::kDynamic) dims.fixed_rope_length = c.rope.original_max_position_embeddings;
  return dims;
}

}  // namespace hearth
