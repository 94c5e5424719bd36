// What is wrong with lines of training data is told with their numbers; what passes is an example to the reader.
#include "server/fine_tuning/check_training_file.h"

#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/file.h"
#include "tests/support/temporary_directory.h"

namespace hearth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr const char* kGood =
    R"({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]})";

std::string repeated(const std::string& line, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += line + "\n";
  return text;
}

// What is wrong with one line among good ones.
std::string cause(TrainingLines lines, std::string line) {
  std::erase(line, '\n');
  const TrainingFileReport report = check_training_text(line, {.lines = lines, .fewest = 1});
  return report.errors.empty() ? "" : report.errors[0].cause;
}

std::string messages(const std::string& list) { return R"({"messages": [)" + list + "]}"; }

const std::string
    kUser = R"({"role": "user", "content": "Hi"})",
    kAssistant = R"({"role": "assistant", "content": "Hello"})",
    kSystem = R"({"role": "system", "content": "Be brief."})",
    kCall =
        R"({"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]})",
    kTool = R"({"role": "tool", "tool_call_id": "1", "content": "12"})";

TEST(CheckTrainingFile, LinesOfChatsThatCanBeTrainedOn) {
  for (const std::string& list :
       {kUser + "," + kAssistant, kSystem + "," + kUser + "," + kAssistant + "," + kUser + "," + kAssistant,
        kSystem + "," + R"({"role": "developer", "content": "D"},)" + kUser + "," + kCall + "," + kTool + "," + kTool +
            "," + kAssistant,
        kUser + "," + kCall,
        kUser + R"(,{"role": "assistant", "content": "a", "weight": 0},)" + kUser +
            R"(,{"role": "assistant", "content": "b", "weight": 1})",
        std::string(R"({"role": "user", "content": [{"type": "text", "text": "a"}], "name": "Ann"},)") + kAssistant})
    EXPECT_EQ(cause(TrainingLines::kChat, messages(list)), "") << list;
}

TEST(CheckTrainingFile, LinesOfChatsThatCannot) {
  const struct {
    std::string line;
    const char* cause;
  } cases[] = {
      {R"({"messages": [)", "it is not JSON that can be read: parse error at line 1"},
      {"7", "it must be an object"},
      {R"({"mesages": []})", "'messages' is required"},
      {R"({"messages": []})", "'messages': at least one message"},
      {R"({"messages": "Hi"})", "'messages': expected an array, found a string"},
      {messages(kUser),
       "'messages[0].role': the last message must be the assistant's, which is learnt; it is of 'user'"},
      {messages(kAssistant), "'messages[0].role': an answer must follow"},
      {messages(kUser + "," + kUser + "," + kAssistant), "'messages[1].role': two messages of the user follow"},
      {messages(kUser + "," + kAssistant + "," + kAssistant), "'messages[2].role': an answer must follow"},
      {messages(kUser + "," + kSystem + "," + kAssistant), "'messages[1].role': a system message may only stand"},
      {messages(kUser + "," + kTool + "," + kAssistant), "'messages[1].role': a tool's result must follow"},
      {messages(kUser + "," + kCall + "," + kTool + "," + kUser + "," + kAssistant),
       "'messages[3].role': the assistant's answer"},
      {messages(kUser + R"(,{"role": "bot", "content": "x"})"), "'messages[1].role': 'bot' is no role"},
      {messages(kUser + R"(,{"role": "assistant", "content": 7})"), "'messages[1].content': expected a string"},
      {messages(kUser + R"(,{"role": "assistant"})"), "'messages[1].content' is required"},
      {messages(kUser + R"(,{"role": "assistant", "content": "x", "weight": 2})"),
       "'messages[1].weight': 2 is not in [0, 1]"},
      {messages(kUser + R"(,{"role": "assistant", "content": "x", "weight": 0.5})"),
       "'messages[1].weight': expected a whole number"},
      {messages(kUser + R"(,{"role": "assistant", "content": "x", "weight": 0})"), "every answer has weight 0"},
      {messages(R"({"role": "user", "content": "Hi", "weight": 1},)" + kAssistant),
       "'messages[0].weight': only messages of the assistant"},
      {messages(R"({"role": "user", "content": [{"type": "image_url", "image_url": "data:,a"}]},)" + kAssistant),
       "'messages[0].content[0].image_url': training files"},
      {messages(kUser + R"(,{"role": "assistant", "content": null, "refusal": "No."})"), "'messages'"},
      {messages(kUser + R"(,{"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}})"),
       "'messages[1].function_call': is the old form"},
      {messages(
           kUser +
           R"(,{"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": "{"}}]})"),
       "'messages[1].tool_calls[0].function.arguments': expected a JSON object"},
      {R"({"messages": [)" + kUser + "," + kAssistant + R"(], "tools": [{"type": "function"}]})",
       "'tools[0].function' is required"},
      {R"({"messages": [)" + kUser + "," + kAssistant + R"(], "parallel_tool_calls": 1})",
       "'parallel_tool_calls': expected a boolean"},
  };
  for (const auto& c : cases) EXPECT_THAT(cause(TrainingLines::kChat, c.line), HasSubstr(c.cause)) << c.line;
}

TEST(CheckTrainingFile, LinesOfPreferencesAndOfCompletions) {
  const auto preference = [](const std::string& list, const std::string& preferred, const std::string& other) {
    return R"({"input": {"messages": [)" + list + R"(]}, "preferred_output": [)" + preferred +
           R"(], "non_preferred_output": [)" + other + "]}";
  };
  const struct {
    TrainingLines lines;
    std::string line;
    const char* cause;
  } cases[] = {
      {TrainingLines::kPreference, preference(kUser, kAssistant, kAssistant), ""},
      {TrainingLines::kPreference, preference(kUser + "," + kCall + "," + kTool, kAssistant, kCall), ""},
      {TrainingLines::kPreference, preference(kUser + "," + kAssistant, kAssistant, kAssistant),
       "'input.messages[1].role': the prompt must end"},
      {TrainingLines::kPreference, preference(kUser, kAssistant + "," + kAssistant, kAssistant),
       "'preferred_output': must be one message, found 2"},
      {TrainingLines::kPreference, preference(kUser, kAssistant, kUser),
       "'non_preferred_output[0].role': must be 'assistant'"},
      {TrainingLines::kPreference, preference(kUser, kAssistant, ""), "'non_preferred_output': at least one message"},
      {TrainingLines::kPreference, R"({"input": {"messages": []}})", "'input.messages': at least one message"},
      {TrainingLines::kPreference, kGood, "'input' is required"},
      {TrainingLines::kCompletion, R"({"prompt": "a", "completion": "b"})", ""},
      {TrainingLines::kCompletion, R"({"prompt": "a", "completion": ""})", "'completion': is empty"},
      {TrainingLines::kCompletion, R"({"prompt": "a"})", "'completion' is required"},
      {TrainingLines::kCompletion, kGood, "'messages': the lines before are of 'prompt' and 'completion'"},
  };
  for (const auto& c : cases) {
    if (*c.cause)
      EXPECT_THAT(cause(c.lines, c.line), HasSubstr(c.cause)) << c.line;
    else
      EXPECT_EQ(cause(c.lines, c.line), "") << c.line;
  }
}

TEST(CheckTrainingFile, BlankLinesAMarkAndCarriageReturnsAreNoErrors) {
  const std::string text = "\xef\xbb\xbf\r\n" + repeated(std::string(kGood) + "\r\n \t", 10) + kGood;
  const TrainingFileReport report = check_training_text(text, {});
  EXPECT_EQ(describe(report), "");
  EXPECT_EQ(report.examples, 11);
}

TEST(CheckTrainingFile, ErrorsHaveTheNumbersOfTheirLinesUpToTwenty) {
  const std::string two = std::string(kGood) + "\n\n{\n" + kGood + "\n{}\n";
  const TrainingFileReport report = check_training_text(two, {});
  ASSERT_EQ(report.errors.size(), 2);
  EXPECT_EQ(report.errors[0].line, 3);
  EXPECT_EQ(report.errors[1].line, 5);
  EXPECT_THAT(describe(report),
              testing::AllOf(HasSubstr("line 3: it is not JSON"), HasSubstr("; line 5: 'messages' is required")));
  EXPECT_EQ(check_training_text(repeated("{}", 20), {}).errors.size(), 20);
  EXPECT_FALSE(check_training_text(repeated("{}", 20), {}).has_more_errors);
  const TrainingFileReport many = check_training_text(repeated("{}", 21), {});
  EXPECT_EQ(many.errors.size(), 20);
  EXPECT_THAT(describe(many), testing::EndsWith("line 20: 'messages' is required; and more"));
  // A cause does not repeat a line of any length.
  EXPECT_LT(cause(TrainingLines::kChat, messages(R"({"role": ")" + std::string(100'000, 'x') + R"(", "content": ""})"))
                .size(),
            400);
}

TEST(CheckTrainingFile, TooFewExamplesAreAnErrorOfTheWholeFile) {
  EXPECT_EQ(describe(check_training_text("", {})), "it has no lines");
  EXPECT_EQ(describe(check_training_text("\n \r\n", {})), "it has no lines");
  EXPECT_EQ(describe(check_training_text(repeated(kGood, 9), {})), "it has 9 examples, at least 10 are needed");
  EXPECT_EQ(describe(check_training_text(repeated(kGood, 10), {})), "");
  EXPECT_EQ(describe(check_training_text(kGood, {.fewest = 1})), "");
}

TEST(CheckTrainingFile, TokensOfTheTextsAreCounted) {
  const auto count = [](std::string_view text) { return static_cast<int64_t>(text.size()); };
  EXPECT_EQ(check_training_text(repeated(kGood, 2), {.fewest = 1, .count_tokens = count}).tokens, 14);
}

TEST(CheckTrainingFile, AGlanceTellsTheKindAndTheNumberOfLines) {
  const test::TemporaryDirectory directory;
  const std::filesystem::path file = directory.path() / "x.jsonl";
  const auto glance = [&](const std::string& text) {
    write_file_atomic(file, text);
    const TrainingFileGlance seen = glance_at_training_file(file);
    return std::vector<int64_t>{static_cast<int64_t>(seen.lines), seen.examples};
  };
  EXPECT_THAT(glance(repeated(kGood, 3) + "\n\n"), ElementsAre(0, 3));
  EXPECT_THAT(glance(R"({"input": {}, "preferred_output": [], "non_preferred_output": []})"), ElementsAre(1, 1));
  EXPECT_THAT(glance("\n"
                     R"({"prompt": "a", "completion": "b"})"
                     "\n"),
              ElementsAre(2, 1));
  EXPECT_THAT(glance("{"), ElementsAre(0, 1));
  EXPECT_THAT(glance(""), ElementsAre(0, 0));
  EXPECT_EQ(check_training_file(file, {}).errors.size(), 1);
}

}  // namespace
}  // namespace hearth
