// Which texts a pattern takes; what of ECMAScript's is refused.
#include "runtime/grammar/regex.h"

#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/grammar/matcher.h"
#include "tests/support/error_of.h"

namespace hearth {
namespace {

using testing::HasSubstr;

Matcher matcher_of(std::string_view pattern) {
  return Matcher(std::make_shared<Automaton>(Grammar{.rules = {parse_regex(pattern)}}));
}

TEST(Regex, TakesWhatHasAMatch) {
  struct Case {
    const char* pattern;
    std::vector<const char*> good, bad;
  };
  for (const Case& one : std::vector<Case>{
           {"", {"", "x"}, {}},
           {"b", {"b", "abc"}, {"", "ac"}},
           {"^b", {"b", "bc"}, {"ab"}},
           {"b$", {"b", "ab"}, {"bc"}},
           {"^(ab|c)+$", {"ab", "c", "abcab"}, {"", "a", "abb"}},
           {"^a|b$", {"ax", "xb"}, {"xa", "bx"}},
           {"^\\d{3}-\\d{4}$", {"555-1234"}, {"555-123", "555-12345", "a555-1234"}},
           {"^a{2,}$", {"aa", "aaaa"}, {"a"}},
           {"^a{1,3}?$", {"a", "aaa"}, {"", "aaaa"}},
           {"^[^a-c\\d]$", {"d", "-", "\xC3\xA9", "\xF0\x9F\x98\x80"}, {"a", "c", "5", "dd", ""}},
           {"^[\\w.-]+@[a-z]+\\.(?:com|org)$", {"a.b-c@host.org"}, {"@host.org", "a@host.net"}},
           {"^.$", {"x", "\xE4\xBD\xA0"}, {"\n", "xx", "\xE4\xBD"}},
           {"^\\u00e9\\x41\\u{1F600}$",
            {"\xC3\xA9"
             "A\xF0\x9F\x98\x80"},
            {"eA"}},
           {"^\\uD83D\\uDE00$", {"\xF0\x9F\x98\x80"}, {""}},
           {"^[\\u4e00-\\u9fff]{2}$", {"\xE4\xBD\xA0\xE5\xA5\xBD"}, {"ab"}},
           {"^\\s\\S\\W\\D$", {"\tx-y"}, {"xx-y", "\tx-1", "\txxy"}},
           {"^(?<year>\\d+)$", {"2026"}, {"x"}},
           {"^(a?){50}a{50}$", {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}, {"a"}},
       }) {
    Matcher matcher = matcher_of(one.pattern);
    for (const char* text : one.good) EXPECT_TRUE(matcher.accepts(text)) << one.pattern << " " << text;
    for (const char* text : one.bad) EXPECT_FALSE(matcher.accepts(text)) << one.pattern << " " << text;
  }
}

TEST(Regex, WhatNoAutomatonDoesIsRefused) {
  for (const auto& [pattern, part] : std::vector<std::pair<const char*, const char*>>{{"(?=a)", "lookaround"},
                                                                                      {"(?<!a)", "lookaround"},
                                                                                      {"(a)\\1", "back references"},
                                                                                      {"\\bword", "boundaries"},
                                                                                      {"\\p{L}", "\\p"},
                                                                                      {"a^b", "beginning"},
                                                                                      {"(a", "')' is missing"},
                                                                                      {"a)", "no '('"},
                                                                                      {"*a", "stands for nothing"},
                                                                                      {"a{3,1}", "wrong order"},
                                                                                      {"[z-a]", "wrong order"},
                                                                                      {"a**", "nothing to repeat"},
                                                                                      {"\\", "ends too early"},
                                                                                      {"[a", "ends too early"},
                                                                                      {"\\xZZ", "hexadecimal"},
                                                                                      {"a{9999999}", "large"},
                                                                                      {"\xFF", "UTF-8"}})
    EXPECT_THAT(test::error_of([&] { parse_regex(pattern); }), HasSubstr(part)) << pattern;
  EXPECT_THAT(test::error_of([&] { parse_regex("\xC3\xA9(?=a)"); }), HasSubstr("at character 3"));
}

TEST(Automaton, RefusesWhatIsTooLarge) {
  EXPECT_THAT(test::error_of([] { matcher_of("^(a{1000}){1000}$"); }), HasSubstr("nodes"));
}

}  // namespace
}  // namespace hearth
