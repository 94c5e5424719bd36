// BERT's cleaning of text, the BertNormalizer of tokenizer.json. Source: the `tokenizers` library, normalizers/bert.
#pragma once

#include <memory>

#include "runtime/tokenizer/normalizer.h"

namespace hearth {

struct BertNormalizerOptions {
  bool clean_text = true;            // control characters vanish, whitespace becomes a space
  bool handle_chinese_chars = true;  // spaces around ideographs
  bool strip_accents = true;
  bool lowercase = true;
};
std::unique_ptr<Normalizer> make_bert_normalizer(const BertNormalizerOptions& options);

}  // namespace hearth
