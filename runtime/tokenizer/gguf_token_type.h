// tokenizer.ggml.token_type (docs/gguf.md of github.com/ggml-org/ggml).
#pragma once

#include <cstdint>

namespace hearth {

enum GgufTokenType : int32_t {
  kNormalToken = 1,
  kUnknownToken = 2,
  kControlToken = 3,
  kUserDefinedToken = 4,
  kUnusedToken = 5,
  kByteToken = 6
};

}  // namespace hearth
