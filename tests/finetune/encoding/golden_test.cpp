// input_ids and labels are LLaMA-Factory's own, to the id: of conversations of our own, and by their hash of the rows
// of the data sets that are not ours to commit.
#include <ctime>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "finetune/encoding/encode_examples.h"
#include "finetune/encoding/infer_seqlen.h"
#include "tests/finetune/encoding/golden_cases.h"
#include "tests/support/sha256.h"

namespace hearth {
namespace {

using Json = nlohmann::json;

constexpr std::time_t kNow = 1753533296;  // 2025-07-26, the script's

EncodedData encode(const Json& golden_case, const std::vector<Example>& examples,
                   std::shared_ptr<const Tokenizer> tokenizer) {
  const std::map<std::string, Stage> stages = {
      {"sft", Stage::kSft}, {"pt", Stage::kPretraining}, {"dpo", Stage::kDpo}, {"kto", Stage::kKto}};
  return encode_examples(test::golden_model(golden_case, std::move(tokenizer)), examples,
                         test::golden_data_spec(golden_case["options"]), stages.at(golden_case.value("stage", "sft")),
                         kNow);
}

void append(const std::vector<int>& numbers, std::string& text, char end) {
  for (size_t i = 0; i < numbers.size(); ++i) text += (i == 0 ? "" : ",") + std::to_string(numbers[i]);
  text += end;
}

std::string digest(const std::vector<TokenizedExample>& examples) {
  std::string text;
  for (const TokenizedExample& example : examples) {
    append(example.input_ids, text, ';');
    append(example.labels, text, ';');
    append(example.packed_lengths, text, example.desirable ? ';' : '\n');
    if (example.desirable) text += *example.desirable ? "true\n" : "false\n";
  }
  return test::sha256(text);
}

std::string name_of(const Json& golden_case) {
  return golden_case["template"].get<std::string>() + " " + golden_case["options"].dump();
}

TEST(EncodingGolden, InferSeqlenIsTheReferences) {
  ASSERT_GE(test::golden_encoding()["infer_seqlen"].size(), 12);
  for (const Json& row : test::golden_encoding()["infer_seqlen"]) {
    const TurnLengths expected{row[3], row[4]};
    EXPECT_EQ(infer_seqlen(row[0], row[1], row[2]), expected) << row;
  }
}

TEST(EncodingGolden, ConversationsHaveTheReferencesIdsAndLabels) {
  const Json& golden = test::golden_encoding();
  std::vector<Example> answered, tagged;
  for (const Json& conversation : golden["conversations"]) {
    answered.push_back(test::golden_example(conversation));
    tagged.push_back(test::with_tag(answered.back(), tagged.size() % 3 != 1));
  }
  ASSERT_GE(golden["whole"].size(), 69);
  for (const Json& golden_case : golden["whole"]) {
    SCOPED_TRACE(name_of(golden_case));
    const auto tokenizer = test::golden_tokenizer(golden_case);
    if (!tokenizer) GTEST_SKIP() << "HEARTH_DEFAULT_MODEL is not set";
    const EncodedData encoded = encode(golden_case, golden_case.contains("stage") ? tagged : answered, tokenizer);
    for (const DroppedExample& dropped : encoded.dropped) ADD_FAILURE() << dropped.reason;
    ASSERT_EQ(encoded.examples.size(), golden_case["examples"].size());
    for (size_t i = 0; i < encoded.examples.size(); ++i) {
      const Json& expected = golden_case["examples"][i];
      EXPECT_EQ(encoded.examples[i].input_ids, expected[0].get<std::vector<TokenId>>()) << "example " << i;
      EXPECT_EQ(encoded.examples[i].labels, expected[1].get<std::vector<TokenId>>()) << "example " << i;
      EXPECT_EQ(encoded.examples[i].packed_lengths, expected[2].get<std::vector<int>>()) << "example " << i;
      std::optional<bool> tag;
      if (expected.size() > 3) tag = expected[3].get<bool>();
      EXPECT_EQ(encoded.examples[i].desirable, tag) << "example " << i;
    }
  }
}

TEST(EncodingGolden, DataSetsHaveTheReferencesIdsAndLabels) {
  if (!std::filesystem::exists(test::kDataDirectory)) GTEST_SKIP() << test::kDataDirectory << " is not there";
  std::map<std::string, std::vector<Example>> rows;
  ASSERT_GE(test::golden_encoding()["digests"].size(), 140);
  for (const Json& golden_case : test::golden_encoding()["digests"]) {
    const std::string data = golden_case["data"];
    SCOPED_TRACE(name_of(golden_case) + " " + data);
    const auto tokenizer = test::golden_tokenizer(golden_case);
    if (!tokenizer) GTEST_SKIP() << "HEARTH_DEFAULT_MODEL is not set";
    std::vector<Example>& all = rows[data];
    if (all.empty()) all = test::read_rows(data);
    const ptrdiff_t begin = golden_case["rows"][0], end = golden_case["rows"][1];
    ASSERT_LE(end, std::ssize(all));
    const EncodedData encoded = encode(golden_case, {all.begin() + begin, all.begin() + end}, tokenizer);
    for (const DroppedExample& dropped : encoded.dropped) ADD_FAILURE() << dropped.reason;
    EXPECT_EQ(encoded.examples.size(), golden_case["examples"].get<size_t>());
    EXPECT_EQ(digest(encoded.examples), golden_case["sha256"].get<std::string>());
  }
}

}  // namespace
}  // namespace hearth
