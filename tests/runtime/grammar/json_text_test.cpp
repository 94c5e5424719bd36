// Strings and numbers of JSON: those that are in a range and no others.
#include "runtime/grammar/json_text.h"

#include <cmath>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "runtime/grammar/matcher.h"
#include "runtime/grammar/regex.h"
#include "runtime/grammar/regular.h"

namespace hearth {
namespace {

using json_text::Bound;
using json_text::NumberRange;

Matcher matcher_of(Expr expr) {
  Grammar grammar{.rules = {std::move(expr)}};
  prune(grammar);
  return Matcher(std::make_shared<Automaton>(grammar));
}

bool is_in(double value, const NumberRange& range) {
  const bool above = !range.min || (range.min->exclusive ? value > range.min->value : value >= range.min->value);
  const bool below = !range.max || (range.max->exclusive ? value < range.max->value : value <= range.max->value);
  return above && below;
}

TEST(JsonNumber, IntegersOfARange) {
  for (const NumberRange& range : std::vector<NumberRange>{{},
                                                           {Bound{0, false}, {}},
                                                           {Bound{-7, true}, Bound{123, false}},
                                                           {Bound{98, false}, Bound{1012, true}},
                                                           {{}, Bound{-10, false}},
                                                           {{}, Bound{57, true}},
                                                           {Bound{7, false}, Bound{7, false}},
                                                           {Bound{1.5, false}, Bound{2.5, false}},
                                                           {Bound{-3.5, false}, Bound{3.5, false}},
                                                           {Bound{109, false}, {}}}) {
    Matcher matcher = matcher_of(json_text::number(true, range));
    for (int i = -1200; i <= 1200; ++i) EXPECT_EQ(matcher.accepts(std::to_string(i)), is_in(i, range)) << i;
    for (const char* text : {"", "-", "01", "+1", "1.", "--1", "00", "1e"}) EXPECT_FALSE(matcher.accepts(text)) << text;
  }
}

TEST(JsonNumber, FractionsOfARange) {
  for (const NumberRange& range : std::vector<NumberRange>{{Bound{0, true}, Bound{1, true}},
                                                           {Bound{-1, false}, Bound{1, false}},
                                                           {Bound{0.25, false}, Bound{10.5, true}},
                                                           {Bound{-2.75, true}, {}},
                                                           {{}, Bound{3.14, false}},
                                                           {Bound{99.95, true}, Bound{101, false}},
                                                           {Bound{2, false}, Bound{2, false}},
                                                           {Bound{1.1, false}, Bound{1.9, true}}}) {
    Matcher matcher = Matcher(std::make_shared<Automaton>(Grammar{.rules = {grammar::text("")}}));
    try {
      matcher = matcher_of(json_text::number(false, range));
    } catch (const std::exception&) {
      EXPECT_EQ(range.min->value, 1.1);
      continue;
    }
    for (int i = -4000; i <= 12000; i += 5) {
      const double value = i / 100.0;
      std::string text = std::to_string(value);  // six digits behind the point
      EXPECT_EQ(matcher.accepts(text), is_in(value, range)) << text;
      text.resize(text.size() - 4);
      EXPECT_EQ(matcher.accepts(text), is_in(value, range)) << text;
      if (i % 100 != 0 || i == 0) continue;
      EXPECT_EQ(matcher.accepts(std::to_string(i / 100)), is_in(value, range)) << i / 100;
    }
    for (const char* text : {"", "-", ".5", "1.", "00.5", "01"}) EXPECT_FALSE(matcher.accepts(text)) << text;
  }
}

TEST(JsonString, AllSpellingsOfAnyText) {
  Matcher matcher = matcher_of(json_text::any_string());
  for (const char* text : {R"("")", R"("a")", R"("\n\"\\\/")", R"("\u00e9\uD83D\uDE00")", "\"\xE4\xBD\xA0\""})
    EXPECT_TRUE(matcher.accepts(text)) << text;
  for (const char* text :
       {R"(")", R"("\x")", R"("\uD83D")", R"("\uDE00")", "\"\n\"", "\"\xE4\xBD\"", R"("a"b)", R"("\u12")"})
    EXPECT_FALSE(matcher.accepts(text)) << text;
}

TEST(JsonString, LengthsCountCharacters) {
  Matcher matcher = matcher_of(json_text::any_string(2, 3));
  for (const char* text : {R"("ab")", "\"\xE4\xBD\xA0\xE5\xA5\xBD\"", R"("\uD83D\uDE00\n.")"})
    EXPECT_TRUE(matcher.accepts(text)) << text;
  for (const char* text : {R"("a")", R"("abcd")", R"("\uD83D\uDE00")"}) EXPECT_FALSE(matcher.accepts(text)) << text;
}

TEST(JsonString, ContentIsEscaped) {
  Matcher matcher = matcher_of(json_text::quoted(parse_regex("^[\"\\\\\\n\\u0001x]+$")));
  EXPECT_TRUE(matcher.accepts(R"("\"\\\n\u0001x")"));
  EXPECT_FALSE(matcher.accepts("\"\n\""));
}

TEST(Regular, IntersectionIsWhatBothTake) {
  const std::vector<Expr> parts = {parse_regex("^a+b*$"), grammar::repeat(grammar::chars(CharSet::all()), 2, 4),
                                   parse_regex("[^c]$")};
  Grammar grammar{.rules = intersection(parts)};
  ASSERT_TRUE(prune(grammar));
  Matcher matcher(std::make_shared<Automaton>(grammar));
  for (const char* text : {"aa", "ab", "aaab", "abbb"}) EXPECT_TRUE(matcher.accepts(text)) << text;
  for (const char* text : {"a", "b", "ba", "aaaaa", "abc", ""}) EXPECT_FALSE(matcher.accepts(text)) << text;
  const std::vector<Expr> disjoint = {parse_regex("^a"), parse_regex("^b")};
  Grammar none{.rules = intersection(disjoint)};
  EXPECT_FALSE(prune(none));
}

TEST(Regular, AllButSomeTexts) {
  Matcher matcher = matcher_of(all_but(std::vector<std::string>{"name", "names", "n", "\xC3\xA9"}));
  for (const char* text : {"", "na", "nam", "nameX", "namess", "x", "\xC3\xA8"})
    EXPECT_TRUE(matcher.accepts(text)) << text;
  for (const char* text : {"n", "name", "names", "\xC3\xA9"}) EXPECT_FALSE(matcher.accepts(text)) << text;
}

}  // namespace
}  // namespace hearth
