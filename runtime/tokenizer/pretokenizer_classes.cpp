// The pre-tokenizers that cut at characters of a class, and those that are a composition of others.
#include <utility>

#include "runtime/tokenizer/byte_level.h"
#include "runtime/tokenizer/pretokenizer.h"
#include "runtime/tokenizer/unicode_age.h"
#include "runtime/tokenizer/utf8.h"

namespace hearth {
namespace {

// \w of the regex crate.
constexpr const char* kWord =
    R"(\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{200C}\x{200D}\x{24B6}-\x{24E9}\x{1F130}-\x{1F149}\x{1F150}-\x{1F169}\x{1F170}-\x{1F189})";

class ByteLevelMap : public PreTokenizer {
 public:
  void split(PieceList& pieces) const override {
    std::string text;
    text.reserve(pieces.text.size() * 2);
    for (ByteRange& range : pieces.ranges) {
      const size_t begin = text.size();
      text += byte_level::encode(pieces.text.substr(range.begin, range.end - range.begin));
      range = {begin, text.size()};
    }
    pieces.storage = std::move(text);
    pieces.text = pieces.storage;
  }
};

class FixedLength : public PreTokenizer {
 public:
  explicit FixedLength(size_t length) : length_(length) {}
  void split(PieceList& pieces) const override {
    std::vector<ByteRange> out = std::move(pieces.scratch);
    out.clear();
    for (const ByteRange& range : pieces.ranges) {
      for (size_t begin = range.begin; begin < range.end;) {
        size_t end = begin;
        for (size_t i = 0; i < length_ && end < range.end; ++i)
          end += utf8::length_from_lead(static_cast<unsigned char>(pieces.text[end]));
        out.push_back({begin, end});
        begin = end;
      }
    }
    pieces.scratch = std::exchange(pieces.ranges, std::move(out));
  }

 private:
  size_t length_;
};

}  // namespace

std::unique_ptr<PreTokenizer> make_punctuation(SplitBehavior behavior) {
  return make_split(unicode::punctuation_8(), behavior, false);
}

std::unique_ptr<PreTokenizer> make_whitespace() {
  const std::string word(kWord);
  return make_split("[" + word + "]+|[^\\s" + word + "]+", SplitBehavior::kRemoved, /*invert=*/true);
}

std::unique_ptr<PreTokenizer> make_whitespace_split() { return make_split("\\s+", SplitBehavior::kRemoved, false); }

std::unique_ptr<PreTokenizer> make_bert_pre_tokenizer() {
  std::vector<std::unique_ptr<PreTokenizer>> steps;
  steps.push_back(make_whitespace_split());
  steps.push_back(make_punctuation(SplitBehavior::kIsolated));
  return make_sequence(std::move(steps));
}

std::unique_ptr<PreTokenizer> make_char_delimiter_split(const std::string& delimiter) {
  return make_split(escape_regex(delimiter), SplitBehavior::kRemoved, false);
}

std::unique_ptr<PreTokenizer> make_fixed_length(size_t length) { return std::make_unique<FixedLength>(length); }

std::unique_ptr<PreTokenizer> make_byte_level_map() { return std::make_unique<ByteLevelMap>(); }

}  // namespace hearth
