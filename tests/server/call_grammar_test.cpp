// The grammar of calls and the parser of messages say the same of every format: what a format writes is in its grammar,
// and whatever the grammar lets a model write comes apart into calls of the tools with arguments of their schemas.
#include "server/call_grammar.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/grammar/automaton.h"
#include "runtime/grammar/matcher.h"
#include "runtime/tokenizer/utf8.h"
#include "server/api_error.h"
#include "templates/tool_parsers/message_parser.h"
#include "templates/tool_parsers/write_calls.h"
#include "tests/models/tiny_models.h"
#include "tests/support/temporary_directory.h"

namespace hearth {

void PrintTo(const CallFormat& format, std::ostream* out) { *out << format.name; }

namespace {

using Json = nlohmann::ordered_json;

const Json kTools = Json::parse(R"([
  {"type": "function", "function": {"name": "get_weather", "strict": true, "parameters": {"type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}, "units": {"type": "string", "enum": ["metric", "imperial"]},
                   "hourly": {"type": "boolean"}, "ratio": {"type": "number"}},
    "required": ["city", "hourly"], "additionalProperties": false}}},
  {"type": "function", "function": {"name": "clock"}}])");

std::shared_ptr<const Tokenizer> any_tokenizer() {
  static const std::shared_ptr<const Tokenizer> kTokenizer = [] {
    test::TemporaryDirectory directory;
    test::make_directory(test::tiny_model("none"), directory.path());
    return load_tokenizer(directory.path());
  }();
  return kTokenizer;
}

Grammar grammar_of_calls(const CallFormat& format, const Json& tools, bool parallel = true) {
  ConversationFields conversation;
  conversation.tools = tools;
  Grammar grammar{.rules = {Expr{}}};
  CallGrammar maker(grammar, format, MarkSpeller(*any_tokenizer(), {}), parallel);
  Expr calls = maker.calls(callable_tools(conversation), false);
  grammar.rules[0] = std::move(calls);
  EXPECT_TRUE(prune(grammar));
  return grammar;
}

// A text that a grammar allows; it comes to its end the sooner the longer it is.
class Writer {
 public:
  Writer(const Grammar& grammar, unsigned seed) : grammar_(grammar), random_(seed) {}
  std::string write() {
    text_.clear();
    add(grammar_.rules[static_cast<size_t>(grammar_.root)]);
    return text_;
  }

 private:
  bool hurries() { return text_.size() > 300 || random_() % 300 < text_.size(); }

  void add(const Expr& expr) {
    switch (expr.kind) {
      case Expr::Kind::kChars: {
        const auto& ranges = expr.chars.ranges();
        const CharSet::Range range = ranges[random_() % ranges.size()];
        const uint32_t size = std::min<uint32_t>(range.last - range.first + 1, 90);
        utf8::append(text_, range.first + static_cast<char32_t>(random_() % size));
        return;
      }
      case Expr::Kind::kSequence:
        for (const Expr& part : expr.parts) add(part);
        return;
      case Expr::Kind::kChoice:
        // Rules of free text have their end first.
        return add(hurries() ? expr.parts.front() : expr.parts[random_() % expr.parts.size()]);
      case Expr::Kind::kRepeat: {
        int64_t times = expr.min;
        while (!hurries() && (expr.max == Expr::kUnbounded || times < expr.max) && random_() % 2 == 0) ++times;
        for (int64_t i = 0; i < times; ++i) add(expr.parts.front());
        return;
      }
      case Expr::Kind::kRule:
        return add(grammar_.rules[static_cast<size_t>(expr.rule)]);
      case Expr::Kind::kControl:
        FAIL() << "there are no control tokens";
    }
  }

  const Grammar& grammar_;
  std::mt19937 random_;
  std::string text_;
};

struct Call {
  std::string name, arguments;
};

std::vector<Call> parse(const CallFormat& format, const std::string& text, std::string& rest, size_t& complete) {
  MessageParser parser({.calls = &format}, kTools, "");
  std::vector<MessagePiece> pieces = parser.push(text);
  for (MessagePiece& piece : parser.finish(true)) pieces.push_back(std::move(piece));
  complete = parser.complete_calls();
  std::vector<Call> calls;
  for (const MessagePiece& piece : pieces) {
    if (piece.kind == MessagePiece::Kind::kCall) calls.push_back({piece.text, ""});
    if (piece.kind == MessagePiece::Kind::kArguments) calls[piece.call].arguments += piece.text;
    if (piece.kind == MessagePiece::Kind::kText) rest += piece.text;
  }
  return calls;
}

void expect_weather(const Json& arguments) {
  ASSERT_TRUE(arguments.contains("city") && arguments["city"].is_string()) << arguments;
  ASSERT_TRUE(arguments.contains("hourly") && arguments["hourly"].is_boolean()) << arguments;
  for (const auto& [key, value] : arguments.items()) {
    if (key == "days" || key == "ratio") {
      EXPECT_TRUE(value.is_number()) << value;
    } else if (key == "units") {
      EXPECT_THAT(value.get<std::string>(), testing::AnyOf("metric", "imperial"));
    }
    EXPECT_THAT(key, testing::AnyOf("city", "days", "units", "hourly", "ratio"));
  }
}

class EveryFormat : public testing::TestWithParam<CallFormat> {
 protected:
  const CallFormat& format() const { return *find_call_format(GetParam().name); }
};

TEST_P(EveryFormat, WhateverTheGrammarAllowsIsCallsOfTheTools) {
  const Grammar grammar = grammar_of_calls(format(), kTools);
  for (unsigned seed = 0; seed < 200; ++seed) {
    const std::string text = Writer(grammar, seed).write();
    SCOPED_TRACE(text);
    std::string rest;
    size_t complete = 0;
    const std::vector<Call> calls = parse(format(), text, rest, complete);
    ASSERT_FALSE(calls.empty());
    EXPECT_EQ(complete, calls.size());
    EXPECT_EQ(rest, "");
    for (const Call& call : calls) {
      const Json arguments = Json::parse(call.arguments, nullptr, false);
      ASSERT_TRUE(arguments.is_object()) << call.arguments;
      if (call.name == "get_weather")
        expect_weather(arguments);
      else
        EXPECT_EQ(call.name + arguments.dump(), "clock{}");
    }
  }
}

TEST_P(EveryFormat, WhatTheFormatWritesIsInTheGrammar) {
  Matcher matcher(std::make_shared<Automaton>(grammar_of_calls(format(), kTools)));
  const ToolCall rome{"get_weather", {{"city", "Rome \"1\""}, {"days", 3}, {"hourly", true}}};
  const ToolCall clock{"clock", Json::object()}, unknown{"nothing", Json::object()},
      wrong{"get_weather", {{"city", "Rome"}}};
  EXPECT_TRUE(matcher.accepts(write_calls(format(), std::vector{rome}))) << write_calls(format(), std::vector{rome});
  EXPECT_TRUE(matcher.accepts(write_calls(format(), std::vector{clock})));
  EXPECT_FALSE(matcher.accepts(write_calls(format(), std::vector{unknown})));
  EXPECT_FALSE(matcher.accepts(write_calls(format(), std::vector{wrong})));
  if (!format().takes_several()) return;
  const std::vector<ToolCall> both = {rome, clock};
  EXPECT_TRUE(matcher.accepts(write_calls(format(), both))) << write_calls(format(), both);
  Matcher one(std::make_shared<Automaton>(grammar_of_calls(format(), kTools, /*parallel=*/false)));
  EXPECT_FALSE(one.accepts(write_calls(format(), both)));
}

TEST_P(EveryFormat, ArgumentsThatAreNotDeclaredDoNotCome) {
  const Json tools = Json::parse(
      R"([{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}}])");
  Matcher matcher(std::make_shared<Automaton>(grammar_of_calls(format(), tools)));
  const ToolCall declared{"f", {{"a", 4}}}, none{"f", Json::object()}, more{"f", {{"a", 4}, {"b", 5}}};
  EXPECT_TRUE(matcher.accepts(write_calls(format(), std::vector{declared})));
  EXPECT_TRUE(matcher.accepts(write_calls(format(), std::vector{none})));
  EXPECT_FALSE(matcher.accepts(write_calls(format(), std::vector{more})));
}

TEST_P(EveryFormat, OfAToolThatIsNotStrictWhatCannotBeEnforcedIsAnyObject) {
  Json tools = Json::parse(
      R"([{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "integer", "multipleOf": 3}}}}}])");
  const ToolCall call{"f", {{"a", 4}}};
  Matcher matcher(std::make_shared<Automaton>(grammar_of_calls(format(), tools)));
  EXPECT_TRUE(matcher.accepts(write_calls(format(), std::vector{call})));
  tools[0]["function"]["strict"] = true;
  try {
    grammar_of_calls(format(), tools);
    FAIL() << "multipleOf was taken";
  } catch (const ApiError& error) {
    EXPECT_EQ(error.details().param, "/tools/0/function/parameters/properties/a/multipleOf");
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, EveryFormat, testing::ValuesIn(call_formats()),
                         [](const auto& format) { return std::string(format.param.name); });

TEST(TextWithout, TakesEveryTextButThoseWithAMark) {
  Grammar grammar{.rules = {Expr{}}};
  Expr text = text_without(grammar, {"<tool>", "aab"});
  grammar.rules[0] = std::move(text);
  Matcher matcher(std::make_shared<Automaton>(grammar));
  for (const char* good : {"", "<", "<tool", "<too<tool", "aaab"})
    EXPECT_EQ(matcher.accepts(good), std::string(good) != "aaab") << good;
  std::mt19937 random(3);
  for (int round = 0; round < 2000; ++round) {
    std::string sample;
    for (size_t i = random() % 12; i > 0; --i)
      sample += std::vector<std::string>{"a", "b", "<", "<to", "ol>", "é", "<tool>"}[random() % 7];
    const bool has_mark = sample.find("<tool>") != std::string::npos || sample.find("aab") != std::string::npos;
    EXPECT_EQ(matcher.accepts(sample), !has_mark) << sample;
  }
}

TEST(TextNotBeginning, TakesEveryTextButThoseThatBeginSo) {
  Matcher matcher(std::make_shared<Automaton>(Grammar{.rules = {text_not_beginning({"clock\n", "cl(", "{"})}}));
  for (const char* good : {"", "c", "clock", "clock x", "a{", "cl[", "é"}) EXPECT_TRUE(matcher.accepts(good)) << good;
  for (const char* bad : {"{", "{a", "cl(", "clock\n", "clock\n{}"}) EXPECT_FALSE(matcher.accepts(bad)) << bad;
}

}  // namespace
}  // namespace hearth
