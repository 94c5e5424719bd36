#include "finetune/export/write_checkpoint.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "finetune/export/written_weights.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/io/checkpoint_file.h"
#include "runtime/io/safetensors.h"
#include "runtime/io/safetensors_writer.h"
#include "runtime/io/torch_bin.h"

namespace hearth {
namespace {

using Shard = std::vector<TensorToWrite>;

constexpr const char* kWeights = "model.safetensors";

std::optional<Format> float_format(std::string_view dtype) {
  for (const Format format : {Format::kF32, Format::kF16, Format::kBF16})
    if (info(format).name == dtype) return format;
  return std::nullopt;
}

void give_back(const CheckpointFile::Tensor& stored) {
  if (!stored.file) return;
  stored.file->release_pages(static_cast<size_t>(stored.bytes.data() - stored.file->bytes().data()),
                             stored.bytes.size());
}

// The last dimension, and all others together.
StoredTensor as_rows(const CheckpointFile::Tensor& stored, Format format) {
  const int64_t columns = stored.shape.size() > 1 ? stored.shape.back() : 1;
  const auto values = static_cast<int64_t>(stored.bytes.size() / row_bytes(format, 1));
  return {stored.name, format, columns > 0 ? values / columns : 0, columns, stored.bytes};
}

TensorToWrite to_write(const CheckpointFile::Tensor& stored, const ChangedTensors& changed, std::optional<Format> dtype,
                       WrittenBytes& written) {
  const std::optional<Format> format = float_format(stored.dtype);
  if (!format && changed.has(stored.name))
    throw invalid_argument("tensor '{}' is {}, and the adapters change it; convert the checkpoint to F32, F16 or BF16",
                           stored.name, stored.dtype);
  const Format out = dtype.value_or(format.value_or(Format::kF32));
  return {.name = stored.name,
          .dtype = format ? std::string(info(out).name) : stored.dtype,
          .shape = stored.shape,
          .write = [&stored, &changed, &written, format, out](const TensorToWrite::Sink& sink) {
            if (format) {
              write_values(as_rows(stored, *format), changed, out, sink, written);
            } else {
              sink(stored.bytes);
              written.add(stored.bytes.size());
            }
            give_back(stored);
          }};
}

uint64_t size_of(const TensorToWrite& tensor) {
  return tensor_bytes(dtype_bytes(tensor.dtype).value_or(0), tensor.shape).value_or(0);
}

// In their order, each file as full as it may be; a larger tensor has one of its own.
std::vector<Shard> shards_of(std::vector<TensorToWrite> tensors, uint64_t most) {
  std::vector<Shard> shards(1);
  uint64_t held = 0;
  for (TensorToWrite& tensor : tensors) {
    const uint64_t bytes = size_of(tensor);
    if (!shards.back().empty() && held + bytes > most) {
      shards.emplace_back();
      held = 0;
    }
    held += bytes;
    shards.back().push_back(std::move(tensor));
  }
  return shards;
}

void write_shards(std::vector<Shard> shards, uint64_t total, const std::filesystem::path& directory) {
  std::map<std::string, std::string> weight_map;
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string file = fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
    for (const TensorToWrite& tensor : shards[i]) weight_map[tensor.name] = file;
    write_safetensors(directory / file, std::move(shards[i]));
  }
  const nlohmann::ordered_json index = {{"metadata", {{"total_size", total}}}, {"weight_map", weight_map}};
  write_file_atomic(directory / fmt::format("{}.index.json", kWeights), index.dump(2) + "\n");
}

}  // namespace

void write_checkpoint(const std::filesystem::path& source, const ChangedTensors& changed, std::optional<Format> dtype,
                      uint64_t shard_bytes, const ExportDirectory& directory, ExportMonitor& monitor) {
  const CheckpointFiles files = has_checkpoint(source, kWeights) ? open_safetensors(source) : open_torch_bin(source);
  WrittenBytes written(monitor);
  std::vector<TensorToWrite> tensors;
  for (const auto& file : files)
    for (const CheckpointFile::Tensor& stored : file->tensors())
      tensors.push_back(to_write(stored, changed, dtype, written));
  uint64_t total = 0;
  for (const TensorToWrite& tensor : tensors) total += size_of(tensor);
  written.expect(total);
  directory.require_space(total);
  std::vector<Shard> shards = shards_of(std::move(tensors), shard_bytes);
  if (shards.size() == 1)
    write_safetensors(directory.path() / kWeights, std::move(shards.front()));
  else
    write_shards(std::move(shards), total, directory.path());
}

}  // namespace hearth
