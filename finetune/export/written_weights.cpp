#include "finetune/export/written_weights.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "runtime/base/error.h"
#include "runtime/base/parallel.h"
#include "runtime/io/untrusted.h"
#include "runtime/kernels/quantize.h"

namespace hearth {
namespace {

constexpr int64_t kPiece = 1 << 22;  // values that are held at a time (or a row) beside those of a changed tensor

void check_finite(std::string_view name, std::span<const float> values, Format format) {
  if (info(format).block_size == 1) return;
  if (!std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); }))
    throw invalid_argument("tensor '{}' has values that are not finite, which {} cannot hold", printable(name),
                           info(format).name);
}

void write_piece(std::string_view name, std::span<const float> values, Format format, const ByteSink& sink,
                 WrittenBytes& written) {
  check_finite(name, values, format);
  const int64_t block = info(format).block_size, n = static_cast<int64_t>(values.size());
  constexpr int64_t kGrain = 4096;
  std::vector<std::byte> bytes(row_bytes(format, n));
  parallel_for(n / block, std::max<int64_t>(kGrain / block, 1), [&](int64_t begin, int64_t end) {
    quantize(format, values.data() + begin * block, (end - begin) * block,
             bytes.data() + row_bytes(format, begin * block));
  });
  sink(bytes);
  written.add(bytes.size());
}

}  // namespace

void WrittenBytes::add(uint64_t bytes) {
  if (monitor_.stop_requested()) throw cancelled("stopped; nothing is written");
  done_ += bytes;
  monitor_.on_written(done_, total_);
}

void write_values(const StoredTensor& stored, const ChangedTensors& changed, Format format, const ByteSink& sink,
                  WrittenBytes& written) {
  if (!changed.has(stored.name) && format == stored.format) {
    sink(stored.bytes);
    written.add(stored.bytes.size());
    return;
  }
  const auto read = [&](int64_t begin, int64_t end, float* values) {
    const int64_t first = begin * stored.columns;
    dequantize(stored.format, stored.bytes.data() + row_bytes(stored.format, first), end * stored.columns - first,
               values);
  };
  write_values({stored.name, stored.rows, stored.columns, read}, changed, format, sink, written);
}

void write_values(const ValuesToWrite& tensor, const ChangedTensors& changed, Format format, const ByteSink& sink,
                  WrittenBytes& written) {
  std::vector<float> values;
  const bool is_changed = changed.has(tensor.name);
  if (is_changed) {
    values.resize(tensor.rows * tensor.columns);
    tensor.read(0, tensor.rows, values.data());
    changed.put(tensor.name, tensor.rows, tensor.columns, values);
  }
  const int64_t piece = std::max<int64_t>(kPiece / std::max<int64_t>(tensor.columns, 1), 1);
  for (int64_t begin = 0; begin < tensor.rows; begin += piece) {
    const int64_t end = std::min(begin + piece, tensor.rows), count = (end - begin) * tensor.columns;
    if (is_changed) {
      write_piece(tensor.name, std::span(values).subspan(begin * tensor.columns, count), format, sink, written);
      continue;
    }
    values.resize(count);
    tensor.read(begin, end, values.data());
    write_piece(tensor.name, values, format, sink, written);
  }
}

}  // namespace hearth
