// Reads tokenizer.json, the format of the `tokenizers` library. What it declares and hearth has not is an error that
// names it, never left out.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/tokenizer/bpe.h"
#include "runtime/tokenizer/json_field.h"
#include "runtime/tokenizer/pipeline_tokenizer.h"

namespace hearth {

// The largest published tokenizer.json has 35 MB.
inline constexpr size_t kMaxTokenizerJsonBytes = size_t{256} << 20;

// The whole file but for beginning- and end-of-text tokens, which tokenizer_config.json names.
PipelineParts read_tokenizer_json(const std::filesystem::path& file);
// The same with what the directory's other files add to it.
PipelineParts read_tokenizer_directory(const std::filesystem::path& directory);

// What a section's entry of a type name makes.
template <class Made>
struct JsonMaker {
  std::string_view type;
  Made (*make)(const JsonField& section);
};

// What the entry for `type` in `table` makes of `section`; a type that is not there is refused with its name.
template <class Made, size_t N>
Made make_by_type(const JsonMaker<Made> (&table)[N], std::string_view type, const JsonField& section,
                  std::string_view what) {
  std::string known;
  for (const JsonMaker<Made>& entry : table) {
    if (entry.type == type) return entry.make(section);
    known += fmt::format("{}{}", known.empty() ? "" : ", ", entry.type);
  }
  section.unsupported(fmt::format("the {} '{}'", what, type), known);
}

// Whether the `tokenizers` library calls the model section "BPE", "Unigram", "WordPiece" or "WordLevel".
std::string_view model_type(const JsonField& model);

struct BpeSection {
  std::unique_ptr<Vocabulary> vocabulary;  // without added tokens
  BpeOptions options;
  std::vector<BpeMerge> merges;
};
BpeSection read_bpe_section(const JsonField& model);

struct ModelSection {
  std::unique_ptr<Vocabulary> vocabulary;  // without added tokens
  bool reads_bytes = false;                // the model can do ByteLevel's map itself
  std::function<std::unique_ptr<TokenModel>(const Vocabulary&, const std::vector<bool>& is_control, bool byte_level)>
      make;  // once
};
ModelSection read_model(const JsonField& section);

// The sections below may be null.
std::unique_ptr<Normalizer> read_normalizer(const JsonField& section);

struct PreTokenizerSection {
  std::unique_ptr<PreTokenizer> pre_tokenizer;
  bool byte_level = false;  // ends with ByteLevel, whose map is left to the model
};
// `model_reads_bytes`: the model can do ByteLevel's map, if that comes last.
PreTokenizerSection read_pre_tokenizer(const JsonField& section, bool model_reads_bytes);

DecodeRules read_decoder(const JsonField& section);

struct PostProcessorSection {
  std::vector<TokenId> prefix, suffix;
};
PostProcessorSection read_post_processor(const JsonField& section, const Vocabulary& vocabulary);

}  // namespace hearth
