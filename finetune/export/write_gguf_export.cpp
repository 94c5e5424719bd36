#include "finetune/export/write_gguf_export.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "finetune/export/gguf_types.h"
#include "finetune/export/written_weights.h"
#include "runtime/base/error.h"
#include "runtime/io/gguf_writer.h"
#include "runtime/io/untrusted.h"
#include "runtime/kernels/quantize.h"

namespace hearth {
namespace {

constexpr uint64_t kDefaultAlignment = 32;
constexpr uint32_t kQuantizationVersion = 2;  // of ggml's block layouts

void set(std::vector<GgufEntry>& metadata, GgufEntry entry) {
  const auto found =
      std::find_if(metadata.begin(), metadata.end(), [&](const GgufEntry& one) { return one.key == entry.key; });
  if (found == metadata.end()) {
    metadata.push_back(std::move(entry));
  } else {
    *found = std::move(entry);
  }
}

std::vector<GgufEntry> metadata_of(const GgufFile& base, const GgufExport& how) {
  std::vector<GgufEntry> metadata;
  for (const GgufFile::Entry& entry : base.entries())
    metadata.push_back(
        {std::string(entry.key), std::string(reinterpret_cast<const char*>(entry.bytes.data()), entry.bytes.size())});
  if (how.quantization) {
    set(metadata, GgufEntry::number("general.file_type", gguf_file_type(*how.quantization)));
    set(metadata, GgufEntry::number("general.quantization_version", kQuantizationVersion));
  }
  if (how.chat.jinja) set(metadata, GgufEntry::text("tokenizer.chat_template", *how.chat.jinja));
  if (how.chat.eos)
    set(metadata, GgufEntry::number("tokenizer.ggml.eos_token_id",
                                    static_cast<uint32_t>(how.tokenizer.token_id(*how.chat.eos).value())));
  return metadata;
}

Format format_of(const GgufFile::Tensor& tensor, const ChangedTensors& changed, const GgufExport& how,
                 const GgufShape& shape) {
  const Format format = how.quantization ? gguf_tensor_format(tensor, *how.quantization, shape) : tensor.format;
  if (!can_quantize(format) && (changed.has(tensor.name) || format != tensor.format))
    throw invalid_argument(
        "tensor '{}' is {}, which hearth only reads, and the adapters change it: add export_quantization: q4_k_m or "
        "q8_0",
        printable(tensor.name), info(format).name);
  return format;
}

StoredTensor as_rows(const GgufFile::Tensor& tensor) {
  const int64_t columns = tensor.rank > 1 ? tensor.dims[0] : 1;
  const int64_t values = tensor.dims[0] * tensor.dims[1] * tensor.dims[2] * tensor.dims[3];
  return {tensor.name, tensor.format, values / columns, columns, tensor.bytes};
}

}  // namespace

void write_gguf_export(const GgufFile& base, const ChangedTensors& changed, const GgufExport& how,
                       const ExportDirectory& directory, ExportMonitor& monitor) {
  const GgufShape shape = GgufShape::of(base);
  WrittenBytes written(monitor);
  std::vector<GgufTensorToWrite> tensors;
  uint64_t total = 0;
  for (const GgufFile::Tensor& tensor : base.tensors()) {
    const Format format = format_of(tensor, changed, how, shape);
    tensors.push_back({.name = std::string(tensor.name),
                       .format = format,
                       .dims = {tensor.dims.begin(), tensor.dims.begin() + tensor.rank},
                       .write = [&, format](const GgufTensorToWrite::Sink& sink) {
                         write_values(as_rows(tensor), changed, format, sink, written);
                         if (base.file())
                           base.file()->release_pages(
                               static_cast<size_t>(tensor.bytes.data() - base.file()->bytes().data()),
                               tensor.bytes.size());
                       }});
    total += tensors.back().bytes();
  }
  written.expect(total);
  directory.require_space(total);
  const auto alignment = static_cast<uint64_t>(base.integer("general.alignment").value_or(kDefaultAlignment));
  write_gguf(directory.path() / kGgufFile, metadata_of(base, how), alignment, tensors);
}

}  // namespace hearth
