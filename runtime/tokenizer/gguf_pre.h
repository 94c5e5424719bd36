// What the names of tokenizer.ggml.pre stand for. GGUF keeps only a name for how BPE with merges cuts text; the table
// behind this gives each what the published tokenizer.json of its models says, where llama.cpp approximates that too.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "runtime/tokenizer/pretokenizer.h"

namespace hearth {

struct GgufPreFlags {
  bool ignore_merges = false;
  bool add_bos = false;    // when tokenizer.ggml.add_bos_token is absent
  bool nfc = false;        // the text is normalised first
  bool metaspace = false;  // symbols are characters, a space is U+2581, what is unknown becomes <0xNN>; else bytes
};

struct GgufPre {
  std::string_view names;                   // separated by spaces
  std::unique_ptr<PreTokenizer> (*make)();  // null: the text is one piece
  GgufPreFlags flags = {};
};

// All of them; the first of a row's names is the one that is written.
std::span<const GgufPre> gguf_pres();

// Throws kInvalidArgument for an unknown name, with the nearest known one or all of them.
const GgufPre& gguf_pre(std::string_view name, std::string_view file);

}  // namespace hearth
