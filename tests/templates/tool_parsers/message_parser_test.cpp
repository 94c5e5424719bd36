// What a model wrote comes apart into the same message however it was cut, for every format: of calls as we write them,
// of what published templates write (tests/golden/make_tool_calls.py), and of what models wrote.
#include "templates/tool_parsers/message_parser.h"

#include <filesystem>
#include <random>

#include <gtest/gtest.h>

#include "runtime/base/file.h"
#include "templates/tool_parsers/write_calls.h"
#include "tests/templates/template_cases.h"

namespace hearth {

void PrintTo(const CallFormat& format, std::ostream* out) { *out << format.name; }

namespace {

using Json = nlohmann::ordered_json;

const Json& golden() {
  static const Json kGolden = read_template_cases("tool_calls.json");
  return kGolden;
}

struct Message {
  std::string reasoning, text;
  Json calls = Json::array();
  size_t complete = 0;

  bool operator==(const Message&) const = default;
};

void PrintTo(const Message& message, std::ostream* out) {
  *out << "reasoning " << Json(message.reasoning) << ", text " << Json(message.text) << ", calls "
       << message.calls.dump() << ", complete " << message.complete;
}

void take(std::vector<MessagePiece> pieces, Message& message) {
  for (MessagePiece& piece : pieces) {
    switch (piece.kind) {
      case MessagePiece::Kind::kReasoning:
        message.reasoning += piece.text;
        break;
      case MessagePiece::Kind::kText:
        message.text += piece.text;
        break;
      case MessagePiece::Kind::kCall:
        EXPECT_EQ(piece.call, message.calls.size());
        message.calls.push_back({{"name", piece.text}, {"arguments", ""}});
        if (!piece.id.empty()) message.calls.back()["id"] = piece.id;
        break;
      case MessagePiece::Kind::kArguments:
        ASSERT_EQ(piece.call + 1, message.calls.size());
        message.calls.back()["arguments"] = message.calls.back()["arguments"].get<std::string>() + piece.text;
    }
  }
}

Message parse(const MessageFormat& format, const std::vector<std::string>& pieces, const std::string& prompt = "",
              const Json& tools = golden().at("tools"), bool ended = true) {
  MessageParser parser(format, tools, prompt);
  Message message;
  for (const std::string& piece : pieces) take(parser.push(piece), message);
  take(parser.finish(ended), message);
  message.complete = parser.complete_calls();
  return message;
}

// At the ends of characters, as a decoder hands text on.
std::vector<std::string> characters(const std::string& text) {
  std::vector<std::string> out;
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) & 0xC0) != 0x80 || out.empty()) out.emplace_back();
    out.back() += c;
  }
  return out;
}

// Whole, by characters and in random pieces, which must all say the same.
Message parse_all_ways(const MessageFormat& format, const std::string& text, const std::string& prompt = "") {
  const Message whole = parse(format, {text}, prompt);
  const std::vector<std::string> single = characters(text);
  EXPECT_EQ(parse(format, single, prompt), whole) << text;
  std::mt19937 random(7);
  for (int round = 0; round < 20; ++round) {
    std::vector<std::string> pieces(1);
    for (const std::string& character : single) {
      if (random() % 5 == 0) pieces.emplace_back();
      pieces.back() += character;
    }
    EXPECT_EQ(parse(format, pieces, prompt), whole) << text;
  }
  return whole;
}

// Arguments as values, since their spelling and order are the model's.
nlohmann::json values(const Json& calls) {
  nlohmann::json out = nlohmann::json::array();
  for (const Json& call : calls) {
    const Json& arguments = call.at("arguments");
    out.push_back(
        {{"name", call.at("name")},
         {"arguments", arguments.is_string() ? Json::parse(arguments.get<std::string>(), nullptr, false) : arguments}});
  }
  return out;
}

std::vector<ToolCall> tool_calls(const Json& calls) {
  std::vector<ToolCall> out;
  for (const Json& call : calls) out.push_back({call.at("name"), call.at("arguments")});
  return out;
}

class EveryFormat : public testing::TestWithParam<CallFormat> {
 protected:
  const CallFormat& format() const { return *find_call_format(GetParam().name); }
  MessageFormat message_format() const { return {.calls = &format()}; }
};

TEST_P(EveryFormat, ReadsWhatItWrites) {
  for (const auto& [name, calls] : golden().at("calls").items()) {
    if (calls.size() > 1 && !format().takes_several()) continue;
    const std::string text = write_calls(format(), tool_calls(calls));
    const Message message = parse_all_ways(message_format(), text);
    EXPECT_EQ(values(message.calls), nlohmann::json(calls)) << text;
    EXPECT_EQ(message.text, "") << text;
    EXPECT_EQ(message.complete, calls.size()) << text;
  }
}

TEST_P(EveryFormat, TextBeforeCallsIsText) {
  if (format().is_bare()) return;  // there, they begin the answer
  const Json& calls = golden().at("calls").at("two");
  const std::string before = "I will look <at> [it] {now}: \"a\".";
  const std::string text = before + "\n\n" + write_calls(format(), tool_calls(calls)) + "\n";
  const Message message = parse_all_ways(message_format(), text);
  EXPECT_EQ(message.text, before) << text;
  EXPECT_EQ(values(message.calls), nlohmann::json(calls)) << text;
}

TEST_P(EveryFormat, TextAloneIsTextToTheByte) {
  for (const std::string text :
       {"Hello, world!\n", "  two blanks", "", "\n", "a < b and <b>bold</b>, [1, 2], {\"a\": 1}\n\n\nend", "<", "[",
        "{", "{\"name\": \"Ada\", \"age\": 36}", "[not_a_tool(a=1)]", "Réykjavík 🙂 <｜ [TOOL",
        "clock is a word"}) {
    const Message message = parse_all_ways(message_format(), text);
    EXPECT_EQ(message.text, text);
    EXPECT_TRUE(message.calls.empty()) << text;
  }
}

TEST_P(EveryFormat, ACallThatIsCutOffIsNotComplete) {
  const std::string text = write_calls(format(), tool_calls(golden().at("calls").at("every type")));
  std::string begin;
  for (const std::string& character : characters(text)) {
    const Message message = parse(message_format(), {begin}, "", golden().at("tools"), false);
    EXPECT_LE(message.calls.size(), 1u) << begin;
    if (message.complete == 1) {
      EXPECT_EQ(values(message.calls), nlohmann::json(golden().at("calls").at("every type"))) << begin;
    } else {
      EXPECT_EQ(message.complete, 0u) << begin;
    }
    begin += character;
  }
}

TEST_P(EveryFormat, NothingOnEarthMakesItFail) {
  // Marks, and beginnings of them, in any order.
  std::vector<std::string> words = {"{",
                                    "}",
                                    "[",
                                    "]",
                                    "\"",
                                    ":",
                                    ",",
                                    "\n",
                                    " ",
                                    "clock",
                                    "(",
                                    ")",
                                    "=",
                                    "'",
                                    "\\",
                                    "é",
                                    "\"name\": \"clock\"",
                                    "\"arguments\": {}",
                                    "{\"city\": 1}",
                                    "to=functions.clock"};
  for (const std::string& mark : format().marks()) {
    words.push_back(mark);
    words.push_back(mark.substr(0, mark.size() / 2));
    if (words.back().empty() || static_cast<unsigned char>(mark[mark.size() / 2] & 0xC0) == 0x80) words.back() = "<";
  }
  std::mt19937 random(11);
  for (int round = 0; round < 100; ++round) {
    std::string text;
    for (size_t i = random() % 30; i > 0; --i) text += words[random() % words.size()];
    const Message message = parse_all_ways(message_format(), text);
    EXPECT_LE(message.complete, message.calls.size());
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, EveryFormat, testing::ValuesIn(call_formats()),
                         [](const auto& format) { return std::string(format.param.name); });

TEST(MessageParser, ReadsWhatPublishedTemplatesWrite) {
  for (const Json& entry : golden().at("templates")) {
    const std::string name = entry.at("name");
    SCOPED_TRACE(name);
    const CallFormat* format = find_call_format(entry.at("format").get<std::string>());
    ASSERT_NE(format, nullptr);
    for (const auto& [which, answer] : entry.at("answers").items()) {
      const Message message = parse_all_ways({.calls = format, .reasoning = {"<think>", "</think>"}}, answer.at("text"),
                                             answer.at("prompt"));
      EXPECT_EQ(values(message.calls), nlohmann::json(golden().at("calls").at(which))) << answer.at("text");
      EXPECT_EQ(message.complete, message.calls.size()) << answer.at("text");
    }
  }
}

// tests/golden/make_recorded_calls.py: what a small model wrote, and what LLaMA-Factory finds in it.
TEST(MessageParser, FindsInRecordedAnswersWhatLlamaFactoryFinds) {
  size_t with_calls = 0;
  for (const Json& one : read_template_cases("recorded_calls.json")) {
    const std::string name = one.at("format"), text = one.at("text");
    const CallFormat* format = find_call_format(name);
    ASSERT_NE(format, nullptr);
    const Message message = parse_all_ways({.calls = format}, text);
    const Json& calls = one.at("calls");
    if (calls.is_null()) continue;
    // Without marks, only known tools are called; LLaMA-Factory takes any name for one.
    const bool all_known = std::ranges::all_of(
        calls, [](const Json& call) { return call.at("name") == "clock" || call.at("name") == "get_weather"; });
    if (format->is_bare() && !all_known) continue;
    // Of a call that is spelled wrongly LLaMA-Factory passes over what it cannot read; here it does not count as whole.
    if (message.complete < message.calls.size()) continue;
    ++with_calls;
    nlohmann::json expected = calls;
    for (auto& call : expected) {  // its seed_oss takes the mark behind a name for a part of it
      std::string called = call.at("name");
      std::erase(called, '>');
      call["name"] = called;
    }
    EXPECT_EQ(values(message.calls), expected) << name << ": " << text;
  }
  EXPECT_GT(with_calls, 35u);
}

TEST(MessageParser, TheFormatIsFoundInTheTemplate) {
  const std::filesystem::path shared = "../shared/templates";  // not ours to commit
  for (const Json& entry : golden().at("templates")) {
    const std::filesystem::path path = shared / (entry.at("name").get<std::string>() + ".jinja");
    if (!std::filesystem::exists(path)) continue;
    const CallFormat* format = call_format_of_template(read_file(path));
    ASSERT_NE(format, nullptr) << path;
    EXPECT_EQ(format->name, entry.at("format").get<std::string>()) << path;
  }
}

MessageFormat thinking(std::string_view calls = "hermes") {
  return {.calls = find_call_format(calls), .reasoning = {"<think>", "</think>"}};
}

TEST(MessageParser, ReasoningIsTakenOffTheFront) {
  const std::string call = "<tool_call>\n{\"name\": \"clock\", \"arguments\": {}}\n</tool_call>";
  for (const auto& [text, prompt, reasoning, content, calls] :
       std::vector<std::tuple<std::string, std::string, std::string, std::string, size_t>>{
           {"<think>\nLet me\nsee.\n</think>\n\nYes.", "", "Let me\nsee.", "Yes.", 0},
           {"\n<think>a</think>b", "", "a", "b", 0},
           {"Let me see.</think>\nYes.", "<|im_start|>assistant\n<think>\n", "Let me see.", "Yes.", 0},
           {"Yes.\n", "<think>\n\n</think>\n\n", "", "Yes.\n", 0},
           {"<think>a</think>\n" + call, "", "a", "", 1},
           {"<think>never ends", "", "never ends", "", 0},
           {"<think>\n\n</think>\n\n", "", "", "", 0},
           {"  plain <think>text</think>", "", "", "  plain <think>text</think>", 0},
           {"<thin", "", "", "<thin", 0}}) {
    const Message message = parse_all_ways(thinking(), text, prompt);
    EXPECT_EQ(message.reasoning, reasoning) << text;
    EXPECT_EQ(message.text, content) << text;
    EXPECT_EQ(message.calls.size(), calls) << text;
  }
}

TEST(MessageParser, WithoutToolsNothingIsACall) {
  const std::string call = "<tool_call>\n{\"name\": \"clock\", \"arguments\": {}}\n</tool_call>";
  EXPECT_EQ(parse(thinking(), {"<think>a</think>" + call}, "", nullptr).text, call);
}

struct Recorded {
  std::string format, text, content;
  Json calls;
};

// Spellings that models have and templates do not write.
TEST(MessageParser, ReadsWhatModelsWrite) {
  const Json clock = Json::array({{{"name", "clock"}, {"arguments", Json::object()}}});
  const Json rome = Json::array({{{"name", "get_weather"}, {"arguments", {{"city", "Rome"}}}}});
  Json both = rome;
  both.push_back(clock[0]);
  const std::vector<Recorded> cases = {
      {"hermes", "<tool_call>{\"arguments\": {\"city\": \"Rome\"}, \"name\": \"get_weather\"}</tool_call>", "", rome},
      {"hermes", "<tool_call>\n{\"name\": \"clock\"}\n</tool_call>", "", clock},
      {"hermes", "<tool_call>\n{\"name\": \"clock\", \"arguments\": null}\n</tool_call>", "", clock},
      {"hermes", "<tool_call>{\"name\": \"get_weather\", \"arguments\": \"{\\\"city\\\": \\\"Rome\\\"}\"}</tool_call>",
       "", rome},
      {"hermes", "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Rome\"}}", "", rome},
      {"hermes", "<tool_call>not a call</tool_call> then", "<tool_call>not a call</tool_call> then", Json::array()},
      {"llama3_json", "<|python_tag|>{\"name\": \"clock\", \"parameters\": {}}", "", clock},
      {"llama3_json", "{\"type\": \"function\", \"name\": \"get_weather\", \"parameters\": {\"city\": \"Rome\"}}", "",
       rome},
      {"llama3_json",
       "{\"name\": \"get_weather\", \"parameters\": {\"city\": \"Rome\"}}; {\"name\": \"clock\", \"parameters\": {}}",
       "", both},
      {"llama3_json",
       "[{\"name\": \"get_weather\", \"parameters\": {\"city\": \"Rome\"}}, {\"name\": \"clock\", \"parameters\": {}}]",
       "", both},
      {"pythonic", "[get_weather(city='Rome'), clock()]", "", both},
      {"pythonic", "[get_weather('Rome'), clock()]", "", both},
      {"qwen3_coder", "<function=get_weather>\n<parameter=city>\nRome\n</parameter>\n</function>\n</tool_call>", "",
       rome},
      {"qwen3_coder", "<tool_call><function=clock></function></tool_call>", "", clock},
      {"minimax_m1",
       "<tool_calls>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Rome\"}}\n{\"name\": \"clock\", "
       "\"arguments\": {}}\n</tool_calls>",
       "", both},
      {"minimax_m2", "<invoke name=\"get_weather\">\n<parameter name=\"city\">Rome</parameter>\n</invoke>", "", rome},
      {"glm45", "\n<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Rome</arg_value>\n<tool_call>clock\n",
       "", both},
      {"functionary_v32", ">>>all\nI will look.>>>get_weather\n{\"city\": \"Rome\"}>>>clock\n{}", "I will look.", both},
      {"harmony",
       "<|channel|>commentary<|message|>I will look.<|end|><|start|>assistant<|channel|>commentary to=functions.clock "
       "<|constrain|>json<|message|>{}<|call|>",
       "I will look.", clock},
      {"harmony", " to=functions.get_weather<|channel|>commentary json<|message|>{\"city\": \"Rome\"}<|call|>", "",
       rome},
      {"default",
       "Thought: I need it.\nAction: get_weather\nAction Input: {\"city\": \"Rome\"}\nAction: clock\nAction Input: "
       "{}\n",
       "Thought: I need it.", both},
      {"default", "Action: think about it\nAction: clock\nAction Input: {}", "Action: think about it", clock},
  };
  for (const Recorded& one : cases) {
    const Message message = parse_all_ways({.calls = find_call_format(one.format)}, one.text);
    EXPECT_EQ(values(message.calls), nlohmann::json(one.calls)) << one.format << ": " << one.text;
    EXPECT_EQ(message.complete, one.calls.size()) << one.format << ": " << one.text;
    EXPECT_EQ(message.text, one.content) << one.format << ": " << one.text;
  }
}

TEST(MessageParser, HarmonysReasoningAndText) {
  const Message message =
      parse_all_ways({.calls = find_call_format("harmony")},
                     "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Four.");
  EXPECT_EQ(message.reasoning, "Hm.");
  EXPECT_EQ(message.text, "Four.");
}

TEST(MessageParser, AFormatIsFoundByItsName) {
  EXPECT_EQ(find_call_format("no such"), nullptr);
  EXPECT_EQ(call_format_of_template("{{ messages }}"), nullptr);
  EXPECT_EQ(call_format_of_template("{% if tools %}<tool_call>{% endif %}")->name, "hermes");
}

}  // namespace
}  // namespace hearth
