// What is told of a file's format from its rows, and that rows which are read with it are what they were meant to be.
#include "finetune/datasets/find_format.h"

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "finetune/datasets/data_check.h"
#include "finetune/datasets/dataset_info.h"
#include "finetune/datasets/json_rows.h"
#include "runtime/base/error.h"

namespace hearth {
namespace {

using testing::HasSubstr;

std::string found(const std::string& rows) {
  try {
    return find_format(*open_json_rows(rows, "rows.json")).dump();
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(FindFormat, TellsTheFormatFromTheRows) {
  const struct {
    const char *rows, *entry;
  } kCases[] = {
      {R"([{"instruction": "a", "input": "", "output": "b"}])",
       R"({"formatting":"alpaca","columns":{"prompt":"instruction","query":"input","response":"output"}})"},
      // An input that the first rows leave empty may be there in later ones.
      {R"([{"instruction": "a", "input": null, "output": "b", "system": "s", "history": [["u", "v"]]}])",
       R"({"formatting":"alpaca","columns":{"prompt":"instruction","query":"input","response":"output","history":"history","system":"system"}})"},
      {R"({"question": "a", "answer": "b", "id": 7})",
       R"({"formatting":"alpaca","columns":{"prompt":"question","response":"answer"}})"},
      {R"({"input": "a", "output": "b"})",
       R"({"formatting":"alpaca","columns":{"prompt":"input","response":"output"}})"},
      {R"({"prompt": "a", "completion": "b", "label": true})",
       R"({"formatting":"alpaca","columns":{"prompt":"prompt","response":"completion","kto_tag":"label"}})"},
      {R"({"instruction": "a", "input": "", "output": "b", "kto_tag": "false"})",
       R"({"formatting":"alpaca","columns":{"prompt":"instruction","query":"input","response":"output","kto_tag":"kto_tag"}})"},
      // Labels of something else than liking.
      {R"({"prompt": "a", "response": "b", "label": 3})",
       R"({"formatting":"alpaca","columns":{"prompt":"prompt","response":"response"}})"},
      {R"({"prompt": "a", "chosen": "b", "rejected": "c"})",
       R"({"formatting":"alpaca","columns":{"prompt":"prompt","chosen":"chosen","rejected":"rejected"},"ranking":true})"},
      {R"({"text": "a"})", R"({"formatting":"alpaca","columns":{"prompt":"text"}})"},
      {R"({"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}], "tools": "[]"})",
       R"({"formatting":"sharegpt","columns":{"messages":"conversations","tools":"tools"}})"},
      {R"({"conversations": [{"from": "human", "value": "a"}], "chosen": {"from": "gpt", "value": "b"}, "rejected": {"from": "gpt", "value": "c"}})",
       R"({"formatting":"sharegpt","ranking":true,"columns":{"messages":"conversations","chosen":"chosen","rejected":"rejected"}})"},
      {R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "label": false})",
       R"({"formatting":"sharegpt","columns":{"messages":"messages","kto_tag":"label"},"tags":{"role_tag":"role","content_tag":"content","user_tag":"user","assistant_tag":"assistant","observation_tag":"tool","function_tag":"function_call","system_tag":"system"}})"},
      {R"({"conversations": [{"from": "user", "value": "a"}, {"from": "model", "value": "b"}]})",
       R"({"formatting":"sharegpt","columns":{"messages":"conversations"},"tags":{"role_tag":"from","content_tag":"value","user_tag":"user","assistant_tag":"model","observation_tag":"observation","function_tag":"function_call","system_tag":"system"}})"},
      // What only OpenAI's lines can say, in a later row.
      {R"([{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
           {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "weight": 0}]}])",
       R"({"formatting":"openai_chat"})"},
      {R"({"input": {"messages": []}, "preferred_output": [{}], "non_preferred_output": [{}]})",
       R"({"formatting":"openai","ranking":true})"},
      {R"({"prompt": [{"role": "user", "content": "a"}], "completion": [{"role": "assistant", "content": "b"}]})",
       R"({"formatting":"trl"})"},
      {R"({"chosen": "ab", "rejected": "ac"})", R"({"formatting":"trl"})"},
      // Rows that cannot be read are passed over.
      {"{\"text\": \n{\"text\": \"a\"}\n", R"({"formatting":"alpaca","columns":{"prompt":"text"}})"},
  };
  for (const auto& [rows, entry] : kCases) EXPECT_EQ(found(rows), entry) << rows;
}

TEST(FindFormat, RefusesWhatItCannotTell) {
  const struct {
    const char *rows, *part;
  } kCases[] = {
      {R"({"title": "a", "body": "b"})", "the first rows have the columns 'body', 'title'; known are 'instruction'"},
      {R"({"prompt": 1, "output": "b"})", "no column of prompts beside one of answers"},
      {R"({"prompt": "a", "chosen": "b", "rejected": ["c"]})", "must both be texts beside a prompt"},
      {R"({"messages": [{"role": "bot", "content": "a"}]})", "by 'bot', where a user ('human' or 'user')"},
      {R"([{"messages": [{"role": "user", "content": "a"}]}, {"messages": [{"from": "human", "value": "a"}]}])",
       "some messages in 'messages' have 'from' and 'value', others 'role' and 'content'"},
      {R"([])", "the file has no rows"},
      {R"([1, 2])", "no row can be read, such as rows.json, row 1: line 1, byte 1: a row must be an object"},
  };
  for (const auto& [rows, part] : kCases) EXPECT_THAT(found(rows), HasSubstr(part)) << rows;
}

class SilentReporter : public DataReporter {
 public:
  void bad(const BadExample& example) override { ADD_FAILURE() << example.what(); }
  void dropped(const std::string&, const std::string&) override {}
};

// LLaMA-Factory's demo data, whose entries its authors wrote.
TEST(FindFormat, ReadsSharedDataAsItsAuthorsDo) {
  const std::filesystem::path directory = "../shared/data";
  if (!std::filesystem::exists(directory / "dataset_info.json")) GTEST_SKIP() << "../shared/data is not there";
  const std::vector<std::string> names = {"alpaca_en_demo", "identity",    "glaive_toolcall_en_demo",
                                          "dpo_en_demo",    "kto_en_demo", "wiki_demo"};
  for (const DatasetInfo& theirs : read_dataset_info(directory, names)) {
    nlohmann::json entry = find_format(*open_rows(theirs.files));
    entry["file_name"] = theirs.files.front().filename().string();
    const DatasetInfo ours = read_dataset_entry(theirs.name, entry, directory);
    EXPECT_EQ(ours.formatting, theirs.formatting) << theirs.name;
    EXPECT_EQ(ours.ranking, theirs.ranking) << theirs.name;
    EXPECT_EQ(ours.columns.kto_tag, theirs.columns.kto_tag) << theirs.name;
    SilentReporter reporter;
    const auto count = [&](const DatasetInfo& info) {
      const DataCounts counts = check_dataset(info, directory, stage_of(theirs), {}, reporter);
      return std::vector{counts.rows, counts.used, counts.with_tools, counts.with_system, counts.turns};
    };
    EXPECT_EQ(count(ours), count(theirs)) << theirs.name;
  }
}

}  // namespace
}  // namespace hearth
