#include "golden.h"

namespace hearth {
namespace {

TEST(GgufVocab, DefaultModelEncodesAndDecodesAsItsPublishedTokenizer) {
  expect_matches_golden(default_tokenizer(), "smollm2");
}

}  // namespace
}  // namespace hearth
