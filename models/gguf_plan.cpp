#include "models/gguf_plan.h"

#include <algorithm>
#include <map>
#include <span>
#include <utility>

#include "models/arranged_weights.h"
#include "models/config_difference.h"
#include "models/gguf_keys.h"
#include "models/registry.h"
#include "models/rope_config.h"
#include "runtime/base/error.h"
#include "runtime/io/gguf.h"
#include "runtime/io/untrusted.h"

namespace hearth {
namespace {

std::vector<GgufEntry> metadata_of(const ModelConfig& c, const Architecture& architecture) {
  GgufKeyWriter keys(std::string(architecture.gguf.name) + ".");
  keys.integer("vocab_size", c.vocab_size);
  keys.integer("context_length", c.max_position_embeddings);
  keys.integer("embedding_length", c.hidden_size);
  keys.integer("block_count", c.num_hidden_layers);
  keys.integer("feed_forward_length", c.intermediate_size);
  keys.integer("attention.head_count", c.num_attention_heads);
  keys.integer("attention.head_count_kv", c.num_key_value_heads);
  keys.integer("attention.key_length", c.head_dim);
  if (c.latent.kv_lora_rank == 0) keys.integer("attention.value_length", c.head_dim);
  keys.number(c.norm.subtracts_mean ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon", c.norm.eps);
  if (!c.mixture.layers.empty()) {
    keys.integer("expert_count", c.mixture.num_experts);
    keys.integer("expert_used_count", c.mixture.num_experts_per_tok);
  }
  describe_rope(c, keys);
  if (architecture.gguf.describe) architecture.gguf.describe(c, keys);
  std::vector<GgufEntry> metadata = {GgufEntry::text("general.architecture", architecture.gguf.name)};
  metadata.insert(metadata.end(), keys.entries().begin(), keys.entries().end());
  return metadata;
}

// The file's tensors by their names, each with its shape as Hugging Face counts.
using Shapes = std::map<std::string, std::vector<int64_t>>;

std::vector<GgufPlan::Part> parts_of(const WeightSource& source, const ModelConfig& config, const std::string& place,
                                     Shapes& shapes) {
  std::vector<GgufPlan::Part> parts;
  for (const std::string& name : source.names()) {
    if (is_superfluous(name, config)) continue;
    const std::optional<GgufTensorName> gguf = gguf_name_of(name, config);
    if (!gguf)
      throw invalid_argument("{}: tensor '{}' has no place in a GGUF of {}; export it with export_format: safetensors",
                             place, printable(name), config.architecture);
    parts.push_back({name, source.shape(name), {}});
    std::vector<int64_t>& shape = shapes[gguf->name];
    if (shape.empty()) {
      shape = parts.back().shape;
      if (gguf->has_many) shape.insert(shape.begin(), 0);
    }
    if (gguf->has_many) ++shape[0];
  }
  return parts;
}

// Without bytes.
std::vector<GgufFile::Tensor> planned_tensors(const Shapes& shapes) {
  std::vector<GgufFile::Tensor> tensors;
  for (const auto& [name, shape] : shapes) {
    GgufFile::Tensor tensor;
    HEARTH_CHECK(shape.size() <= tensor.dims.size());
    tensor.name = name;
    tensor.rank = static_cast<int>(shape.size());
    std::copy(shape.rbegin(), shape.rend(), tensor.dims.begin());
    tensors.push_back(tensor);
  }
  return tensors;
}

// Outside the layers first, then by layers.
bool comes_before(const GgufPlan::Tensor& a, const GgufPlan::Tensor& b) {
  const auto key = [](const std::string& name) {
    return std::pair(name.starts_with("blk.") ? std::stoi(name.substr(4)) : -1, name);
  };
  return key(a.name) < key(b.name);
}

std::vector<GgufPlan::Tensor> laid_out(std::span<const GgufFile::Tensor> planned, std::vector<GgufPlan::Part> parts,
                                       const WeightSource& places, const std::string& file) {
  std::map<std::string_view, GgufPlan::Tensor> tensors;
  for (const GgufFile::Tensor& tensor : planned)
    tensors[tensor.name] = {std::string(tensor.name), {tensor.dims.begin(), tensor.dims.begin() + tensor.rank}, {}};
  for (GgufPlan::Part& part : parts) {
    const std::optional<WeightSource::Place> place = places.place_of(part.name);
    if (!place)
      throw invalid_argument(
          "{}: tensor '{}' cannot be arranged as a GGUF has it; export it with export_format: "
          "safetensors",
          file, printable(part.name));
    HEARTH_CHECK(!place->transposed);
    part.place = *place;
    tensors.at(place->tensor).parts.push_back(std::move(part));
  }
  std::vector<GgufPlan::Tensor> sorted;
  for (auto& [name, tensor] : tensors) {
    std::sort(tensor.parts.begin(), tensor.parts.end(),
              [](const auto& a, const auto& b) { return a.place.first_row < b.place.first_row; });
    sorted.push_back(std::move(tensor));
  }
  std::sort(sorted.begin(), sorted.end(), comes_before);
  return sorted;
}

// The plan as a file, of whose tensors only what read_model_config looks at is there.
ModelConfig read_back(const GgufPlan& plan, const ModelConfig& config, const std::string& place) {
  const std::vector<float> zeros(static_cast<size_t>(config.vocab_size));
  std::vector<GgufTensorToWrite> tensors;
  for (const GgufPlan::Tensor& tensor : plan.tensors) {
    std::span<const float> values = std::span(zeros).first(1);
    std::vector<int64_t> dims = {1};
    if (tensor.name == "token_embd.weight") {
      values = zeros;
      dims = {1, config.vocab_size};
    } else if (!tensor.values.empty()) {
      values = tensor.values;
      dims = tensor.dims;
    }
    tensors.push_back({.name = tensor.name, .format = Format::kF32, .dims = dims, .write = [values](const auto& sink) {
                         sink(std::as_bytes(values));
                       }});
  }
  const std::string image = gguf_image(plan.metadata, tensors);
  return read_model_config(*GgufFile::parse(std::as_bytes(std::span(image)), place + " as GGUF"));
}

void check(GgufPlan& plan, const ModelConfig& config, const std::string& place) {
  const ModelConfig found = read_back(plan, config, place);
  const std::string difference = first_difference(config, found);
  if (!difference.empty())
    throw invalid_argument("{}: GGUF cannot hold the {} of this {}; export it with export_format: safetensors", place,
                           difference, config.architecture);
  const int same = same_up_to(config, found);
  if (same > 0)
    plan.notes.push_back(
        fmt::format("GGUF cannot hold how this {} attends to more than {} tokens: longer texts are answered otherwise",
                    config.architecture, same));
}

}  // namespace

GgufPlan plan_gguf(const WeightSource& source, const ModelConfig& config, const std::string& place) {
  const Architecture& architecture = find_architecture(config.architecture, place);
  Shapes shapes;
  std::vector<GgufPlan::Part> parts = parts_of(source, config, place, shapes);
  const std::vector<GgufFile::Tensor> planned = planned_tensors(shapes);
  GgufPlan plan{
      metadata_of(config, architecture), {}, planned_weights(planned, config, place), config.mixture.num_experts, {}};
  plan.tensors = laid_out(planned, std::move(parts), plan.places, place);
  for (RopeTensor& tensor : rope_tensors(config)) {
    const auto n = static_cast<int64_t>(tensor.values.size());
    plan.tensors.push_back({std::move(tensor.name), {n}, {}, std::move(tensor.values)});
  }
  check(plan, config, place);
  return plan;
}

}  // namespace hearth
