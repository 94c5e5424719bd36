// Grammars in llama.cpp's notation, and what is wrong with them.
#include "runtime/grammar/gbnf.h"

#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/grammar/matcher.h"
#include "tests/support/error_of.h"

namespace hearth {
namespace {

using testing::HasSubstr;

Matcher matcher_of(std::string_view text) { return Matcher(std::make_shared<Automaton>(parse_gbnf(text))); }

TEST(Gbnf, ReadsAllThatARuleMayHave) {
  Matcher matcher = matcher_of(R"(# a list of moves
root ::= "1. " move " " move "\n" ([1-9] [0-9]? ". " move
  (" " move)? "\n")*
move ::= (pawn | piece{1} | "O-O" "-O"?) [+#]?   # with check
pawn ::= [a-h]{1,2} [1-8]
piece ::= [NBKQR] .{2}
)");
  for (const char* text : {"1. e4 e5\n", "1. e4 Nf6\n2. O-O-O Qd4+\n", "1. ab1 b2\n10. a1\n"})
    EXPECT_TRUE(matcher.accepts(text)) << text;
  for (const char* text : {"", "1. e4\n", "1. e9 e5\n", "1. e4 e5"}) EXPECT_FALSE(matcher.accepts(text)) << text;
}

TEST(Gbnf, RecursionIsUnbounded) {
  Matcher matcher = matcher_of("root ::= \"(\" root? \")\" | \"[\" root* \"]\"");
  EXPECT_TRUE(matcher.accepts("([(([]))()])"));
  EXPECT_FALSE(matcher.accepts("([)]"));
  const std::string deep(150, '(');
  EXPECT_TRUE(matcher.accepts(deep + std::string(150, ')')));
  EXPECT_FALSE(matcher.accepts(std::string(5000, '(') + std::string(5000, ')'))) << "deeper than is allowed";
}

TEST(Gbnf, ARuleThatEndsWithItselfTakesAnyLength) {
  Matcher matcher = matcher_of("root ::= item | item \",\" root\nitem ::= [a-z]+ | \"\\u00e9\" | [^\\x00-\\U0000FFFF]");
  std::string text = "a";
  for (int i = 0; i < 5000; ++i) text += ",b";
  EXPECT_TRUE(matcher.accepts(text));
  EXPECT_TRUE(matcher.accepts("\xC3\xA9,\xF0\x9F\x98\x80"));
}

TEST(Gbnf, MistakesHaveLineAndColumn) {
  for (const auto& [text, part] : std::vector<std::pair<const char*, const char*>>{
           {"root ::= \"a\nb", "line 2, column 2: it ends too early"},
           {"root ::= itme\nitem ::= \"a\"", "line 1, column 10: there is no rule 'itme' (did you mean 'item'?)"},
           {"item ::= \"a\"", "no rule 'root'"},
           {"root ::= (\"a\"", "')' is missing"},
           {"root ::= \"a\"\nroot ::= \"b\"", "line 2, column 1: the rule is there already"},
           {"root = \"a\"", "'::=' is missing"},
           {"root ::= \"a\"{2,1}", "wrong order"},
           {"root ::= \"\\q\"", "no such escape"},
           {"root ::= root", "no text follows it"},
           {"root ::= root \"a\" | \"b\"", "'root' begins with itself"},
           {"root ::= x root | \"b\"\nx ::= \"\" | \"c\"", "'root' begins with itself"},
           {"root ::= *", "is missing"},
           {"root ::= \"\xFF\"", "UTF-8"}})
    EXPECT_THAT(test::error_of([&] { matcher_of(text); }), HasSubstr(part)) << text;
}

}  // namespace
}  // namespace hearth
