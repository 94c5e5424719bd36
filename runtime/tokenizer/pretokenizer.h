// Cuts a text into the pieces that the model tokenises one by one: the pre_tokenizer section of tokenizer.json, and the
// same for GGUF's tokenizer.ggml.pre. Source: the `tokenizers` library, pre_tokenizers.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/byte_range.h"
#include "runtime/tokenizer/regex.h"

namespace hearth {

// A text and its pieces in order; what lies between them is dropped. `text` may be the caller's or, once a step rewrote
// it, `storage`.
struct PieceList {
  std::string_view text;
  std::vector<ByteRange> ranges;
  bool text_start = true;  // `text` is the beginning of what the user gave, not what follows an added token
  std::string storage;

  std::vector<ByteRange> scratch;  // of the steps
};

class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  virtual void split(PieceList& pieces) const = 0;
};

// What becomes of the matches of a pattern (the delimiters).
enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

// Split: every piece is cut at the matches of a regular expression; `invert` takes what lies between them for the
// matches.
std::unique_ptr<PreTokenizer> make_split(const std::string& pattern, SplitBehavior behavior, bool invert);
// Digits: runs of numeric characters (Unicode N), or each of them, become pieces.
std::unique_ptr<PreTokenizer> make_digits(bool individual);
// Punctuation: ASCII's and Unicode's P.
std::unique_ptr<PreTokenizer> make_punctuation(SplitBehavior behavior);
// Whitespace: runs of word characters, and runs of what is neither that nor space.
std::unique_ptr<PreTokenizer> make_whitespace();
// WhitespaceSplit: what lies between whitespace.
std::unique_ptr<PreTokenizer> make_whitespace_split();
// BertPreTokenizer: that, and each punctuation character.
std::unique_ptr<PreTokenizer> make_bert_pre_tokenizer();
// CharDelimiterSplit: what lies between occurrences of one character.
std::unique_ptr<PreTokenizer> make_char_delimiter_split(const std::string& delimiter);
// FixedLength: pieces of so many characters.
std::unique_ptr<PreTokenizer> make_fixed_length(size_t length);
// ByteLevel: GPT-2's regular expression, and a space before a piece that begins without one. The map to printable
// characters is left to the model or to make_byte_level_map.
std::unique_ptr<PreTokenizer> make_byte_level(bool add_prefix_space, bool use_regex);
// That map, for models that read characters.
std::unique_ptr<PreTokenizer> make_byte_level_map();
// Metaspace: spaces become `replacement`, one is put in front (always, or of the text's first piece only), and a piece
// begins at each if `split`.
enum class PrependScheme { kAlways, kFirst, kNever };
std::unique_ptr<PreTokenizer> make_metaspace(const std::string& replacement, PrependScheme scheme, bool split);
// Each in turn on the pieces of the one before.
std::unique_ptr<PreTokenizer> make_sequence(std::vector<std::unique_ptr<PreTokenizer>> steps);

// The characters of `text` as a pattern that matches them and nothing else.
std::string escape_regex(std::string_view text);

inline constexpr const char* kGpt2Regex =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

}  // namespace hearth
