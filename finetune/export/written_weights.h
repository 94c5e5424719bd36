// What the writers of an export's weights share: the values of a tensor of the checkpoint, changed by the adapters and
// brought to the type that is written, and how far the work is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "finetune/export/changed_tensors.h"
#include "finetune/export/export_model.h"
#include "runtime/kernels/format.h"

namespace hearth {

class WrittenBytes {
 public:
  explicit WrittenBytes(ExportMonitor& monitor) : monitor_(monitor) {}
  void expect(uint64_t total) { total_ = total; }
  // Throws kCancelled.
  void add(uint64_t bytes);

 private:
  ExportMonitor& monitor_;
  uint64_t total_ = 0, done_ = 0;
};

// A tensor as the checkpoint's file has it.
struct StoredTensor {
  std::string_view name;
  Format format;
  int64_t rows, columns;  // of a vector [n, 1] where its values lie one by one
  std::span<const std::byte> bytes;
};

// The same of any values, which are made when they are read.
struct ValuesToWrite {
  std::string_view name;
  int64_t rows, columns;
  // Rows [begin, end) as f32.
  std::function<void(int64_t begin, int64_t end, float* values)> read;
};

using ByteSink = std::function<void(std::span<const std::byte>)>;

// The values after the adapters, in `format`; bit for bit those of the file where neither they nor the type change.
// Throws kInvalidArgument for values that are not finite where the type has no such.
void write_values(const StoredTensor& stored, const ChangedTensors& changed, Format format, const ByteSink& sink,
                  WrittenBytes& written);
void write_values(const ValuesToWrite& tensor, const ChangedTensors& changed, Format format, const ByteSink& sink,
                  WrittenBytes& written);

}  // namespace hearth
