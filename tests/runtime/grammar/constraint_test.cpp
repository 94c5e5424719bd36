// What a vocabulary may draw under a grammar: the tokens that the text allows, and no others.
#include "runtime/grammar/constraint.h"

#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "runtime/base/error.h"
#include "runtime/grammar/json_schema.h"
#include "tests/support/list_tokenizer.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

const char* const kSchema = R"({
  "type": "object",
  "properties": {
    "name": {"type": "string"},
    "code": {"type": "string", "maxLength": 5},
    "size": {"type": "integer", "minimum": 0, "maximum": 300},
    "kind": {"enum": ["small", "large", null]},
    "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
    "list": {"type": "array", "items": {"type": "number"}, "maxItems": 3}
  },
  "required": ["name", "size", "next"],
  "additionalProperties": false
})";

// All bytes, and pieces as a trained vocabulary has them: words with a blank before them, what stands between values,
// halves of characters.
std::shared_ptr<test::ListTokenizer> vocabulary() {
  std::vector<std::string> pieces;
  for (int byte = 0; byte < 256; ++byte) pieces.emplace_back(1, static_cast<char>(byte));
  for (const char* piece : {" the",
                            "na",
                            "name",
                            "\"name",
                            "{\"",
                            "\":",
                            "\": \"",
                            "\",",
                            ", \"",
                            "\",\"",
                            "}",
                            "}}",
                            "null}",
                            "ull",
                            "12",
                            "3000",
                            "\xE4\xBD",
                            "\xA0",
                            "\xE4\xBD\xA0",
                            "\xE5\xA5\xBD\xE5",
                            "\\n",
                            "\\u00",
                            "\\",
                            "[",
                            "[]",
                            "1.5",
                            "e+",
                            "  ",
                            "\n  ",
                            "size",
                            "small",
                            "large\"",
                            "aaaa",
                            "aaaaaaaaaaaaaaaa",
                            "\"}"})
    pieces.emplace_back(piece);
  std::mt19937 random(1);
  for (int i = 0; i < 300; ++i) {
    std::string piece;
    for (int j = 0; j < 3; ++j) piece += pieces[random() % pieces.size()];
    pieces.push_back(piece);
  }
  return std::make_shared<test::ListTokenizer>(pieces, std::vector<std::string>{"<|end|>", "{"});
}

std::shared_ptr<const Automaton> automaton_of(const char* schema) {
  return std::make_shared<Automaton>(json_schema_grammar(Json::parse(schema)));
}

TokenId some_allowed(std::span<const uint64_t> mask, int64_t size, std::mt19937& random) {
  std::vector<TokenId> allowed;
  for (TokenId id = 0; id < size; ++id)
    if (has_token(mask, id)) allowed.push_back(id);
  return allowed.empty() ? -1 : allowed[random() % allowed.size()];
}

TEST(TokenMask, IsWhatCanBeReadTokenByToken) {
  const auto tokenizer = vocabulary();
  const TokenTable table(*tokenizer);
  for (const char* schema : {kSchema, "true", R"({"type": "string", "minLength": 2, "maxLength": 40})"}) {
    Matcher matcher(automaton_of(schema));
    std::mt19937 random(2);
    for (int walk = 0; walk < 20; ++walk) {
      Matcher::State state = matcher.begin();
      for (int step = 0; step < 40 && state != Matcher::kDead; ++step) {
        const TokenMask mask = table.readable(matcher, state);
        for (TokenId id = 0; id < tokenizer->vocab_size(); ++id) {
          const bool readable =
              !tokenizer->is_special(id) && matcher.read(state, tokenizer->token_bytes(id)) != Matcher::kDead;
          ASSERT_EQ(has_token(mask, id), readable) << schema << " token " << id;
        }
        const TokenId next = some_allowed(mask, tokenizer->vocab_size(), random);
        if (next < 0) break;
        state = matcher.read(state, tokenizer->token_bytes(next));
      }
    }
  }
}

TEST(GrammarConstraint, WhateverIsDrawnComesToAWholeValue) {
  const auto tokenizer = vocabulary();
  const auto grammar = std::make_shared<TokenGrammar>(automaton_of(kSchema), std::make_shared<TokenTable>(*tokenizer));
  std::mt19937 random(3);
  int ended = 0;
  for (int answer = 0; answer < 60; ++answer) {
    GrammarConstraint constraint(grammar);
    std::string text;
    for (int step = 0; step < 400 && !constraint.must_end(); ++step) {
      const TokenId next = some_allowed(constraint.allowed(), tokenizer->vocab_size(), random);
      ASSERT_GE(next, 0) << "nothing may come, and it must not end: " << text;
      constraint.accept(next);
      text += tokenizer->token_bytes(next);
      EXPECT_EQ(constraint.may_end(), Json::accept(text) && text.back() == '}') << text;
    }
    if (!constraint.must_end()) continue;
    ++ended;
    const Json value = Json::parse(text);
    EXPECT_TRUE(value["name"].is_string() && value["size"].is_number_integer() && value.contains("next")) << text;
    EXPECT_LE(value["size"], 300);
  }
  EXPECT_GT(ended, 5);
}

TEST(GrammarConstraint, RefusesATokenThatWasNotAllowed) {
  const auto tokenizer = vocabulary();
  GrammarConstraint constraint(
      std::make_shared<TokenGrammar>(automaton_of(kSchema), std::make_shared<TokenTable>(*tokenizer)));
  EXPECT_THROW(constraint.accept('x'), std::exception);
}

TEST(TokenMask, OfAGrammarInTooManyPlacesAtOnceIsRefused) {
  const auto tokenizer = vocabulary();
  const TokenTable table(*tokenizer);
  Matcher matcher(automaton_of(R"_({"type": "string", "pattern": "^([a-z]?){9000}x$"})_"));
  EXPECT_THROW(
      {
        Matcher::State state = matcher.begin();
        for (int i = 0; i < 100; ++i) {
          table.readable(matcher, state);
          state = matcher.read(state, i == 0 ? "\"" : "a");
        }
      },
      Error);
}

// A control token is none of the answer's text, whatever it is called.
TEST(GrammarConstraint, ControlTokensAreNoText) {
  const auto tokenizer = vocabulary();
  GrammarConstraint constraint(
      std::make_shared<TokenGrammar>(automaton_of("true"), std::make_shared<TokenTable>(*tokenizer)));
  EXPECT_FALSE(has_token(constraint.allowed(), static_cast<TokenId>(tokenizer->vocab_size() - 1)));
  EXPECT_TRUE(has_token(constraint.allowed(), '{'));
}

}  // namespace
}  // namespace hearth
