// OpenAI's lines of supervised fine-tuning: what is prompt, answer, system text and tool, which answers are context
// alone, and what the lines must not hold.
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "finetune/datasets/convert.h"
#include "finetune/datasets/dataset_info.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "tests/support/temporary_directory.h"

namespace hearth {
namespace {

using testing::HasSubstr;

DatasetInfo dataset(std::string_view entry) {
  const test::TemporaryDirectory directory;
  write_file_atomic(directory.path() / "x.jsonl", "{}");
  write_file_atomic(directory.path() / "dataset_info.json",
                    fmt::format(R"({{"d": {{"file_name": "x.jsonl", {}}}}})", entry));
  return read_dataset_info(directory.path(), std::vector<std::string>{"d"}).front();
}

// "system > role: text | ... > numbers of answers that are not learnt > tools", or why the line is none.
std::string aligned(const DatasetInfo& info, std::string_view line) {
  static const char* const kRoles[] = {"user", "assistant", "function", "observation"};
  Row row{nlohmann::ordered_json::parse(line), "x.jsonl, row 1", ""};
  try {
    const Aligned out = align(row, info, "/nowhere");
    if (!out.dropped.empty()) return "dropped: " + out.dropped;
    const Example& example = out.example;
    std::vector<std::string> messages;
    for (const auto* list : {&example.prompt, &example.response})
      for (const SlotMessage& message : *list) {
        messages.push_back(fmt::format("{}: {}", kRoles[static_cast<size_t>(message.role)], message.content));
        for (const ToolCall& call : message.calls) messages.back() += " +" + call.name + call.arguments.dump();
      }
    return fmt::format("{} > {} > {} > {}", example.system, fmt::join(messages, " | "),
                       fmt::join(example.unlearnt, ","), example.tools);
  } catch (const BadExample& bad) {
    return fmt::format("bad: {}: {}", bad.column, bad.reason);
  }
}

TEST(OpenaiChat, LinesBecomeExamples) {
  const DatasetInfo info = dataset(R"("formatting": "openai_chat")");
  constexpr const char* kCases[][2] = {
      {R"({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]})",
       " > user: Hi | assistant: Hello >  > "},
      {R"({"messages": [{"role": "system", "content": "S"}, {"role": "developer", "content": "D"},
           {"role": "user", "content": "Hi", "name": "Ann"}, {"role": "assistant", "content": "Hello", "weight": 0},
           {"role": "user", "content": [{"type": "text", "text": "B"}, {"type": "text", "text": "ye"}]},
           {"role": "assistant", "content": "Bye", "weight": 1.0}], "parallel_tool_calls": false})",
       "S\n\nD > user: Hi | assistant: Hello | user: B\nye | assistant: Bye > 0 > "},
      // Results of tools are joined, so answers are numbered by turns.
      {R"({"messages": [{"role": "user", "content": "T?"},
           {"role": "assistant", "content": "I look.", "weight": 1, "tool_calls": [
             {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1}"}},
             {"id": "2", "type": "function", "function": {"name": "g", "arguments": "{}"}}]},
           {"role": "tool", "tool_call_id": "1", "content": "12"}, {"role": "tool", "tool_call_id": "2", "content": "13"},
           {"role": "assistant", "content": "12.", "weight": 0}],
           "tools": [{"type": "function", "function": {"name": "f"}}]})",
       " > user: T? | function: I look. +f{\"a\":1} +g{} | observation: 12\n</tool_response>\n<tool_response>\n13 | "
       "assistant: 12. > 1 > [{\"type\": \"function\", \"function\": {\"name\": \"f\"}}]"},
      {R"({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello", "weight": 0}]})",
       "dropped: column 'messages': every answer has weight 0"},
      {R"({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello", "weight": 0.5}]})",
       "bad: messages: message 2: 'weight' must be 0 or 1"},
      {R"({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello", "weight": "1"}]})",
       "bad: messages: message 2: 'weight' must be 0 or 1"},
      {R"({"messages": [{"role": "user", "content": "Hi"}]})", "dropped: column 'messages': 1 messages"},
      {R"({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "x",
           "tool_calls": [{"function": {"arguments": "{}"}}]}]})",
       "bad: messages: message 2: "},
      {R"({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant",
           "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}]})",
       "bad: messages: message 2: the arguments of 'f' must be a JSON object"},
      {R"({"messages": "Hi"})", "bad: messages: a list of messages is wanted, found a text"},
      {R"({"prompt": "Hi"})", "bad: messages: a list of messages is wanted, found none"},
  };
  for (const auto& [line, wanted] : kCases) EXPECT_THAT(aligned(info, line), HasSubstr(wanted)) << line;
}

// LLaMA-Factory's own format keeps its ways.
TEST(OpenaiChat, FormattingOpenaiKnowsNoWeightsAndNoTextBesideCalls) {
  const DatasetInfo info =
      dataset(R"("formatting": "openai", "columns": {"messages": "messages"}, "tags": {"role_tag": "role",
      "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant", "observation_tag": "tool",
      "function_tag": "function", "system_tag": "system"})");
  EXPECT_EQ(
      aligned(info,
              R"({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Look", "weight": 0,
      "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}]})"),
      R"( > user: Hi | function: [{"name": "f", "arguments": "{}"}] >  > )");
}

TEST(OpenaiChat, ARankingIsRefused) {
  try {
    dataset(R"("formatting": "openai_chat", "ranking": true)");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("openai_chat has no ranking"));
  }
}

}  // namespace
}  // namespace hearth
