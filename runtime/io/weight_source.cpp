#include "runtime/io/weight_source.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <utility>

#include "runtime/base/error.h"
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

std::shared_ptr<std::vector<std::byte>> in_order(std::span<const std::byte> rows, const RowOrder& order) {
  const size_t bytes = rows.size() / order.file_rows;
  auto result = std::make_shared<std::vector<std::byte>>(bytes * order.rows.size());
  for (size_t i = 0; i < order.rows.size(); ++i)
    std::memcpy(result->data() + i * bytes, rows.data() + order.rows[i] * bytes, bytes);
  return result;
}

// [in, out] -> [out, in] of elements of `size` bytes.
std::shared_ptr<std::vector<std::byte>> transposed_copy(std::span<const std::byte> values, int64_t out, int64_t in,
                                                        size_t size) {
  auto result = std::make_shared<std::vector<std::byte>>(values.size());
  for (int64_t o = 0; o < out; ++o) {
    for (int64_t i = 0; i < in; ++i)
      std::memcpy(result->data() + (o * in + i) * size, values.data() + (i * out + o) * size, size);
  }
  return result;
}

constexpr GgufName kLlamaNames[] = {
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
    {"ffn_gate_inp", "mlp.gate"},
    {"ffn_gate_exps", "mlp.experts.*.gate_proj"},
    {"ffn_up_exps", "mlp.experts.*.up_proj"},
    {"ffn_down_exps", "mlp.experts.*.down_proj"},
};

// The name of `part`, which ends in ".weight" or ".bias", by the first table that knows it.
std::optional<std::string> translated(std::string_view part, std::span<const GgufName> own,
                                      std::span<const GgufName> common) {
  const size_t dot = part.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  for (const std::span<const GgufName> table : {own, common}) {
    for (const GgufName& name : table) {
      if (name.gguf == part) return std::string(name.hugging_face);
      if (name.gguf == part.substr(0, dot)) return std::string(name.hugging_face) + std::string(part.substr(dot));
    }
  }
  return std::nullopt;
}

// Of "mlp.experts.3.up_proj.weight" against "mlp.experts.*.up_proj" the ".weight". Nothing where they differ.
std::optional<std::string_view> rest_behind(std::string_view name, std::string_view pattern) {
  const size_t star = pattern.find('*');
  if (star != std::string_view::npos) {
    if (!name.starts_with(pattern.substr(0, star))) return std::nullopt;
    const size_t end = name.find_first_not_of("0123456789", star);
    if (end == star || end == std::string_view::npos) return std::nullopt;
    name.remove_prefix(end);
    pattern.remove_prefix(star + 1);
  }
  if (pattern.empty() && star == std::string_view::npos) return std::nullopt;
  if (!name.starts_with(pattern)) return std::nullopt;
  name.remove_prefix(pattern.size());
  return name.empty() || name == ".weight" || name == ".bias" ? std::optional(name) : std::nullopt;
}

// The way back of translated(): what a family calls otherwise is not the common table's.
std::optional<GgufTensorName> translated_back(std::string_view part, std::span<const GgufName> own,
                                              std::span<const GgufName> common) {
  for (const std::span<const GgufName> table : {own, common}) {
    for (const GgufName& name : table) {
      if (table.data() != own.data() &&
          std::any_of(own.begin(), own.end(), [&](const GgufName& other) { return other.gguf == name.gguf; }))
        continue;
      if (const auto rest = rest_behind(part, name.hugging_face))
        return GgufTensorName{std::string(name.gguf) + std::string(*rest),
                              name.hugging_face.find('*') != std::string_view::npos};
    }
  }
  return std::nullopt;
}

}  // namespace

std::string hugging_face_name(std::string_view gguf_name, const GgufNames& names) {
  constexpr std::string_view kPrefix = "blk.";
  if (!gguf_name.starts_with(kPrefix))
    return translated(gguf_name, names.of_model, {}).value_or(std::string(gguf_name));
  const size_t dot = gguf_name.find('.', kPrefix.size());
  if (dot == std::string_view::npos) return std::string(gguf_name);
  const auto part = translated(gguf_name.substr(dot + 1), names.of_layer, kLlamaNames);
  if (!part) return std::string(gguf_name);
  return fmt::format("{}.{}.{}", names.layers, gguf_name.substr(kPrefix.size(), dot - kPrefix.size()), *part);
}

std::optional<GgufTensorName> gguf_name(std::string_view name, const GgufNames& names) {
  if (!name.starts_with(names.layers) || name.substr(names.layers.size(), 1) != ".")
    return translated_back(name, names.of_model, {});
  const std::string_view behind = name.substr(names.layers.size() + 1);
  const size_t dot = behind.find('.');
  if (dot == std::string_view::npos || dot == 0 || behind.find_first_not_of("0123456789") != dot) return std::nullopt;
  auto part = translated_back(behind.substr(dot + 1), names.of_layer, kLlamaNames);
  if (part) part->name = fmt::format("blk.{}.{}", behind.substr(0, dot), part->name);
  return part;
}

std::shared_ptr<const RowOrder> undo_interleaving(int num_heads, int64_t head_dim) {
  auto order = std::make_shared<RowOrder>();
  order->file_rows = num_heads * head_dim;
  order->rows.resize(order->file_rows);
  for (int64_t row = 0; row < order->file_rows; ++row) {
    const int64_t in_head = row % head_dim;
    order->rows[row - in_head + in_head % 2 * (head_dim / 2) + in_head / 2] = row;
  }
  return order;
}

WeightSource WeightSource::from_directory(const std::filesystem::path& directory) {
  WeightSource source;
  source.place_ = directory.string();
  source.add_directory(directory, {});
  return source;
}

void WeightSource::add_directory(const std::filesystem::path& directory, std::string_view prefix) {
  const bool is_torch =
      has_checkpoint(directory, "pytorch_model.bin") && !has_checkpoint(directory, "model.safetensors");
  for (const auto& file : is_torch ? open_torch_bin(directory) : open_safetensors(directory)) {
    for (const CheckpointFile::Tensor& tensor : file->tensors()) {
      if (!tensor.name.starts_with(prefix)) continue;
      Stored stored;
      stored.label = fmt::format("{}: tensor '{}'", file->name(), printable(tensor.name));
      stored.tensor = tensor.name;
      stored.format = format_of(tensor.dtype);
      stored.dtype = tensor.dtype;
      stored.shape = tensor.shape;
      stored.bytes = tensor.bytes;
      stored.owner = file;
      stored.file = tensor.file;
      add(tensor.name, std::move(stored));
    }
  }
}

WeightSource WeightSource::from_gguf(const std::shared_ptr<const GgufFile>& gguf, const GgufNames& names) {
  WeightSource source;
  source.place_ = gguf->name();
  for (const GgufFile::Tensor& tensor : gguf->tensors()) source.add_gguf(tensor, names, gguf);
  return source;
}

WeightSource WeightSource::planned_gguf(std::span<const GgufFile::Tensor> tensors, std::string place,
                                        const GgufNames& names) {
  WeightSource source;
  source.place_ = std::move(place);
  for (const GgufFile::Tensor& tensor : tensors) source.add_gguf(tensor, names, nullptr);
  return source;
}

void WeightSource::add_gguf(const GgufFile::Tensor& tensor, const GgufNames& names,
                            const std::shared_ptr<const GgufFile>& gguf) {
  const std::string name = hugging_face_name(tensor.name, names);
  Stored stored;
  stored.label = fmt::format("{}: tensor '{}'", place_, printable(tensor.name));
  stored.tensor = tensor.name;
  stored.format = tensor.format;
  stored.dtype = info(tensor.format).name;
  stored.shape.assign(tensor.dims.rend() - tensor.rank, tensor.dims.rend());
  stored.bytes = tensor.bytes;
  stored.owner = gguf;
  if (gguf) stored.file = gguf->file();
  if (name.find('*') != std::string::npos) {
    add_experts(name, stored);
  } else {
    add(name, std::move(stored));
  }
}

void WeightSource::add_experts(const std::string& pattern, const Stored& stored) {
  constexpr int64_t kMostExperts = 1 << 16;
  const size_t star = pattern.find('*');
  const size_t rank = stored.shape.size();
  if (rank < 2 || rank > 3 || stored.shape[0] < 1 || stored.shape[0] > kMostExperts)
    throw data_corruption("{} is {}, must be [experts, out, in] or [heads, n]", stored.label, to_string(stored.shape));
  const int64_t experts = stored.shape[0], rows = rank == 3 ? stored.shape[1] : 1;
  const size_t bytes = stored.bytes.size() / experts;
  for (int64_t e = 0; e < experts; ++e) {
    Stored one = stored;
    one.label += fmt::format(" of expert {}", e);
    one.first_row = e * rows;
    one.shape.erase(one.shape.begin());
    one.bytes = stored.bytes.subspan(e * bytes, bytes);
    add(pattern.substr(0, star) + std::to_string(e) + pattern.substr(star + 1), std::move(one));
  }
}

void WeightSource::add(const std::string& name, Stored stored) {
  const std::string label = stored.label;
  if (!tensors_.emplace(name, std::move(stored)).second)
    throw data_corruption("{} is there under another name too", label);
}

std::vector<std::string> WeightSource::names() const {
  std::vector<std::string> names;
  names.reserve(tensors_.size());
  for (const auto& [name, stored] : tensors_) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

void WeightSource::rename(const std::string& from, const std::string& to) {
  const auto found = tensors_.find(from);
  if (found == tensors_.end() || from == to) return;
  Stored stored = std::move(found->second);
  tensors_.erase(found);
  add(to, std::move(stored));
}

void WeightSource::drop(const std::string& name) { tensors_.erase(name); }

std::vector<int64_t> WeightSource::shape(const std::string& name) const {
  const Stored& stored = tensors_.at(name);
  std::vector<int64_t> shape = stored.shape;
  if (stored.order) shape[0] = static_cast<int64_t>(stored.order->rows.size());
  if (stored.transposed) std::reverse(shape.begin(), shape.end());
  return shape;
}

void WeightSource::reorder_rows(const std::string& name, std::shared_ptr<const RowOrder> order) {
  const auto found = tensors_.find(name);
  if (found != tensors_.end()) found->second.order = std::move(order);
}

void WeightSource::take_rows(const std::string& from, const std::string& to, std::shared_ptr<const RowOrder> order) {
  const auto found = tensors_.find(from);
  if (found == tensors_.end()) return;
  Stored stored = found->second;
  stored.order = std::move(order);
  add(to, std::move(stored));
}

void WeightSource::transpose(const std::string& name) {
  const auto found = tensors_.find(name);
  if (found != tensors_.end()) found->second.transposed = true;
}

void WeightSource::add_to_values(const std::string& name, float offset) {
  const auto found = tensors_.find(name);
  if (found != tensors_.end()) found->second.offset = offset;
}

void WeightSource::flatten(const std::string& name) {
  const auto found = tensors_.find(name);
  if (found == tensors_.end() || found->second.shape.size() != 3) return;
  found->second.tensor.clear();
  std::vector<int64_t>& shape = found->second.shape;
  shape = {shape[0] * shape[1], shape[2]};
}

void WeightSource::as_matrix(const std::string& name) {
  const auto found = tensors_.find(name);
  if (found == tensors_.end() || found->second.shape.size() == 2 || found->second.shape.empty()) return;
  std::vector<int64_t>& shape = found->second.shape;
  if (shape.size() == 1) {
    shape.insert(shape.begin(), 1);
    return;
  }
  int64_t in = 1;
  for (size_t i = 1; i < shape.size(); ++i) in *= shape[i];
  shape = {shape[0], in};
}

void WeightSource::put(const std::string& name, std::vector<int64_t> shape, std::vector<float> values) {
  const auto owner = std::make_shared<std::vector<float>>(std::move(values));
  Stored stored;
  stored.label = fmt::format("{}: tensor '{}'", place_, printable(name));
  stored.format = Format::kF32;
  stored.dtype = info(Format::kF32).name;
  stored.shape = std::move(shape);
  stored.bytes = std::as_bytes(std::span(*owner));
  stored.owner = owner;
  add(name, std::move(stored));
}

WeightSource::Stored& WeightSource::take(std::string_view name, const std::vector<int64_t>& shape) {
  const auto found = tensors_.find(std::string(name));
  if (found == tensors_.end()) throw not_found("{}: has no tensor '{}', which the config asks for", place_, name);
  Stored& stored = found->second;
  std::vector<int64_t> expected = shape;
  if (stored.order) {
    HEARTH_CHECK(static_cast<int64_t>(stored.order->rows.size()) == shape[0]);
    expected[0] = stored.order->file_rows;
  }
  if (stored.transposed) std::reverse(expected.begin(), expected.end());
  const bool is_row = expected.size() == 2 && expected[0] == 1 && stored.shape == std::vector{expected[1]};
  if (stored.shape != expected && !is_row)
    throw data_corruption("{} is {}, the config says {}", stored.label, to_string(stored.shape), to_string(expected));
  if (!stored.format)
    throw invalid_argument("{} is {}, hearth computes with F32, F16 and BF16; convert the checkpoint", stored.label,
                           stored.dtype);
  const bool moves_values = stored.transposed || (stored.order && shape.size() == 1);
  if (moves_values && info(*stored.format).block_size != 1)
    throw data_corruption("{} is {}, which cannot be rearranged", stored.label, stored.dtype);
  stored.used = true;
  return stored;
}

Weight WeightSource::matrix(std::string_view name, int64_t out, int64_t in) {
  const Stored& stored = take(name, {out, in});
  std::shared_ptr<std::vector<std::byte>> copy;
  if (stored.transposed) {
    HEARTH_CHECK(!stored.order);
    copy = transposed_copy(stored.bytes, out, in, stored.bytes.size() / (out * in));
  } else if (stored.order) {
    copy = in_order(stored.bytes, *stored.order);
  } else if (!is_aligned(stored.bytes.data(), *stored.format)) {
    copy = copy_of(stored.bytes);
  }
  if (copy) return Weight(*stored.format, out, in, copy->data(), copy);
  return Weight(*stored.format, out, in, stored.bytes.data(), stored.owner);
}

Tensor WeightSource::vector(std::string_view name, int64_t n) {
  const Stored& stored = take(name, {n});
  const auto copy = stored.order ? in_order(stored.bytes, *stored.order) : copy_of(stored.bytes);
  Tensor values({n});
  dequantize(*stored.format, copy->data(), n, values.data());
  for (float& value : std::span(values.data(), n)) value += stored.offset;
  return values;
}

std::optional<WeightSource::Place> WeightSource::place_of(std::string_view name) const {
  const auto found = tensors_.find(std::string(name));
  if (found == tensors_.end() || found->second.tensor.empty()) return std::nullopt;
  const Stored& stored = found->second;
  return Place{stored.tensor, stored.first_row, stored.order, stored.transposed, stored.offset};
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
