#include "runtime/tokenizer/pretokenizer.h"

#include "golden.h"
#include "runtime/tokenizer/gguf_pre.h"
#include "runtime/tokenizer/number_splits.h"

namespace hearth {
namespace {

std::vector<std::string> split(const PreTokenizer& pre_tokenizer, const std::string& text) {
  PieceList pieces;
  pieces.text = text;
  pieces.ranges = {{0, text.size()}};
  pre_tokenizer.split(pieces);
  std::vector<std::string> out;
  for (const ByteRange& range : pieces.ranges)
    out.emplace_back(pieces.text.substr(range.begin, range.end - range.begin));
  return out;
}

std::vector<std::string> split_as(std::string_view pre, const std::string& text) {
  return split(*gguf_pre(pre, "test").make(), text);
}

using Pieces = std::vector<std::string>;

// One text that tells the patterns apart: digits, contractions, capitals, punctuation before letters, line ends.
TEST(GgufPre, EveryPatternCutsAsItsModelsDo) {
  const std::string text = "I'M fooBar 12345!\r\n  x.y 中文";
  EXPECT_EQ(split_as("gpt-2", text),
            (Pieces{"I", "'", "M", " fooBar", " 12345", "!", "\r\n ", " x", ".", "y", " 中文"}));
  EXPECT_EQ(split_as("smollm", text),
            (Pieces{"I", "'", "M", " fooBar", " ", "1", "2", "3", "4", "5", "!", "\r\n ", " x", ".", "y", " 中文"}));
  EXPECT_EQ(split_as("llama-bpe", text),
            (Pieces{"I", "'M", " fooBar", " ", "123", "45", "!\r\n", " ", " x", ".y", " 中文"}));
  EXPECT_EQ(split_as("qwen2", text),
            (Pieces{"I", "'M", " fooBar", " ", "1", "2", "3", "4", "5", "!\r\n", " ", " x", ".y", " 中文"}));
  EXPECT_EQ(split_as("gpt-4o", text),
            (Pieces{"I'M", " foo", "Bar", " ", "123", "45", "!\r\n", " ", " x", ".y", " 中文"}));
  EXPECT_EQ(split_as("tekken", text),
            (Pieces{"I", "'M", " foo", "Bar", " ", "1", "2", "3", "4", "5", "!\r\n", " ", " x", ".y", " 中文"}));
  EXPECT_EQ(split_as("falcon", text),
            (Pieces{"I", "'", "M", " fooBar", " ", "123", "45", "!", "\r\n ", " x", ".", "y", " 中文"}));
  EXPECT_EQ(split_as("deepseek-v3", text),
            (Pieces{"I", "'M", " fooBar", " ", "123", "45", "!\r\n", " ", " x", ".y", " ", "中文"}));
}

// U+180E has been no space since Unicode 6.3, though PCRE2's \s takes it for one; marks are word characters.
TEST(Regex, ClassesAreThoseOfOniguruma) {
  EXPECT_EQ(Regex("\\s").find("a\u180Eb c", 0), (ByteRange{5, 6}));
  EXPECT_EQ(Regex("[^\\s]+").find(" a\u180E ", 0), (ByteRange{1, 5}));
  EXPECT_EQ(Regex("\\w+").find("-e\u0301_x ", 0), (ByteRange{1, 6}));
  EXPECT_EQ(Regex("\\W").find("e\u0301.", 0), (ByteRange{3, 4}));
  EXPECT_EQ(Regex("\\w+").find("-ⓐⅧ½①", 0), (ByteRange{1, 9}));
  EXPECT_EQ(Regex("1\\b").find("1½ 1_ 1\u0301 1.", 0), (ByteRange{11, 12}));
  EXPECT_EQ(Regex("1\\B").find("1. 1½", 0), (ByteRange{3, 4}));
  EXPECT_EQ(Regex("^b$").find("a\nb\nc", 0), (ByteRange{2, 3}));
  EXPECT_EQ(Regex("\\p{Han}+").find("、漢、", 0), (ByteRange{3, 6}));  // U+3001 is used with Han, but common
  EXPECT_EQ(Regex("[^\\P{Han}]+").find("、漢、", 0), (ByteRange{3, 6}));
}

TEST(Regex, WhatTheDialectsReadDifferentlyIsRefused) {
  for (const char* pattern : {"\\h", "a{1,3}+", "[a[b]]", "[a&&b]", "[\\W]"})
    EXPECT_THROW(Regex{pattern}, Error) << pattern;
}

TEST(NumberGroups, AreOfThreeFromTheRight) {
  EXPECT_EQ(split(*make_number_groups(), "a1234567b ½12345 123½"),
            (Pieces{"a", "1", "234", "567", "b ", "½12", "345", " ", "123½"}));
  EXPECT_EQ(split(*make_digit_groups(), "12345 1234a 1234_ ٣٤٥٦-"),
            (Pieces{"12", "345", " 1234a 1234_ ", "٣", "٤٥٦", "-"}));
}

TEST(ByteDigits, AreThoseOfTheCharactersThatSpellBytes) {
  EXPECT_EQ(split(*make_byte_digits(false), "a12\xC2\xBD\x33"), (Pieces{"a", "12", "\xC2", "\xBD\x33"}));
  EXPECT_EQ(split(*make_byte_digits(true), "12\xE4\xBD\xA0"), (Pieces{"1", "2", "\xE4", "\xBD", "\xA0"}));
}

TEST(Split, LiteralPatternsAreNoRegularExpressions) {
  const auto dots = make_split(escape_regex(".*"), SplitBehavior::kRemoved, false);
  EXPECT_EQ(split(*dots, "a.*b.c"), (Pieces{"a", "b.c"}));
}

}  // namespace
}  // namespace hearth
