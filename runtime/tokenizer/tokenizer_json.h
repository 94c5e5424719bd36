// Reads tokenizer.json, the format of the `tokenizers` library. What it declares and hearth has not is an error that
// names it, never left out.
#pragma once

#include <filesystem>

#include "runtime/tokenizer/json_field.h"
#include "runtime/tokenizer/pipeline_tokenizer.h"

namespace hearth {

// The whole file but for beginning- and end-of-text tokens, which tokenizer_config.json names.
PipelineParts read_tokenizer_json(const std::filesystem::path& file);

// Its sections; each may be null.
std::unique_ptr<Normalizer> read_normalizer(const JsonField& section);

struct PreTokenizerSection {
  std::unique_ptr<PreTokenizer> pre_tokenizer;
  bool byte_level = false;  // ends with ByteLevel: the model reads bytes
};
PreTokenizerSection read_pre_tokenizer(const JsonField& section);

struct DecoderSection {
  DecodeRules rules;
  std::vector<std::pair<std::string, std::string>> replacements;  // of every token's text, in order
};
DecoderSection read_decoder(const JsonField& section);

struct PostProcessorSection {
  std::vector<TokenId> prefix, suffix;
};
PostProcessorSection read_post_processor(const JsonField& section, const Vocabulary& vocabulary);

}  // namespace hearth
