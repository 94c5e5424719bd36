// A checkpoint's tensors by their Hugging Face names, whatever the files: safetensors, pytorch_model.bin or GGUF. What
// a file's writer did to them (other names, reordered rows, experts in one block) is declared by the architecture and
// undone here, so a model sees one layout. Shapes are compared with what its config asks for. What can stay mapped
// stays mapped; only what is rearranged, and values that lie unaligned in the file, are copied.
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
#include "runtime/io/gguf.h"
#include "runtime/tensor.h"
#include "runtime/weight.h"

namespace hearth {

// "attn_norm" -> "input_layernorm", without ".weight" and ".bias" (with them where the other side has none). A '*' is
// the number of an expert or a head: the file has all of them in one tensor of one more dimension.
struct GgufName {
  std::string_view gguf, hugging_face;
};

struct GgufNames {
  std::string_view layers = "model.layers";  // what Hugging Face calls "blk"
  std::span<const GgufName> of_layer = {};   // that differ from a llama's (kLlamaNames in the .cpp)
  std::span<const GgufName> of_model = {};   // outside the layers
};

// Row i of a tensor is row rows[i] of the file's, which has file_rows.
struct RowOrder {
  int64_t file_rows;
  std::vector<int64_t> rows;
};

// llama.cpp's converter stores the rows of a llama's q and k projections so that the pairs which rope rotates, (i, i +
// head_dim / 2), are neighbours: file row 2i + j of a head is row j * head_dim / 2 + i. This puts them back.
std::shared_ptr<const RowOrder> undo_interleaving(int num_heads, int64_t head_dim);

class WeightSource {
 public:
  // Its safetensors, or its pytorch_model.bin when it has no safetensors.
  static WeightSource from_directory(const std::filesystem::path& directory);
  // Those tensors of another such directory whose names begin so, as if they were in this one's files.
  void add_directory(const std::filesystem::path& directory, std::string_view prefix);
  static WeightSource from_gguf(const std::shared_ptr<const GgufFile>& gguf, const GgufNames& names = {});
  // Of a file that is yet to be written: its tensors have no bytes, and place_of() says where they come. `place` stands
  // for it in messages.
  static WeightSource planned_gguf(std::span<const GgufFile::Tensor> tensors, std::string place,
                                   const GgufNames& names);

  bool has(std::string_view name) const { return tensors_.contains(std::string(name)); }
  std::vector<std::string> names() const;  // sorted
  // As the model sees it: [out, in] or [n]. `name` is there.
  std::vector<int64_t> shape(const std::string& name) const;

  // How the file's tensors become those that the model asks for. Names that are not there are left to matrix() and
  // vector() to miss.
  void rename(const std::string& from, const std::string& to);
  void drop(const std::string& name);
  void reorder_rows(const std::string& name, std::shared_ptr<const RowOrder> order);
  // Tensor `to` is some rows of `from`, which may be shared among several and is gone itself once it is dropped.
  void take_rows(const std::string& from, const std::string& to, std::shared_ptr<const RowOrder> order);
  void transpose(const std::string& name);                    // the file has [in, out]
  void add_to_values(const std::string& name, float offset);  // of a vector
  void flatten(const std::string& name);                      // [a, b, c] -> [a * b, c]
  void as_matrix(const std::string& name);                    // [a, b, c, ...] -> [a, b * c * ...]; [n] -> [1, n]
  void put(const std::string& name, std::vector<int64_t> shape, std::vector<float> values);

  // Throw kNotFound when there is no such tensor, kDataCorruption when its shape is another than asked for, and
  // kInvalidArgument for a type that hearth does not compute with; the message names the file.
  Weight matrix(std::string_view name, int64_t out, int64_t in);  // [out, in], in its storage format
  Tensor vector(std::string_view name, int64_t n);                // [n], as f32

  // Where the file has the values that a model sees under a name: of its tensor `tensor` the rows that `order` gives,
  // or those from first_row on as they lie, transposed or plus an offset.
  struct Place {
    std::string_view tensor;  // as the file spells it; lives as long as the source
    int64_t first_row = 0;
    std::shared_ptr<const RowOrder> order;  // null: as they lie
    bool transposed = false;
    float offset = 0;
  };
  // Nothing for a name that is not there and for values that are no rows of one tensor (what was put or flattened).
  std::optional<Place> place_of(std::string_view name) const;

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
    std::string tensor;            // that name; empty: it is no tensor of the file's by itself
    std::optional<Format> format;  // nothing: `dtype` is none that hearth computes with
    std::string dtype;
    std::vector<int64_t> shape;  // [out, in]
    std::span<const std::byte> bytes;
    std::shared_ptr<const void> owner;
    std::shared_ptr<const MappedFile> file;  // null: not mapped
    int64_t first_row = 0;                   // of the file's tensor, where this is a part of it
    std::shared_ptr<const RowOrder> order;   // null: as they lie
    bool transposed = false;
    float offset = 0;
    bool used = false;
  };

  Stored& take(std::string_view name, const std::vector<int64_t>& shape);
  void add(const std::string& name, Stored stored);
  void add_gguf(const GgufFile::Tensor& tensor, const GgufNames& names, const std::shared_ptr<const GgufFile>& gguf);
  void add_experts(const std::string& pattern, const Stored& stored);

  std::unordered_map<std::string, Stored> tensors_;
  std::string place_;  // directory or file, for messages
};

// The Hugging Face name of a GGUF tensor ("blk.3.attn_q.weight" -> "model.layers.3.self_attn.q_proj.weight"); a name
// without one stays as it is.
std::string hugging_face_name(std::string_view gguf_name, const GgufNames& names = {});
// The way back, for writing. Nothing for a name that GGUF has not.
struct GgufTensorName {
  std::string name;
  bool has_many;  // of an expert or a head: the tensor has all of them
};
std::optional<GgufTensorName> gguf_name(std::string_view hugging_face_name, const GgufNames& names = {});

}  // namespace hearth
