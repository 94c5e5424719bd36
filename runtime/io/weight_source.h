// A checkpoint's tensors by their Hugging Face names, whatever the files: safetensors, pytorch_model.bin or GGUF.
// Shapes are compared with what the model's config asks for. What can stay mapped stays mapped; only rows that
// llama.cpp's converter reordered, and values that lie unaligned in the file, are copied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "runtime/base/file.h"
#include "runtime/tensor.h"
#include "runtime/weight.h"

namespace hearth {

class GgufFile;

// llama.cpp's converter stores the rows of a llama's q and k projections so that the pairs which rope rotates, (i, i +
// head_dim / 2), are neighbours. With these numbers of heads the source puts them back; 0: the rows lie as Hugging Face
// has them.
struct InterleavedHeads {
  int num_heads = 0, num_kv_heads = 0;
};

class WeightSource {
 public:
  // Its safetensors, or its pytorch_model.bin when it has no safetensors.
  static WeightSource from_directory(const std::filesystem::path& directory);
  static WeightSource from_gguf(const std::shared_ptr<const GgufFile>& gguf, InterleavedHeads interleaved = {});

  bool has(std::string_view name) const { return tensors_.contains(std::string(name)); }

  // Throw kNotFound when there is no such tensor, kDataCorruption when its shape is another than asked for, and
  // kInvalidArgument for a type that hearth does not compute with; the message names the file.
  Weight matrix(std::string_view name, int64_t out, int64_t in);  // [out, in], in its storage format
  Tensor vector(std::string_view name, int64_t n);                // [n], as f32

  // Gives the resident pages of a mapped tensor back; they are read again when touched.
  void release_pages(std::string_view name) const;

  // Names that neither matrix() nor vector() was asked for, sorted.
  std::vector<std::string> unused() const;
  // "Q4_1" for logs: the format of most bytes.
  std::string_view main_format() const;
  int64_t num_values() const;

 private:
  struct Stored {
    std::string label;             // "<file>: tensor '<its name there>'"
    std::optional<Format> format;  // nothing: `dtype` is none that hearth computes with
    std::string dtype;
    std::vector<int64_t> shape;  // [out, in]
    std::span<const std::byte> bytes;
    std::shared_ptr<const void> owner;
    std::shared_ptr<const MappedFile> file;  // null: not mapped
    int interleaved_heads = 0;
    bool used = false;
  };

  Stored& take(std::string_view name, const std::vector<int64_t>& shape);
  void add(const std::string& name, Stored stored);

  std::unordered_map<std::string, Stored> tensors_;
  std::string place_;  // directory or file, for messages
};

// The Hugging Face name of a GGUF tensor ("blk.3.attn_q.weight" -> "model.layers.3.self_attn.q_proj.weight"); a name
// without one stays as it is.
std::string hugging_face_name(std::string_view gguf_name);

}  // namespace hearth
