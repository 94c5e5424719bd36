#include "golden.h"

namespace hearth {
namespace {

class Directory : public testing::TestWithParam<const char*> {};

TEST_P(Directory, EncodesAndDecodesAsTheReference) {
  expect_matches_golden(load_tokenizer(std::filesystem::path(kGoldenFolder) / GetParam()), GetParam());
}

INSTANTIATE_TEST_SUITE_P(TokenizerJson, Directory,
                         testing::Values("llama3", "llama2", "every_flag", "gpt2_prefix", "split_removed",
                                         "split_isolated", "split_merged_with_previous", "split_merged_with_next",
                                         "split_contiguous", "metaspace_always", "metaspace_first", "metaspace_never"));
INSTANTIATE_TEST_SUITE_P(SentencePiece, Directory, testing::Values("spm", "spm_legacy"));

}  // namespace
}  // namespace hearth
