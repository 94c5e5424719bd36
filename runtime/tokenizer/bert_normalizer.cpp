#include "runtime/tokenizer/bert_normalizer.h"

#include <vector>

#include "runtime/tokenizer/rewriter.h"
#include "runtime/tokenizer/unicode_age.h"
#include "runtime/tokenizer/utf8.h"

namespace hearth {
namespace {

// The CJK blocks that BERT knew; kana and Hangul are not among them.
bool is_ideograph(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
         (c >= 0x2A700 && c <= 0x2B73F) || (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

void clean(char32_t c, Rewriter& out, size_t begin) {
  if (c == '\t' || c == '\n' || c == '\r') return out.put(U' ', begin);
  if (c == 0 || c == 0xFFFD || unicode::is_control_8(c)) return;
  out.put(utf8::is_space(c) ? U' ' : c, begin);
}

void space_ideograph(char32_t c, Rewriter& out, size_t begin) {
  const bool spaced = is_ideograph(c);
  if (spaced) out.put(U' ', begin);
  out.put(c, begin);
  if (spaced) out.put(U' ', begin);
}

void strip_nonspacing_mark(char32_t c, Rewriter& out, size_t begin) {
  if (!unicode::is_nonspacing_mark_8(c)) out.put(c, begin);
}

}  // namespace

std::unique_ptr<Normalizer> make_bert_normalizer(const BertNormalizerOptions& options) {
  std::vector<std::unique_ptr<Normalizer>> steps;
  if (options.clean_text) steps.push_back(std::make_unique<CharacterNormalizer<decltype(&clean)>>(clean));
  if (options.handle_chinese_chars)
    steps.push_back(std::make_unique<CharacterNormalizer<decltype(&space_ideograph)>>(space_ideograph));
  if (options.strip_accents) {
    steps.push_back(make_nfd());
    steps.push_back(std::make_unique<CharacterNormalizer<decltype(&strip_nonspacing_mark)>>(strip_nonspacing_mark));
  }
  if (options.lowercase) steps.push_back(make_lowercase());
  return make_normalizer_sequence(std::move(steps));
}

}  // namespace hearth
