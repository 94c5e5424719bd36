#include "runtime/io/weight_source.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <utility>

#include "runtime/base/error.h"
#include "runtime/io/gguf.h"
#include "runtime/io/safetensors.h"
#include "runtime/io/torch_bin.h"
#include "runtime/io/untrusted.h"

namespace hearth {
namespace {

std::optional<Format> format_of(std::string_view dtype) {
  if (dtype == "F32") return Format::kF32;
  if (dtype == "F16") return Format::kF16;
  if (dtype == "BF16") return Format::kBF16;
  return std::nullopt;
}

std::string to_string(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (const int64_t dim : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(dim);
  return text + "]";
}

// Kernels read blocks through their element types: f32, or 16-bit scales and bytes.
bool is_aligned(const std::byte* data, Format format) {
  return reinterpret_cast<uintptr_t>(data) % (format == Format::kF32 ? alignof(float) : alignof(uint16_t)) == 0;
}

std::shared_ptr<std::vector<std::byte>> copy_of(std::span<const std::byte> bytes) {
  return std::make_shared<std::vector<std::byte>>(bytes.begin(), bytes.end());
}

// Rows in Hugging Face's order from rows in the converter's, whatever a row is: row 2i + j of a head becomes row j *
// half + i.
std::shared_ptr<std::vector<std::byte>> undo_interleaving(std::span<const std::byte> rows, int64_t num_rows,
                                                          int heads) {
  const size_t bytes = rows.size() / num_rows;
  const int64_t head_rows = num_rows / heads, half = head_rows / 2;
  auto result = std::make_shared<std::vector<std::byte>>(rows.size());
  for (int64_t row = 0; row < num_rows; ++row) {
    const int64_t in_head = row % head_rows;
    const int64_t target = row - in_head + in_head % 2 * half + in_head / 2;
    std::memcpy(result->data() + target * bytes, rows.data() + row * bytes, bytes);
  }
  return result;
}

constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kLayerNames{{
    {"attn_norm", "input_layernorm"},
    {"attn_q", "self_attn.q_proj"},
    {"attn_k", "self_attn.k_proj"},
    {"attn_v", "self_attn.v_proj"},
    {"attn_q_norm", "self_attn.q_norm"},
    {"attn_k_norm", "self_attn.k_norm"},
    {"attn_output", "self_attn.o_proj"},
    {"ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},
    {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"},
}};
constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kModelNames{{
    {"token_embd.weight", "model.embed_tokens.weight"},
    {"output_norm.weight", "model.norm.weight"},
    {"output.weight", "lm_head.weight"},
}};

}  // namespace

std::string hugging_face_name(std::string_view gguf_name) {
  for (const auto& [gguf, name] : kModelNames)
    if (gguf == gguf_name) return std::string(name);
  constexpr std::string_view kPrefix = "blk.";
  const size_t dot = gguf_name.find('.', kPrefix.size());
  const size_t last = gguf_name.rfind('.');
  if (!gguf_name.starts_with(kPrefix) || dot == std::string_view::npos || last <= dot) return std::string(gguf_name);
  const std::string_view part = gguf_name.substr(dot + 1, last - dot - 1);
  for (const auto& [gguf, name] : kLayerNames) {
    if (gguf == part)
      return fmt::format("model.layers.{}.{}{}", gguf_name.substr(kPrefix.size(), dot - kPrefix.size()), name,
                         gguf_name.substr(last));
  }
  return std::string(gguf_name);
}

WeightSource WeightSource::from_directory(const std::filesystem::path& directory) {
  WeightSource source;
  source.place_ = directory.string();
  const bool is_torch =
      has_checkpoint(directory, "pytorch_model.bin") && !has_checkpoint(directory, "model.safetensors");
  for (const auto& file : is_torch ? open_torch_bin(directory) : open_safetensors(directory)) {
    for (const CheckpointFile::Tensor& tensor : file->tensors()) {
      Stored stored;
      stored.label = fmt::format("{}: tensor '{}'", file->name(), printable(tensor.name));
      stored.format = format_of(tensor.dtype);
      stored.dtype = tensor.dtype;
      stored.shape = tensor.shape;
      stored.bytes = tensor.bytes;
      stored.owner = file;
      stored.file = tensor.file;
      source.add(tensor.name, std::move(stored));
    }
  }
  return source;
}

WeightSource WeightSource::from_gguf(const std::shared_ptr<const GgufFile>& gguf, InterleavedHeads interleaved) {
  WeightSource source;
  source.place_ = gguf->name();
  for (const GgufFile::Tensor& tensor : gguf->tensors()) {
    const std::string name = hugging_face_name(tensor.name);
    Stored stored;
    stored.label = fmt::format("{}: tensor '{}'", gguf->name(), printable(tensor.name));
    stored.format = tensor.format;
    stored.dtype = info(tensor.format).name;
    stored.shape.assign(tensor.dims.rend() - tensor.rank, tensor.dims.rend());
    stored.bytes = tensor.bytes;
    stored.owner = gguf;
    stored.file = gguf->file();
    if (name.find("self_attn.q_proj.") != std::string::npos) stored.interleaved_heads = interleaved.num_heads;
    if (name.find("self_attn.k_proj.") != std::string::npos) stored.interleaved_heads = interleaved.num_kv_heads;
    source.add(name, std::move(stored));
  }
  return source;
}

void WeightSource::add(const std::string& name, Stored stored) {
  const std::string label = stored.label;
  if (!tensors_.emplace(name, std::move(stored)).second)
    throw data_corruption("{} is there under another name too", label);
}

WeightSource::Stored& WeightSource::take(std::string_view name, const std::vector<int64_t>& shape) {
  const auto found = tensors_.find(std::string(name));
  if (found == tensors_.end()) throw not_found("{}: has no tensor '{}', which the config asks for", place_, name);
  Stored& stored = found->second;
  if (stored.shape != shape)
    throw data_corruption("{} is {}, the config says {}", stored.label, to_string(stored.shape), to_string(shape));
  if (!stored.format)
    throw invalid_argument("{} is {}, hearth computes with F32, F16 and BF16; convert the checkpoint", stored.label,
                           stored.dtype);
  if (stored.interleaved_heads > 0 && shape[0] % (2 * int64_t{stored.interleaved_heads}) != 0)
    throw data_corruption("{} has {} rows, which {} heads cannot share evenly", stored.label, shape[0],
                          stored.interleaved_heads);
  if (stored.interleaved_heads > 0 && shape.size() == 1 && info(*stored.format).block_size != 1)
    throw data_corruption("{} is {}, which cannot be reordered", stored.label, stored.dtype);
  stored.used = true;
  return stored;
}

Weight WeightSource::matrix(std::string_view name, int64_t out, int64_t in) {
  const Stored& stored = take(name, {out, in});
  if (stored.interleaved_heads > 0) {
    const auto rows = undo_interleaving(stored.bytes, out, stored.interleaved_heads);
    return Weight(*stored.format, out, in, rows->data(), rows);
  }
  if (!is_aligned(stored.bytes.data(), *stored.format)) {
    const auto rows = copy_of(stored.bytes);
    return Weight(*stored.format, out, in, rows->data(), rows);
  }
  return Weight(*stored.format, out, in, stored.bytes.data(), stored.owner);
}

Tensor WeightSource::vector(std::string_view name, int64_t n) {
  const Stored& stored = take(name, {n});
  const auto copy = stored.interleaved_heads > 0 ? undo_interleaving(stored.bytes, n, stored.interleaved_heads)
                                                 : copy_of(stored.bytes);
  Tensor values({n});
  dequantize(*stored.format, copy->data(), n, values.data());
  return values;
}

void WeightSource::release_pages(std::string_view name) const {
  const auto found = tensors_.find(std::string(name));
  if (found == tensors_.end() || !found->second.file) return;
  const Stored& stored = found->second;
  stored.file->release_pages(static_cast<size_t>(stored.bytes.data() - stored.file->bytes().data()),
                             stored.bytes.size());
}

std::vector<std::string> WeightSource::unused() const {
  std::vector<std::string> names;
  for (const auto& [name, stored] : tensors_)
    if (!stored.used) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

std::string_view WeightSource::main_format() const {
  std::map<std::string_view, size_t> bytes;
  for (const auto& [name, stored] : tensors_) bytes[stored.dtype] += stored.bytes.size();
  const auto most =
      std::max_element(bytes.begin(), bytes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == bytes.end() ? std::string_view() : most->first;
}

int64_t WeightSource::num_values() const {
  int64_t total = 0;
  for (const auto& [name, stored] : tensors_) {
    int64_t values = 1;
    for (const int64_t dim : stored.shape) values *= dim;
    total += values;
  }
  return total;
}

}  // namespace hearth
