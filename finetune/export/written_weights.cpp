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

constexpr int64_t kPiece = 1 << 22;  // values that are held at a time beside those of a changed tensor

void check_finite(const StoredTensor& stored, std::span<const float> values, Format format) {
  if (info(format).block_size == 1) return;
  if (!std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); }))
    throw invalid_argument("tensor '{}' has values that are not finite, which {} cannot hold", printable(stored.name),
                           info(format).name);
}

void write_piece(const StoredTensor& stored, std::span<const float> values, Format format, const ByteSink& sink,
                 WrittenBytes& written) {
  check_finite(stored, values, format);
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
  const bool is_changed = changed.has(stored.name);
  if (!is_changed && format == stored.format) {
    sink(stored.bytes);
    written.add(stored.bytes.size());
    return;
  }
  const int64_t n = stored.rows * stored.columns;
  std::vector<float> values;
  if (is_changed) {
    values.resize(n);
    dequantize(stored.format, stored.bytes.data(), n, values.data());
    changed.put(stored.name, stored.rows, stored.columns, values);
  }
  // A multiple of every block.
  for (int64_t begin = 0; begin < n; begin += kPiece) {
    const int64_t count = std::min(kPiece, n - begin);
    if (is_changed) {
      write_piece(stored, std::span(values).subspan(begin, count), format, sink, written);
      continue;
    }
    values.resize(count);
    dequantize(stored.format, stored.bytes.data() + row_bytes(stored.format, begin), count, values.data());
    write_piece(stored, values, format, sink, written);
  }
}

}  // namespace hearth
