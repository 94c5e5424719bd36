#include "models/gguf_keys.h"

#include "models/model_config.h"
#include "runtime/base/error.h"
#include "runtime/io/gguf.h"

namespace hearth {
namespace {

template <class T>
void check_range(const std::string& place, const std::string& key, T value, T least, T most) {
  if (!(value >= least && value <= most))
    throw data_corruption("{}: metadata '{}' is {}, must be from {} to {}", place, key, value, least, most);
}

template <class T>
T required(const std::string& place, const std::string& key, std::optional<T> value) {
  if (!value) throw data_corruption("{}: has no metadata '{}'", place, key);
  return *value;
}

}  // namespace

const std::string& GgufKeys::place() const { return gguf_.name(); }

std::optional<int64_t> GgufKeys::integer(std::string_view key, int64_t least, int64_t most) const {
  const auto value = gguf_.integer(full(key));
  if (value) check_range(place(), full(key), *value, least, most);
  return value;
}

std::optional<double> GgufKeys::number(std::string_view key, double least, double most) const {
  const auto value = gguf_.number(full(key));
  if (value) check_range(place(), full(key), *value, least, most);
  return value;
}

std::optional<std::string_view> GgufKeys::text(std::string_view key) const { return gguf_.string(full(key)); }

std::optional<bool> GgufKeys::boolean(std::string_view key) const { return gguf_.boolean(full(key)); }

int64_t GgufKeys::required_integer(std::string_view key, int64_t least, int64_t most) const {
  return required(place(), full(key), integer(key, least, most));
}

double GgufKeys::required_number(std::string_view key, double least, double most) const {
  return required(place(), full(key), number(key, least, most));
}

void GgufKeys::refuse(std::string_view key) const {
  const double value = number(key, -1e300, 1e300).value_or(0);
  if (value != 0 && value != 1)
    throw invalid_argument("{}: metadata '{}' is {}, which hearth does not support", place(), full(key), value);
}

void GgufKeyWriter::integer(std::string_view key, int64_t value) {
  entries_.push_back(GgufEntry::number(full(key), static_cast<uint32_t>(value)));
}

void GgufKeyWriter::number(std::string_view key, double value) {
  entries_.push_back(GgufEntry::real(full(key), static_cast<float>(value)));
}

void GgufKeyWriter::text(std::string_view key, std::string_view value) {
  entries_.push_back(GgufEntry::text(full(key), value));
}

void GgufKeyWriter::boolean(std::string_view key, bool value) {
  entries_.push_back(GgufEntry::boolean(full(key), value));
}

void read_experts(const GgufKeys& keys, ModelConfig& config) {
  MixtureConfig& mixture = config.mixture;
  mixture.num_experts = static_cast<int>(keys.required_integer("expert_count", 1, kMostExperts));
  mixture.num_experts_per_tok = static_cast<int>(keys.required_integer("expert_used_count", 1, kMostExperts));
  mixture.moe_intermediate_size =
      keys.integer("expert_feed_forward_length", 1, kWidest).value_or(config.intermediate_size);
  mixture.layers.resize(config.num_hidden_layers);
  for (int i = 0; i < config.num_hidden_layers; ++i)
    mixture.layers[i] = keys.gguf().tensor(fmt::format("blk.{}.ffn_gate_inp.weight", i)) != nullptr;
}

}  // namespace hearth
