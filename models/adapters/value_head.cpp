#include "models/adapters/value_head.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string_view>
#include <vector>

#include "models/adapters/initial_factors.h"
#include "models/adapters/stored_values.h"
#include "runtime/base/error.h"
#include "runtime/base/random.h"
#include "runtime/io/safetensors.h"
#include "runtime/io/safetensors_writer.h"
#include "runtime/io/torch_bin.h"
#include "runtime/io/untrusted.h"

namespace hearth {
namespace {

constexpr const char* kSafetensors = "value_head.safetensors";
constexpr const char* kTorchBin = "value_head.bin";
constexpr std::string_view kWeight = "v_head.summary.weight", kBias = "v_head.summary.bias";

ValueHead undefined_head(const LanguageModel& model) {
  return {{std::string(kWeight), {}, {}}, {std::string(kBias), {}, {}}, model.output_head().hidden_multiplier};
}

std::shared_ptr<const CheckpointFile> open(const std::filesystem::path& directory) {
  if (std::filesystem::exists(directory / kSafetensors)) return SafetensorsFile::open(directory / kSafetensors);
  if (std::filesystem::exists(directory / kTorchBin)) return TorchBinFile::open(directory / kTorchBin);
  throw not_found("{}: has neither {} nor {}, so it is no reward model", directory.string(), kSafetensors, kTorchBin);
}

void refuse_others(const CheckpointFile& file) {
  for (const CheckpointFile::Tensor& stored : file.tensors()) {
    if (stored.name != kWeight && stored.name != kBias)
      throw invalid_argument("{}: has a tensor '{}'; a value head has '{}' and '{}' alone", file.name(),
                             printable(stored.name), kWeight, kBias);
  }
}

Tensor read(const CheckpointFile& file, std::string_view name, const std::vector<int64_t>& shape) {
  const CheckpointFile::Tensor* stored = file.tensor(name);
  if (!stored) throw invalid_argument("{}: has no tensor '{}'", file.name(), name);
  if (stored->shape != shape)
    throw invalid_argument("{}: '{}' is [{}], must be [{}] for this model", file.name(), name,
                           fmt::join(stored->shape, ", "), fmt::join(shape, ", "));
  Tensor values = stored_values(file, *stored);
  const float *begin = values.data(), *end = begin + values.size();
  const float* bad = std::find_if_not(begin, end, [](float value) { return std::isfinite(value); });
  if (bad != end)
    throw data_corruption("{}: value {} of '{}' is {}, must be finite", file.name(), bad - begin, name, *bad);
  return values;
}

}  // namespace

ValueHead new_value_head(const LanguageModel& model, uint64_t seed) {
  const int64_t hidden_size = model.dims().hidden_size;
  Random random(seed);
  ValueHead head = undefined_head(model);
  head.weight.value = random_linear({1, hidden_size}, hidden_size, random);
  head.bias.value = random_linear({1}, hidden_size, random);
  return head;
}

const std::filesystem::path& value_head_place(const std::filesystem::path& model,
                                              std::span<const std::filesystem::path> adapters) {
  return adapters.empty() ? model : adapters.back();
}

bool has_value_head(const std::filesystem::path& directory) {
  return std::filesystem::exists(directory / kSafetensors) || std::filesystem::exists(directory / kTorchBin);
}

ValueHead read_value_head(const std::filesystem::path& directory, const LanguageModel& model) {
  const std::shared_ptr<const CheckpointFile> file = open(directory);
  refuse_others(*file);
  ValueHead head = undefined_head(model);
  head.weight.value = read(*file, kWeight, {1, model.dims().hidden_size});
  head.bias.value = read(*file, kBias, {1});
  return head;
}

void write_value_head(const std::filesystem::path& directory, const ValueHead& head) {
  write_safetensors(directory / kSafetensors, {TensorToWrite::f32(head.weight.name, head.weight.value),
                                               TensorToWrite::f32(head.bias.name, head.bias.value)});
}

}  // namespace hearth
