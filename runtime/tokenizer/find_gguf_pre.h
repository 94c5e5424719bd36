// The name of tokenizer.ggml.pre that stands for how a tokenizer cuts text: as llama.cpp's converter finds it, by what
// becomes of texts that no two of the names cut alike.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/tokenizer/gguf_pre.h"
#include "runtime/tokenizer/normalizer.h"
#include "runtime/tokenizer/pretokenizer.h"

namespace hearth {

struct TextCutter {
  const Normalizer* normalizer;       // null: none
  const PreTokenizer* pre_tokenizer;  // null: none
  bool spells_bytes = false;          // the pieces are in byte_level.h's characters
};
std::vector<std::string> pieces_of(const TextCutter& cutter, std::string_view text);

std::span<const std::string_view> gguf_pre_probes();

// With the same ignore_merges, and add_bos where there is a choice. Null: none cuts so.
const GgufPre* find_gguf_pre(const TextCutter& cutter, bool ignore_merges, bool add_bos);

}  // namespace hearth
