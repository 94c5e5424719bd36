#include "models/fused_qkv.h"

#include <memory>

namespace hearth {

void restore_fused_qkv(WeightSource& source, std::string_view part, int groups, const ModelConfig& c) {
  const int64_t q = int64_t{c.num_attention_heads} * c.head_dim, kv = int64_t{c.num_key_value_heads} * c.head_dim;
  auto order = std::make_shared<RowOrder>();
  order->file_rows = q + 2 * kv;
  for (int64_t g = 0; g < groups; ++g) {
    const auto add = [&](int64_t begin, int64_t rows) {
      for (int64_t i = 0; i < rows / groups; ++i) order->rows.push_back(begin + g * (rows / groups) + i);
    };
    add(0, q);
    add(q, kv);
    add(q + kv, kv);
  }
  for (const std::string& name : source.names())
    if (name.find(part) != std::string::npos) source.reorder_rows(name, order);
}

}  // namespace hearth
