#include "models/adapters/stored_values.h"

#include <string_view>
#include <utility>

#include "runtime/base/error.h"
#include "runtime/io/untrusted.h"
#include "runtime/kernels/format.h"

namespace hearth {

Tensor stored_values(const CheckpointFile& file, const CheckpointFile::Tensor& stored) {
  static constexpr std::pair<std::string_view, Format> kFormats[] = {
      {"F32", Format::kF32}, {"F16", Format::kF16}, {"BF16", Format::kBF16}};
  for (const auto& [dtype, format] : kFormats) {
    if (stored.dtype != dtype) continue;
    Tensor values(stored.shape.size() == 1 ? Shape{stored.shape[0]} : Shape{stored.shape[0], stored.shape[1]});
    dequantize(format, stored.bytes.data(), static_cast<int64_t>(values.size()), values.data());
    return values;
  }
  throw invalid_argument("{}: tensor '{}' is {}, must be F32, F16 or BF16", file.name(), printable(stored.name),
                         printable(stored.dtype));
}

}  // namespace hearth
