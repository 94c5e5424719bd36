// Tokenised data comes back as it was saved, only to the job that it was made for, and a damaged file is refused.
#include "finetune/encoding/tokenized_data.h"

#include <algorithm>
#include <cstring>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "finetune/encoding/print_encoded.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "tests/support/list_tokenizer.h"
#include "tests/support/temporary_directory.h"

namespace hearth {
namespace {

using testing::HasSubstr;
using testing::Not;

bool same(const TokenizedExample& a, const TokenizedExample& b) {
  return a.input_ids == b.input_ids && a.labels == b.labels && a.packed_lengths == b.packed_lengths &&
         a.attends_across == b.attends_across && a.desirable == b.desirable &&
         std::ranges::equal(a.pictures, b.pictures, [](const ExamplePicture& x, const ExamplePicture& y) {
           return x.begin == y.begin && x.picture->path == y.picture->path &&
                  x.picture->layout.identity == y.picture->layout.identity &&
                  x.picture->layout.feature_rows == y.picture->layout.feature_rows &&
                  x.picture->layout.grid == y.picture->layout.grid && x.picture->token_ids == y.picture->token_ids;
         });
}

TokenizedSets some_sets() {
  TokenizedSets sets;
  sets["train"] = {{{1, 2, 3}, {-100, 2, 3}, {}}, {{}, {}, {}}, {{4, 5, 6}, {-100, 9, 6}, {2, 1}, true}};
  sets["tagged"] = {{{1, 2}, {-100, 2}, {1, 1}, false, true}, {{3, 4}, {3, -100}, {1, 1}, false, false}};
  sets["validation"] = {{{7}, {7}, {}}};
  const auto picture = std::make_shared<const FilePicture>(
      FilePicture{"cat \"1\".png", {"ab12", {0, 1, 3, 4}, {2, 2}}, {8, 8, 9, 8, 8}});
  sets["pictured"] = {{{1, 2}, {-100, 2}}, {{1, 8, 8, 9, 8, 8, 3, 8, 8, 9, 8, 8}, std::vector<TokenId>(12, -100)}};
  sets["pictured"][1].pictures = {{1, picture}, {7, picture}};
  return sets;
}

const MadeWith kMadeWith = {{"template", "qwen"}, {"cutoff_len", "2048"}};

std::string error_of(const std::string& image, const MadeWith& expected = kMadeWith) {
  try {
    parse_tokenized(std::as_bytes(std::span(image)), "t.bin", expected, 10);
  } catch (const Error& error) {
    EXPECT_NE(error.code(), ErrorCode::kInternal);
    return error.what();
  }
  return "";
}

TEST(TokenizedData, ComesBackAsItWasSaved) {
  const test::TemporaryDirectory directory;
  const std::filesystem::path path = directory.path() / "data";
  EXPECT_FALSE(load_tokenized(path, kMadeWith, 10));
  save_tokenized(path, some_sets(), kMadeWith);
  const auto loaded = load_tokenized(path, kMadeWith, 10);
  ASSERT_TRUE(loaded);
  ASSERT_EQ(loaded->size(), 4);
  for (const auto& [name, examples] : some_sets()) {
    ASSERT_EQ(loaded->at(name).size(), examples.size());
    for (size_t i = 0; i < examples.size(); ++i) EXPECT_TRUE(same(loaded->at(name)[i], examples[i])) << name << i;
  }
}

TEST(TokenizedData, AnotherJobIsToldWhatDiffers) {
  const test::TemporaryDirectory directory;
  save_tokenized(directory.path(), some_sets(), kMadeWith);
  const std::string image = read_file(directory.path() / "tokenized.bin");
  EXPECT_EQ(error_of(image), "");
  EXPECT_EQ(error_of(image, {{"template", "qwen"}}), "");  // a job that names no dataset
  EXPECT_THAT(error_of(image, {{"template", "llama3"}, {"cutoff_len", "512"}, {"dataset", "a"}}),
              HasSubstr("template (there 'qwen', now 'llama3'), cutoff_len (there '2048', now '512'), dataset (there "
                        "unknown, now 'a')"));

  write_file_atomic(directory.path() / "other/dataset_dict.json", "{}");
  EXPECT_THROW(load_tokenized(directory.path() / "other", kMadeWith, 10), Error);
  EXPECT_THROW(load_tokenized(directory.path() / "tokenized.bin", kMadeWith, 10), Error);
}

TEST(TokenizedData, DamagedFilesAreRefused) {
  const test::TemporaryDirectory directory;
  save_tokenized(directory.path(), some_sets(), kMadeWith);
  const std::string image = read_file(directory.path() / "tokenized.bin");
  for (size_t size = 0; size < image.size(); ++size) EXPECT_NE(error_of(image.substr(0, size)), "") << size;
  EXPECT_THAT(error_of(image + "x"), HasSubstr("1 bytes follow"));
  const auto with = [&](size_t at, int32_t value) {
    std::string changed = image;
    std::memcpy(changed.data() + changed.size() - at * sizeof value, &value, sizeof value);
    return error_of(changed);
  };
  // From the end, the set of one example of one token: lengths, packs, across, tags, ids, labels.
  EXPECT_THAT(with(1, 10), HasSubstr("label 10 is not in the vocabulary of 10"));
  EXPECT_THAT(with(2, -1), HasSubstr("token id -1 is not"));
  EXPECT_THAT(with(3, 2), HasSubstr("a kto_tag of 2"));
  EXPECT_THAT(with(3, 1), HasSubstr("a kto_tag on 0 answers, must be on 2"));
  EXPECT_THAT(with(5, 1), HasSubstr("an example of 1 tokens"));
  EXPECT_THAT(with(6, 2), HasSubstr("an example of 2 tokens"));
  EXPECT_THAT(with(6, 0), HasSubstr("do not cover"));
  const auto replaced = [&](std::string_view from, std::string_view to) {
    std::string changed = image;
    return error_of(changed.replace(changed.find(from), from.size(), to));
  };
  EXPECT_THAT(replaced("[0,1,3,4]", "[0,1,3,7]"), HasSubstr("rows of the picture cat \"1\".png do not fit together"));
  EXPECT_THAT(replaced("[0,1,3,4]", "[0,3,1,4]"), HasSubstr("do not fit together"));
  EXPECT_THAT(replaced("\"grid\":[2,2]", "\"grid\":[2,3]"), HasSubstr("do not fit together"));
  EXPECT_THAT(replaced("[8,8,9,8,8]", "[8,8,7,8,8]"),
              HasSubstr("does not have the picture cat \"1\".png at its token 1"));
  EXPECT_THAT(replaced("\"identity\"", "\"identitx\""), HasSubstr("not whole"));

  TokenizedSets sets;
  sets["train"] = {{{8, 9}, {-100, -100}}};
  sets["train"][0].pictures = {{-1, std::make_shared<const FilePicture>(FilePicture{"a.png", {"ab", {0}}, {8}, true})}};
  save_tokenized(directory.path() / "before", sets, kMadeWith);
  EXPECT_THAT(error_of(read_file(directory.path() / "before/tokenized.bin")), HasSubstr("at its token -1"));
}

TEST(PrintEncoded, WhatIsLearntIsMarked) {
  const test::ListTokenizer tokenizer({"a", "b", "\x1b[0m", "c"});
  std::ostringstream out;
  print_example(out, tokenizer, {{0, 1, 2, 3}, {-100, 1, 2, -100}, {}}, kBrackets);
  EXPECT_EQ(out.str(), "input_ids:\n[0, 1, 2, 3]\ninputs:\na[[b\\x1b[0m]]c\nlabel_ids:\n[-100, 1, 2, -100]\n");

  EncodedData data;
  data.source = "template 'qwen'";
  for (int length = 1; length <= 10; ++length) {
    std::vector<TokenId> labels(length, kIgnoredLabel);
    labels.back() = 1;
    data.examples.push_back({std::vector<TokenId>(length, 1), labels, {}});
  }
  data.truncated = 2;
  data.dropped.assign(7, {"a.json, row 3", "it has no text"});
  std::ostringstream text;
  print_totals(text, data);
  EXPECT_THAT(text.str(), HasSubstr("10 examples (template 'qwen'), 55 tokens, 10 of them learnt\n"
                                    "length: shortest 1, median 5, 90 % up to 9, longest 10\n"
                                    "2 examples were cut to cutoff_len\n7 examples are left out:\n"
                                    "  a.json, row 3: it has no text\n"));
  EXPECT_THAT(text.str(), HasSubstr("  and 2 more\n"));
  EXPECT_THAT(text.str(), Not(HasSubstr("kto_tag")));
}

TEST(PrintEncoded, TagsAreToldAndCounted) {
  const test::ListTokenizer tokenizer({"a", "b", "c"});
  EncodedData data;
  data.examples = {{{0, 1, 0, 2, 2}, {-100, 1, -100, 2, 2}, {2, 3}, false, true}};
  std::ostringstream out;
  print_example(out, tokenizer, data.examples.front(), kBrackets);
  EXPECT_THAT(out.str(), HasSubstr("kto_tag: true, its own answer in the first 2 tokens, the KL answer in the 3 "));
  std::ostringstream one_kind, both;
  print_totals(one_kind, data);
  EXPECT_THAT(one_kind.str(), HasSubstr("kto_tag: 1 true, 0 false (only one kind of them: stage kto compares both)\n"));
  data.examples.push_back(data.examples.front());
  data.examples.back().desirable = false;
  print_totals(both, data);
  EXPECT_THAT(both.str(), HasSubstr("kto_tag: 1 true, 1 false\n"));
}

}  // namespace
}  // namespace hearth
