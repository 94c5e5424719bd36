#include "finetune/export/write_gguf_export.h"

#include <algorithm>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "finetune/export/gguf_types.h"
#include "finetune/export/written_weights.h"
#include "models/gguf_rows.h"
#include "runtime/base/error.h"
#include "runtime/io/gguf_writer.h"
#include "runtime/io/untrusted.h"
#include "runtime/kernels/quantize.h"

namespace hearth {
namespace {

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

std::vector<GgufEntry> metadata_of(const GgufFile& base) {
  std::vector<GgufEntry> metadata;
  for (const GgufFile::Entry& entry : base.entries())
    metadata.push_back(
        {std::string(entry.key), std::string(reinterpret_cast<const char*>(entry.bytes.data()), entry.bytes.size())});
  return metadata;
}

// With what the export changes in it.
std::vector<GgufEntry> completed(std::vector<GgufEntry> metadata, const GgufExport& how) {
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
  const GgufTensorKind kind{tensor.name, std::span(tensor.dims).first(tensor.rank), tensor.format};
  const Format format = how.quantization ? gguf_tensor_format(kind, *how.quantization, shape) : tensor.format;
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

void write_all(std::span<const GgufEntry> metadata, uint64_t alignment, std::span<const GgufTensorToWrite> tensors,
               const ExportDirectory& directory, WrittenBytes& written) {
  uint64_t total = 0;
  for (const GgufTensorToWrite& tensor : tensors) total += tensor.bytes();
  written.expect(total);
  directory.require_space(total);
  write_gguf(directory.path() / kGgufFile, metadata, alignment, tensors);
}

}  // namespace

void write_gguf_export(const GgufFile& base, const ChangedTensors& changed, const GgufExport& how,
                       const ExportDirectory& directory, ExportMonitor& monitor) {
  const GgufShape shape = GgufShape::of(base);
  WrittenBytes written(monitor);
  std::vector<GgufTensorToWrite> tensors;
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
  }
  const auto alignment = static_cast<uint64_t>(base.integer("general.alignment").value_or(kGgufAlignment));
  write_all(completed(metadata_of(base), how), alignment, tensors, directory, written);
}

void write_gguf_export(const CheckpointAsGguf& base, WeightSource& source, const ChangedTensors& changed,
                       const GgufExport& how, const ExportDirectory& directory, ExportMonitor& monitor) {
  GgufShape shape{.num_experts = base.plan.num_experts};
  for (const GgufPlan::Tensor& tensor : base.plan.tensors) shape.add(tensor.name);
  WrittenBytes written(monitor);
  std::vector<GgufTensorToWrite> tensors;
  for (const GgufPlan::Tensor& tensor : base.plan.tensors) {
    // What the mixture leaves as it is, the converter writes in f32.
    const Format format = gguf_tensor_format({tensor.name, tensor.dims, Format::kF32}, how.quantization.value(), shape);
    tensors.push_back({.name = tensor.name,
                       .format = format,
                       .dims = tensor.dims,
                       .write = [&, format](const GgufTensorToWrite::Sink& sink) {
                         GgufRows rows(source, tensor);
                         const auto read = [&](int64_t begin, int64_t end, float* values) {
                           rows.read(begin, end, values);
                         };
                         write_values({tensor.name, rows.rows(), rows.columns(), read}, changed, format, sink, written);
                       }});
  }
  write_all(completed(base.metadata, how), kGgufAlignment, tensors, directory, written);
}

}  // namespace hearth
