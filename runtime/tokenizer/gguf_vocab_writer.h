// A Hugging Face directory's tokenizer as GGUF's tokenizer.ggml.* keys, for programs that read GGUF: the way back of
// gguf_vocab.cpp, which reads it again to see that it gives the same ids.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "runtime/io/gguf_writer.h"

namespace hearth {

struct GgufVocabulary {
  std::vector<GgufEntry> entries;
  std::vector<std::string> notes;  // what GGUF cannot say of it
};

// As many tokens as the model has rows. Throws kInvalidArgument, with the remedy, for a tokenizer that GGUF cannot hold
// or hearth cannot write.
GgufVocabulary gguf_vocabulary(const std::filesystem::path& directory, int64_t vocab_size);

}  // namespace hearth
