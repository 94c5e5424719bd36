#include "golden.h"

namespace hearth {
namespace {

TEST(GgufVocab, DefaultModelEncodesAndDecodesAsItsPublishedTokenizer) {
  expect_matches_golden(default_tokenizer(), "smollm2");
}

TEST(GgufVocab, ScoredVocabularyEncodesAsSentencepiece) {
  expect_matches_golden(load_tokenizer(*GgufFile::open(std::string(kGoldenFolder) + "llama2.gguf")), "llama2_gguf");
}

}  // namespace
}  // namespace hearth
