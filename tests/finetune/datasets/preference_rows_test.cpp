// Rows of preferences in OpenAI's and TRL's own forms: which of them a file holds, what is prompt and what is answer
// (against TRL's extract_prompt: tests/golden/make_trl_rows.py), and what they must not hold.
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "finetune/datasets/convert.h"
#include "finetune/datasets/data_check.h"
#include "finetune/datasets/load_examples.h"
#include "finetune/datasets/rows.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "tests/support/temporary_directory.h"

namespace hearth {
namespace {

using testing::HasSubstr;
using Json = nlohmann::ordered_json;
using Role = SlotMessage::Role;

constexpr const char* kTrl = R"("formatting": "trl")";
constexpr const char* kOpenai = R"("formatting": "openai", "ranking": true)";

// "user: Hi | assistant: Hello"
std::string text_of(const std::vector<SlotMessage>& messages) {
  static const char* const kRoles[] = {"user", "assistant", "function", "observation"};
  std::string out;
  for (const SlotMessage& message : messages) {
    out +=
        fmt::format("{}{}: {}", out.empty() ? "" : " | ", kRoles[static_cast<size_t>(message.role)], message.content);
    for (const ToolCall& call : message.calls) out += " +" + call.name + call.arguments.dump();
  }
  return out;
}

class PreferenceRows : public testing::Test {
 protected:
  // A dataset of these lines; `entry` is what dataset_info.json says behind the name of its file.
  DatasetInfo dataset(std::string_view entry, std::string_view lines) {
    write_file_atomic(directory_.path() / "x.jsonl", lines);
    write_file_atomic(directory_.path() / "dataset_info.json",
                      fmt::format(R"({{"d": {{"file_name": "x.jsonl", {}}}}})", entry));
    return read_dataset_info(directory_.path(), std::vector<std::string>{"d"}).front();
  }
  // "system > prompt > response > tools" of the first row, or why it is none.
  std::string aligned(std::string_view entry, std::string_view line) {
    try {
      const DatasetInfo info = dataset(entry, line);
      check_columns(info);
      Row row;
      open_rows(info.files)->next(row);
      const Aligned out = align(row, info, "/nowhere");
      if (!out.dropped.empty()) return "dropped: " + out.dropped;
      const Example& example = out.example;
      return fmt::format("{} > {} > {} > {}", example.system, text_of(example.prompt), text_of(example.response),
                         example.tools);
    } catch (const BadExample& bad) {
      return fmt::format("bad: {}: {}", bad.column, bad.reason);
    } catch (const Error& error) {
      return error.what();
    }
  }
  test::TemporaryDirectory directory_;
};

struct Case {
  const char* entry;
  const char* row;
  const char* aligned;  // a part of it
};

TEST_F(PreferenceRows, OpenaisLinesNeedNoColumns) {
  const Case cases[] = {
      {kOpenai,
       R"({"input": {"messages": [{"role": "developer", "content": "Be brief."}, {"role": "system", "content": "Be kind."},
           {"role": "user", "content": [{"type": "text", "text": "H"}, {"type": "text", "text": "i"}]}],
           "tools": [], "parallel_tool_calls": true},
           "preferred_output": [{"role": "assistant", "content": "Hello"}],
           "non_preferred_output": [{"role": "assistant", "content": "What"}]})",
       "Be brief.\n\nBe kind. > user: H\ni > assistant: Hello | assistant: What > "},
      {kOpenai,
       R"({"input": {"messages": [{"role": "user", "content": "Time?"},
           {"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                                                {"id": "2", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
           {"role": "tool", "tool_call_id": "1", "content": "12"}, {"role": "tool", "tool_call_id": "2", "content": "13"}],
           "tools": [{"type": "function", "function": {"name": "f"}}]},
           "preferred_output": [{"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "g", "arguments": "{}"}}]}],
           "non_preferred_output": [{"role": "assistant", "content": "What"}]})",
       " > user: Time? | function:  +f{} +f{} | observation: 12\n</tool_response>\n<tool_response>\n13 > "
       "function:  +g{} | "
       "assistant: What > [{\"type\": \"function\", \"function\": {\"name\": \"f\"}}]"},
      {kOpenai, R"({"input": "Hi", "preferred_output": [], "non_preferred_output": []})",
       "bad: input: an object with 'messages' is wanted, found a text"},
      {kOpenai, R"({"input": {}, "preferred_output": [], "non_preferred_output": []})",
       "bad: input.messages: a list of messages is wanted, found none"},
      {kOpenai,
       R"({"input": {"messages": [{"role": "user", "content": "Hi"}], "tools": 7},
           "preferred_output": [{"role": "assistant", "content": ""}],
           "non_preferred_output": [{"role": "assistant", "content": ""}]})",
       "bad: input.tools: a text is wanted, found a number"},
      {kOpenai,
       R"({"input": {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
           "preferred_output": [], "non_preferred_output": []})",
       "bad: input.messages: message 1: 'content' must be a text, found a list"},
      {kOpenai,
       R"({"input": {"messages": [{"role": "user", "content": "Hi"}]}, "preferred_output": [{"role": "user", "content": ""}],
           "non_preferred_output": []})",
       "bad: preferred_output: the message is of 'user' where 'assistant' belongs"},
      {kOpenai,
       R"({"input": {"messages": [{"role": "user", "content": "Hi"}]}, "preferred_output": [{"role": "assistant", "content": ""}],
           "non_preferred_output": [{"role": "assistant", "content": ""}, {"role": "assistant", "content": ""}]})",
       "bad: non_preferred_output: 2 messages, where one of 'assistant' belongs"},
      {kOpenai,
       R"({"input": {"messages": [{"role": "user", "content": "Hi"}]}, "preferred_output": {"role": "assistant", "content": ""},
           "non_preferred_output": []})",
       "bad: preferred_output: a list of messages is wanted, found an object"},
      {kOpenai,
       R"({"input": {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]},
           "preferred_output": [], "non_preferred_output": []})",
       "dropped: column 'input.messages': 2 messages without the system's, an odd number is wanted"},
      {kOpenai, R"({"input": {"messages": []}, "prefered_output": [], "non_preferred_output": []})",
       "no row has a column 'preferred_output' (did you mean 'prefered_output'?), which dataset 'd' reads as chosen"},
  };
  for (const Case& c : cases) {
    std::string line(c.row);
    std::erase(line, '\n');
    EXPECT_THAT(aligned(c.entry, line), HasSubstr(c.aligned)) << c.row;
  }
  EXPECT_EQ(stage_of(dataset(kOpenai, "{}")), Stage::kDpo);
}

TEST_F(PreferenceRows, TrlsRowsSayOfWhatTypeTheyAre) {
  struct {
    const char* entry;
    const char* row;
    Stage stage;
    const char* aligned;
  } const cases[] = {
      {kTrl, R"({"prompt": "p", "chosen": "a", "rejected": "b"})", Stage::kDpo,
       " > user: p > assistant: a | assistant: b > "},
      {kTrl, R"({"prompt": "p", "completion": "a", "label": true})", Stage::kKto,
       " > user: p > assistant: a | assistant:  > "},
      {kTrl, R"({"prompt": "p", "completion": "a", "label": false})", Stage::kKto,
       " > user: p > assistant:  | assistant: a > "},
      {kTrl,
       R"({"prompt": [{"role": "user", "content": "p"}], "completion": [{"role": "assistant", "content": "a"}], "label": false})",
       Stage::kKto, " > user: p > assistant:  | assistant: a > "},
      {kTrl, R"({"prompt": "p", "completion": "a"})", Stage::kSft, " > user: p > assistant: a > "},
      {kTrl,
       R"({"prompt": [{"role": "system", "content": "s"}, {"role": "user", "content": "p"}], "completion": [{"role": "assistant", "content": "a"}]})",
       Stage::kSft, "s > user: p > assistant: a > "},
      {kTrl,
       R"({"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "p"}, {"role": "assistant", "content": "a"}], "label": 3, "prompt": "not read"})",
       Stage::kSft, "s > user: p > assistant: a > "},
      {R"("formatting": "trl", "columns": {"chosen": "win", "rejected": "lose", "tools": "t"})",
       R"({"win": [{"role": "user", "content": "p"}, {"role": "assistant", "content": "a"}], "prompt": "not read", "t": "[{\"name\": \"f\"}]",
           "lose": [{"content": "p", "role": "user", "name": null}, {"role": "assistant", "content": "b"}]})",
       Stage::kDpo, " > user: p > assistant: a | assistant: b > [{\"name\": \"f\"}]"},
      {R"("formatting": "trl", "tags": {"role_tag": "from", "content_tag": "value", "user_tag": "human", "assistant_tag": "gpt"})",
       R"({"messages": [{"from": "human", "value": "p"}, {"from": "gpt", "value": "a"}]})", Stage::kSft,
       " > user: p > assistant: a > "},
  };
  for (const auto& c : cases) {
    std::string line(c.row);
    std::erase(line, '\n');
    EXPECT_EQ(aligned(c.entry, line), c.aligned) << c.row;
    EXPECT_EQ(stage_of(dataset(c.entry, line)), c.stage) << c.row;
  }
}

TEST_F(PreferenceRows, ARowThatCannotBeReadSaysNothing) {
  EXPECT_EQ(stage_of(dataset(kTrl, "{broken}\n{\"messages\": []}")), Stage::kSft);
}

// The first row says of what type all are: the prompt of a later one would be lost.
TEST_F(PreferenceRows, APromptThatTheFirstRowLacksIsToldOf) {
  const DatasetInfo info = dataset(kTrl, R"({"chosen": "Hi. A", "rejected": "Hi. B"}
{"prompt": "Hi.", "chosen": "A", "rejected": "B"}
)");
  const std::unique_ptr<RowReader> rows = open_rows(info.files);
  Row row;
  rows->next(row);
  EXPECT_EQ(text_of(align(row, info, "/nowhere").example.prompt), "user: Hi.");
  rows->next(row);
  try {
    align(row, info, "/nowhere");
    FAIL() << "no error";
  } catch (const BadExample& bad) {
    EXPECT_THAT(bad.what(), HasSubstr("column 'prompt': the file's first row has none"));
  }
}

TEST_F(PreferenceRows, WhatTrlsRowsMustNotHold) {
  const Case cases[] = {
      {kTrl, R"({"chosen": "a", "rejected": [{"role": "user", "content": "p"}]})",
       "bad: rejected: it is a list, but column 'chosen' a text: all must be texts, or all lists of messages"},
      {kTrl, R"({"prompt": "p", "chosen": [{"role": "assistant", "content": "a"}], "rejected": []})",
       "bad: prompt: it is a text, but column 'chosen' a list"},
      {kTrl, R"({"prompt": "p", "chosen": "a", "rejected": null})",
       "bad: rejected: a text or a list of messages is wanted, found none"},
      {kTrl, R"({"prompt": null, "completion": "a"})",
       "bad: prompt: a text or a list of messages is wanted, found none"},
      {kTrl, R"({"prompt": 7, "completion": "a"})",
       "bad: prompt: a text or a list of messages is wanted, found a number"},
      {kTrl, R"({"prompt": "p", "chosen": "a"})",
       "no row has a column 'rejected', which dataset 'd' reads as rejected"},
      {kTrl, R"({"question": "p", "answer": "a"})", "no row has a column 'prompt', which dataset 'd' reads as prompt"},
      {R"("formatting": "trl", "columns": {"prompt": "prompt", "response": "completion", "kto_tag": "lable"})",
       R"({"prompt": "p", "completion": "a", "label": true})", "no row has a column 'lable' (did you mean 'label'?)"},
      {kTrl,
       R"({"chosen": [{"role": "user", "content": "p"}, {"role": "assistant", "content": "a"}, {"role": "user", "content": "q"}], "rejected": [{"role": "user", "content": "p"}, {"role": "assistant", "content": "b"}]})",
       "dropped: column 'chosen' behind what both have in common: 2 messages, where one of 'assistant' belongs"},
      {kTrl,
       R"({"prompt": [{"role": "assistant", "content": "p"}], "chosen": [{"role": "assistant", "content": "a"}], "rejected": [{"role": "assistant", "content": "b"}]})",
       "dropped: column 'prompt': message 1 is of 'assistant' where user or tool belongs"},
      {kTrl, R"({"chosen": [], "rejected": []})", "dropped: column 'chosen': 0 messages without the system's"},
      {kTrl, "{\"chosen\": \"a\xff\", \"rejected\": \"b\"}", "bad: : line 1, byte 13: syntax error"},
      {kTrl, "", "x.jsonl: no rows (dataset 'd')"},
  };
  for (const Case& c : cases) EXPECT_THAT(aligned(c.entry, c.row), HasSubstr(c.aligned)) << c.row;
}

// Tags that make nonsense of the roles are refused as any other.
TEST_F(PreferenceRows, OneTagForTwoRoles) {
  const char* const entry =
      R"("formatting": "trl", "tags": {"role_tag": "r", "content_tag": "c", "user_tag": "u", "assistant_tag": "s", "system_tag": "s"})";
  EXPECT_EQ(aligned(entry, R"({"prompt": [{"r": "u", "c": "p"}], "completion": [{"r": "s", "c": "a"}]})"),
            "dropped: column 'completion': the message is of 's' where 's' belongs");
  EXPECT_THAT(aligned(entry, R"({"prompt": [{"r": "", "c": "p"}], "completion": [{"r": "s", "c": "a"}]})"),
              HasSubstr("message 1 is of '', which is none of the dataset's tags"));
}

TEST(TrlRows, PromptsAndAnswersAreThoseOfTrl) {
  const std::filesystem::path directory = "tests/golden/trl";
  const Json golden = Json::parse(read_file(directory / "rows.json"));
  ASSERT_EQ(golden.size(), 4u);
  for (const auto& [name, rows] : golden.items()) {
    const DatasetInfo info = read_dataset_info(directory, std::vector{name}).front();
    EXPECT_EQ(stage_of(info), Stage::kDpo);
    const auto reader = open_rows(info.files);
    for (const Json& expected : rows) {
      Row row;
      ASSERT_TRUE(reader->next(row));
      const Example example = align(row, info, directory).example;
      Json prompt = Json::array();
      for (const SlotMessage& message : example.prompt)
        prompt.push_back(Json::array({message.role == Role::kUser ? "user" : "assistant", message.content}));
      ASSERT_EQ(example.response.size(), 2u) << row.place;
      EXPECT_EQ(Json::array({example.system, prompt, example.response[0].content, example.response[1].content}),
                expected)
          << row.place;
    }
  }
}

}  // namespace
}  // namespace hearth
