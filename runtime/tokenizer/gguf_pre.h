// What the names of tokenizer.ggml.pre stand for. GGUF keeps only a name for how byte-level BPE cuts text; the table
// behind this gives each what the published tokenizer.json of its models says.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace hearth {

struct GgufPre {
  std::span<const std::string_view> names;
  std::span<const char* const> patterns;  // one after the other: matches and gaps alike become pieces
  bool ignore_merges = false;
  bool add_bos = false;  // when tokenizer.ggml.add_bos_token is absent
  bool nfc = false;
};

// Throws kInvalidArgument, naming the known ones, for an unknown name.
const GgufPre& gguf_pre(std::string_view name, std::string_view file);

}  // namespace hearth
