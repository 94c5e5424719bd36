#include "models/rope_config.h"

#include <cmath>

#include "models/config_reader.h"
#include "models/gguf_keys.h"
#include "models/model_config.h"
#include "runtime/base/error.h"
#include "runtime/io/gguf.h"
#include "runtime/io/untrusted.h"

namespace hearth {
namespace {

constexpr const char *kDivisors = "rope_freqs.weight", *kLongFactors = "rope_factors_long.weight",
                     *kShortFactors = "rope_factors_short.weight";
constexpr double kSmallestTheta = 1.0, kLargestTheta = 1e15, kSmallestFactor = 1e-3, kLargestFactor = 1e6;

RopeType rope_type(std::string_view name, const std::string& place) {
  if (name == "default" || name == "none") return RopeType::kDefault;
  if (name == "linear") return RopeType::kLinear;
  if (name == "dynamic") return RopeType::kDynamic;
  if (name == "yarn") return RopeType::kYarn;
  if (name == "llama3") return RopeType::kLlama3;
  if (name == "longrope" || name == "su") return RopeType::kLongrope;
  throw invalid_argument(
      "{}: rope scaling '{}' is not one that hearth has; it has default, linear, dynamic, yarn, llama3 and longrope",
      place, printable(name));
}

// What the types other than the default have: their factors, read as transformers' modeling_rope_utils does.
void read_scaling(const ConfigReader& config, const ConfigReader& from, int max_position_embeddings,
                  RopeParameters& rope) {
  rope.original_max_position_embeddings = max_position_embeddings;
  if (rope.type != RopeType::kLinear && rope.type != RopeType::kDynamic) {
    auto original = config.integer("original_max_position_embeddings", 1, kMostPositions);
    if (!original) original = from.integer("original_max_position_embeddings", 1, kMostPositions);
    rope.original_max_position_embeddings = static_cast<int>(original.value_or(max_position_embeddings));
  }
  const auto factor = from.number("factor", kSmallestFactor, kLargestFactor);
  if (!factor && rope.type != RopeType::kYarn && rope.type != RopeType::kLongrope)
    throw invalid_argument("{}: rope scaling '{}' has no factor", config.place(),
                           from.text("rope_type").value_or(from.text("type").value_or("")));
  rope.factor = factor.value_or(static_cast<double>(max_position_embeddings) / rope.original_max_position_embeddings);
  if (rope.type == RopeType::kYarn || rope.type == RopeType::kLongrope)
    rope.attention_factor = from.number("attention_factor", 0, kLargestFactor);
  const auto positive = [&](const char* key, double fallback) {  // 0 and null mean the default, as in the reference
    const double value = from.number(key, 0, kLargestFactor).value_or(0);
    return value == 0 ? fallback : value;
  };
  if (rope.type == RopeType::kYarn) {
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
  if (rope.type == RopeType::kLongrope) {
    rope.short_factor = from.numbers("short_factor", kSmallestFactor, kLargestFactor);
    rope.long_factor = from.numbers("long_factor", kSmallestFactor, kLargestFactor);
  }
}

// `from` is the object that holds the parameters, or an empty one.
RopeParameters read_parameters(const ConfigReader& config, const ConfigReader& from, int max_position_embeddings,
                               double default_theta) {
  if (from.has("mrope_section"))
    throw invalid_argument("{}: rope parameter 'mrope_section' is not one that hearth has", config.place());
  RopeParameters rope;
  rope.type = rope_type(from.text("rope_type").value_or(from.text("type").value_or("default")), config.place());
  rope.rope_theta = from.number("rope_theta", kSmallestTheta, kLargestTheta).value_or(default_theta);
  if (rope.type != RopeType::kDefault) read_scaling(config, from, max_position_embeddings, rope);
  return rope;
}

// rope_freqs.weight, what llama.cpp's converter makes of llama3's scaling, and longrope's factors.
std::vector<float> read_divisors(const GgufFile& gguf, const char* name, int rotary_dim) {
  const GgufFile::Tensor* tensor = gguf.tensor(name);
  if (!tensor) return {};
  if (tensor->rank != 1 || tensor->dims[0] != rotary_dim / 2 || tensor->format != Format::kF32)
    throw data_corruption("{}: tensor '{}' is not {} values of F32", gguf.name(), name, rotary_dim / 2);
  std::vector<float> divisors(rotary_dim / 2);
  dequantize(tensor->format, tensor->bytes.data(), rotary_dim / 2, divisors.data());
  for (const float divisor : divisors) {
    if (!std::isfinite(divisor) || divisor <= 0)
      throw data_corruption("{}: tensor '{}' holds {}", gguf.name(), name, divisor);
  }
  return divisors;
}

}  // namespace

void read_rope(const ConfigReader& config, ModelConfig& c) {
  std::optional<ConfigReader> given = config.object("rope_scaling");
  if (!given || given->empty()) given = config.object("rope_parameters");
  static const nlohmann::json kNothing = nlohmann::json::object();
  const ConfigReader from = given ? *given : ConfigReader(kNothing, config.place());
  const double theta = config.number("rope_theta", kSmallestTheta, kLargestTheta).value_or(c.rope.rope_theta);
  const auto read = [&](const ConfigReader& parameters) {
    return read_parameters(config, parameters, c.max_position_embeddings, theta);
  };
  for (const ConfigReader& place : {config, from})
    c.partial_rotary_factor = place.number("partial_rotary_factor", 0, 1).value_or(c.partial_rotary_factor);
  if (!from.holds_objects()) {
    c.rope = read(from);
    return;
  }
  const auto full = from.object("full_attention"), sliding = from.object("sliding_attention");
  if (!full) throw invalid_argument("{}: has no full_attention", from.place());
  c.rope = read(*full);
  if (sliding) c.sliding_rope = read(*sliding);
}

void read_rope(const GgufKeys& keys, ModelConfig& c) {
  const GgufFile& gguf = keys.gguf();
  RopeParameters& rope = c.rope = {};  // the container has its own defaults
  rope.rope_theta = keys.number("rope.freq_base", kSmallestTheta, kLargestTheta).value_or(rope.rope_theta);
  if (const auto dimensions = keys.integer("rope.dimension_count", 1, kWidestHead))
    c.rotary_dim = static_cast<int>(*dimensions);
  rope.type = rope_type(keys.text("rope.scaling.type").value_or("none"), gguf.name());
  if (rope.type == RopeType::kDynamic || rope.type == RopeType::kLlama3)
    throw invalid_argument("{}: rope scaling '{}' is not one that GGUF has", gguf.name(),
                           *keys.text("rope.scaling.type"));
  rope.frequency_divisors = read_divisors(gguf, kDivisors, c.rotary_dim < 0 ? c.head_dim : c.rotary_dim);
  rope.factor = keys.number("rope.scaling.factor", kSmallestFactor, kLargestFactor)
                    .value_or(keys.number("rope.scale_linear", kSmallestFactor, kLargestFactor).value_or(1));
  if (!keys.text("rope.scaling.type") && keys.number("rope.scale_linear", kSmallestFactor, kLargestFactor))
    rope.type = RopeType::kLinear;  // files from before rope.scaling
  if (rope.type != RopeType::kYarn) return;

  rope.original_max_position_embeddings = static_cast<int>(
      keys.integer("rope.scaling.original_context_length", 1, kMostPositions).value_or(c.max_position_embeddings));
  rope.beta_fast = keys.number("rope.scaling.yarn_beta_fast", 1e-3, kLargestFactor).value_or(rope.beta_fast);
  rope.beta_slow = keys.number("rope.scaling.yarn_beta_slow", 1e-3, kLargestFactor).value_or(rope.beta_slow);
  rope.mscale = rope.mscale_all_dim =
      10 * keys.number("rope.scaling.yarn_log_multiplier", 0, kLargestFactor).value_or(0);
  for (const char* multiplier :
       {"rope.scaling.yarn_ext_factor", "rope.scaling.yarn_attn_factor", "rope.scaling.attn_factor"}) {
    if (keys.number(multiplier, -1e6, 1e6).value_or(1) != 1)
      throw invalid_argument("{}: {} other than 1 is not supported", gguf.name(), multiplier);
  }
}

void read_longrope(const GgufKeys& keys, ModelConfig& c) {
  const GgufFile& gguf = keys.gguf();
  if (!gguf.tensor(kLongFactors)) return;
  const int rotary_dim = c.rotary_dim < 0 ? c.head_dim : c.rotary_dim;
  const auto read = [&](const char* name) {
    const std::vector<float> factors = read_divisors(gguf, name, rotary_dim);
    return std::vector<double>(factors.begin(), factors.end());
  };
  c.rope.type = RopeType::kLongrope;
  c.rope.long_factor = read(kLongFactors);
  c.rope.short_factor = read(kShortFactors);
  c.rope.original_max_position_embeddings = static_cast<int>(
      keys.integer("rope.scaling.original_context_length", 1, kMostPositions).value_or(c.max_position_embeddings));
  c.rope.attention_factor = keys.number("rope.scaling.attn_factor", 0, kLargestFactor).value_or(1);
}

void describe_rope(const ModelConfig& c, GgufKeyWriter& keys) {
  if (c.rotary_dim == 0) return;
  const RopeParameters& rope = c.rope;
  keys.number("rope.freq_base", rope.rope_theta);
  keys.integer("rope.dimension_count", c.rotary_dim);
  if (rope.type != RopeType::kLinear && rope.type != RopeType::kYarn) return;
  keys.text("rope.scaling.type", rope.type == RopeType::kLinear ? "linear" : "yarn");
  keys.number("rope.scaling.factor", rope.factor);
  if (rope.type != RopeType::kYarn) return;
  keys.integer("rope.scaling.original_context_length", rope.original_max_position_embeddings);
  keys.number("rope.scaling.yarn_beta_fast", rope.beta_fast);
  keys.number("rope.scaling.yarn_beta_slow", rope.beta_slow);
}

void describe_longrope(const ModelConfig& c, GgufKeyWriter& keys) {
  const bool is_longrope = c.rope.type == RopeType::kLongrope;
  keys.integer("rope.scaling.original_context_length",
               is_longrope ? c.rope.original_max_position_embeddings : c.max_position_embeddings);
  if (is_longrope)
    keys.number("rope.scaling.attn_factor", make_rope(c.rope, c.head_dim, c.rotary_dim).attention_factor);
}

std::vector<RopeTensor> rope_tensors(const ModelConfig& c) {
  const auto floats = [](const std::vector<double>& values) {
    return std::vector<float>(values.begin(), values.end());
  };
  if (c.rope.type == RopeType::kLongrope)
    return {{kLongFactors, floats(c.rope.long_factor)}, {kShortFactors, floats(c.rope.short_factor)}};
  if (c.rope.type == RopeType::kLlama3) return {{kDivisors, llama3_divisors(c.rope, c.rotary_dim)}};
  return {};
}

}  // namespace hearth
