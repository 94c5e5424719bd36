// The decoders' steps alone and in rows: each gives what the library gives, whatever parts the text comes in.
#include "runtime/tokenizer/decode_rules.h"

#include <gtest/gtest.h>

namespace hearth {
namespace {

using Tokens = std::vector<std::string>;

struct Output : DecodeStage {
  void push(std::string token) override { parts.push_back(std::move(token)); }
  void finish() override {}
  Tokens parts;
};

// What a row of steps gives for `tokens`, part by part as it becomes certain; the last is what was held back.
Tokens parts(const std::vector<DecodeStepPtr>& steps, const Tokens& tokens) {
  Output output;
  std::vector<std::unique_ptr<DecodeStage>> stages;
  for (auto step = steps.rbegin(); step != steps.rend(); ++step)
    stages.push_back((*step)->start(stages.empty() ? static_cast<DecodeStage&>(output) : *stages.back()));
  Tokens out;
  const auto take = [&] {
    out.emplace_back();
    for (const std::string& part : output.parts) out.back() += part;
    output.parts.clear();
  };
  for (const std::string& token : tokens) {
    stages.back()->push(token);
    take();
  }
  for (auto stage = stages.rbegin(); stage != stages.rend(); ++stage) (*stage)->finish();
  take();
  return out;
}

std::string decode(const std::vector<DecodeStepPtr>& steps, const Tokens& tokens) {
  std::string text;
  for (const std::string& part : parts(steps, tokens)) text += part;
  return text;
}

TEST(Decoders, WordPieceJoinsAndCleansUp) {
  const Tokens tokens = {"##i", "do", "n", "##'", "##t", "know", ".", "do", "not", "it", "'s", ","};
  EXPECT_EQ(decode({make_wordpiece_decoder("##", false)}, tokens), "##i do n't know . do not it 's ,");
  EXPECT_EQ(decode({make_wordpiece_decoder("##", true)}, tokens), "##i do n't know. do not it's,");
  EXPECT_EQ(decode({make_wordpiece_decoder("##", true)}, {"a", "' ", "n't"}), "a'n't");
}

TEST(Decoders, BpeSuffixIsASpaceButAtTheEnd) {
  EXPECT_EQ(decode({make_bpe_decoder("</w>")}, {"a</w>", "b", "c</w>"}), "a bc");
  EXPECT_EQ(decode({make_bpe_decoder("</w>")}, {"a</w>b</w>"}), "ab");
  EXPECT_EQ(parts({make_bpe_decoder("</w>")}, {"a</w>", "b", "c</w>"}), (Tokens{"", "a b", "", "c"}));
}

TEST(Decoders, CtcDropsRepetitionsAndPads) {
  EXPECT_EQ(decode({make_ctc_decoder("<pad>", "|", true)}, {"<pad>", "h", "h", "<pad>", "h", "i", "|", "|", "u", "|"}),
            "hhi u ");
}

TEST(Decoders, MetaspaceDropsTheMarkOfTheFirstTokenOnly) {
  EXPECT_EQ(decode({make_metaspace_decoder("▁", true)}, {"▁▁a▁b", "▁c"}), "ab c");
  EXPECT_EQ(decode({make_metaspace_decoder("▁", false)}, {"▁a", "▁c"}), " a c");
}

TEST(Decoders, ByteFallbackJudgesARunAsAWhole) {
  EXPECT_EQ(parts({make_byte_fallback_decoder()}, {"a", "<0xC3>", "<0xA9>", "b"}), (Tokens{"a", "", "", "éb", ""}));
  EXPECT_EQ(decode({make_byte_fallback_decoder()}, {"<0x41>", "<0xC3>", "b", "<0xC3>"}), "\uFFFD\uFFFDb\uFFFD");
}

TEST(Decoders, StripTakesFromEveryTokenUnlessTheyAreOne) {
  EXPECT_EQ(decode({make_strip_decoder({" ", 1, 2})}, {"  a   ", " b"}), " a b");
  EXPECT_EQ(decode({make_strip_decoder({" ", 3, 3})}, {"  "}), "");
  const DecodeStepPtr fused = make_fused_strip_decoder({" ", 2, 2});
  EXPECT_EQ(parts({fused}, {" ", "  a ", " ", " ", "b  ", " "}), (Tokens{"", " a", "", " ", "  b", " ", ""}));
  EXPECT_EQ(decode({make_fused_strip_decoder({"▁", 1, 1})}, {"▁", "▁a▁", "▁"}), "▁a▁");
}

TEST(Decoders, ReplaceFindsWhatCrossesThePartsOfOneText) {
  EXPECT_EQ(decode({make_replace_decoder("ab", false, "x")}, {"ab", "a", "b"}), "xab");
  EXPECT_EQ(decode({make_replace_decoder("a+", true, "x")}, {"aab", "a"}), "xbx");
  const DecodeStepPtr fused = make_fused_replace_decoder("aab", "x");
  EXPECT_EQ(parts({fused}, {"ba", "a", "a", "b", "a"}), (Tokens{"b", "", "a", "x", "", "a"}));
  EXPECT_EQ(decode({fused}, {"aa", "aab", "aa"}), "aaxaa");
}

TEST(Decoders, StepsRunInTheOrderGiven) {
  const std::vector<DecodeStepPtr> llama = {make_replace_decoder("▁", false, " "), make_byte_fallback_decoder(),
                                            make_fused_strip_decoder({" ", 1, 0})};
  EXPECT_EQ(parts(llama, {"▁▁a", "<0xE2>", "<0x96>", "<0x81>", "b"}), (Tokens{" a", "", "", "", "▁b", ""}));
  EXPECT_EQ(decode({make_byte_level_decoder(), make_fused_replace_decoder("é", "e")}, {"Ã", "©", "Ġ"}), "e ");
}

}  // namespace
}  // namespace hearth
