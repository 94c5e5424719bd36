// How the texts of tokens become one text: the decoder section of tokenizer.json as a row of steps. A step reads tokens
// and gives tokens; behind one that makes all of them one (ByteLevel, Fuse) it reads the parts of that one. What a step
// cannot know yet it holds back, so that the parts a StreamDecoder gives make up what decoding at once gives. Source:
// the `tokenizers` library, decoders.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace hearth {

// A step at work on one text.
class DecodeStage {
 public:
  virtual ~DecodeStage() = default;
  virtual void push(std::string token) = 0;
  // The end: gives what was held back.
  virtual void finish() = 0;
};

class DecodeStep {
 public:
  virtual ~DecodeStep() = default;
  // What a token in the middle of a text becomes, as far as that depends on nothing else.
  virtual std::string in_the_middle(std::string token) const = 0;
  // Its work on one text, which goes to `next`; both outlive it.
  virtual std::unique_ptr<DecodeStage> start(DecodeStage& next) const = 0;
};

struct DecodeRules {
  std::vector<std::shared_ptr<const DecodeStep>> steps;

  std::string in_the_middle(std::string token) const {
    for (const auto& step : steps) token = step->in_the_middle(std::move(token));
    return token;
  }
};

// Tokens are bytes of one text; what is no UTF-8 becomes U+FFFD.
DecodeRules decode_bytes();
// The decoders of sentencepiece vocabularies: U+2581 is a space, <0xNN> a byte, and with `strip_space` the space that
// the text begins with is none of it.
DecodeRules decode_sentencepiece(bool strip_space);

using DecodeStepPtr = std::shared_ptr<const DecodeStep>;
// ByteLevel: the bytes that the characters stand for.
DecodeStepPtr make_byte_level_decoder();
// ByteFallback: a run of <0xNN> is text if it is UTF-8 as a whole, else one U+FFFD a byte.
DecodeStepPtr make_byte_fallback_decoder();
// Replace: every occurrence in every token (a string, or a regular expression), or in the one that all are fused to (a
// string only).
DecodeStepPtr make_replace_decoder(const std::string& pattern, bool is_regex, const std::string& content);
DecodeStepPtr make_fused_replace_decoder(const std::string& pattern, const std::string& content);
// Strip: at most `left` and `right` times `content`, a character, off the ends of every token or of the fused one.
struct StripRule {
  std::string content;
  uint64_t left = 0, right = 0;
};
DecodeStepPtr make_strip_decoder(const StripRule& rule);
DecodeStepPtr make_fused_strip_decoder(const StripRule& rule);
// Metaspace: `replacement` is a space, but in the first token nothing if `drops_first`.
DecodeStepPtr make_metaspace_decoder(const std::string& replacement, bool drops_first);
// WordPiece: tokens are joined by spaces but for those that begin with `prefix`; `cleanup` takes spaces before
// punctuation away.
DecodeStepPtr make_wordpiece_decoder(const std::string& prefix, bool cleanup);
// BPEDecoder: `suffix` is a space, but nothing in the last token.
DecodeStepPtr make_bpe_decoder(const std::string& suffix);
// CTC: of equal neighbours one stays, `pad` vanishes, and with `cleanup` the delimiter is a space.
DecodeStepPtr make_ctc_decoder(const std::string& pad, const std::string& delimiter, bool cleanup);
// No decoder: tokens are joined by spaces.
DecodeStepPtr make_space_join();

}  // namespace hearth
