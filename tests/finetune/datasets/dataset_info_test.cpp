// dataset_info.json: its rules and what it must not say; rows that do not hold what it says; the check of a dataset.
#include "finetune/datasets/dataset_info.h"

#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "finetune/datasets/data_check.h"
#include "finetune/datasets/load_examples.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "tests/support/temporary_directory.h"

namespace hearth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class DatasetFiles : public testing::Test {
 protected:
  void write(const std::string& name, std::string_view text) { write_file_atomic(directory_.path() / name, text); }
  // The dataset "d" of this entry.
  DatasetInfo info(std::string_view entry) {
    write("dataset_info.json", fmt::format("{{\"d\": {}}}", entry));
    return read_dataset_info(directory_.path(), std::vector<std::string>{"d"}).front();
  }
  std::string refusal(std::string_view entry) {
    return message([&] { info(entry); });
  }
  template <class Act>
  static std::string message(const Act& act) {
    try {
      act();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  DataSpec spec() const {
    DataSpec spec;
    spec.dataset_dir = directory_.path();
    spec.dataset = {"d"};
    return spec;
  }
  test::TemporaryDirectory directory_;
};

TEST_F(DatasetFiles, AColumnsBlockReplacesAllDefaults) {
  write("a.json", "[]");
  const DatasetInfo defaults = info(R"({"file_name": "a.json"})");
  EXPECT_EQ(defaults.columns.prompt + defaults.columns.query + defaults.columns.response, "instructioninputoutput");
  EXPECT_EQ(defaults.tags.role_tag, "from");
  const DatasetInfo listed =
      info(R"({"file_name": "a.json", "columns": {"prompt": "p", "query": null}, "tags": {"role_tag": "role"}})");
  EXPECT_EQ(listed.columns.prompt, "p");
  EXPECT_EQ(listed.columns.query + listed.columns.response + listed.columns.messages + listed.tags.user_tag, "");
  EXPECT_EQ(listed.tags.role_tag, "role");
}

TEST_F(DatasetFiles, DirectoriesAreSortedFilesOfOneType) {
  write("folder/b.jsonl", "{}");
  write("folder/a.json", "[]");
  write("folder/.hidden", "");
  EXPECT_THAT(info(R"({"file_name": "folder"})").files,
              ElementsAre(directory_.path() / "folder/a.json", directory_.path() / "folder/b.jsonl"));
  write("folder/c.csv", "");
  EXPECT_THAT(refusal(R"({"file_name": "folder"})"), HasSubstr("must be of one type, found a.json and c.csv"));
  write("repository/train-0.json", "[]");
  write("repository/test-0.json", "[]");
  write("repository/README.md", "");
  const std::string hub =
      fmt::format(R"({{"hf_hub_url": "{}", "file_name": "a.json"}})", (directory_.path() / "repository").string());
  EXPECT_THAT(info(hub).files, ElementsAre(directory_.path() / "repository/train-0.json"));
}

TEST_F(DatasetFiles, WhatDatasetInfoMustNotSay) {
  write("a.json", "[]");
  write("a.yaml", "");
  struct Case {
    const char* entry;
    const char* message;
  };
  const Case cases[] = {
      {R"([])", "dataset 'd' must be an object, found array"},
      {R"({})", "dataset 'd' has no file_name"},
      {R"({"file_name": 7})", "file_name must be a string, found number"},
      {R"({"file_name": "b.json"})", "there is no "},
      {R"({"file_name": "a.yaml"})", "its name must end in .json"},
      {R"({"hf_hub_url": "org/data"})", "hf_hub_url 'org/data' is not on this machine"},
      {R"({"ms_hub_url": "org/data", "file_name": "a.json"})", "ms_hub_url 'org/data' is not on this machine"},
      {R"({"script_url": "x", "file_name": "a.json"})", "download it and set file_name"},
      {R"({"cloud_file_name": "s3://x/a.json"})", "cloud_file_name 's3://x/a.json' is not on this machine"},
      {R"({"file_name": "a.json", "formatting": "sharegtp"})", "formatting is 'sharegtp' (did you mean 'sharegpt'?)"},
      {R"({"file_name": "a.json", "ranking": "yes"})", "ranking must be true or false, found \"yes\""},
      {R"({"file_name": "a.json", "num_samples": 0})", "num_samples must be a whole number from 1 to 10^9, found 0"},
      {R"({"file_name": "a.json", "split": "test"})", "split is 'test', but files have the split train alone"},
      {R"({"file_name": "a.json", "colums": {}})", "unknown key 'colums' (did you mean 'columns'?)"},
      {R"({"file_name": "a.json", "columns": {"respons": "x"}})",
       "columns: unknown key 'respons' (did you mean 'response'?)"},
      {R"({"file_name": "a.json", "tags": {"role_tag": 1}})", "tags: role_tag must be a string, found number"},
  };
  for (const Case& c : cases) EXPECT_THAT(refusal(c.entry), HasSubstr(c.message)) << c.entry;
  EXPECT_EQ(refusal(R"({"file_name": "a.json", "description": "mine"})"), "");

  const auto read = [&](const std::filesystem::path& directory, const std::string& name) {
    return message([&] { read_dataset_info(directory, std::vector{name}); });
  };
  write("dataset_info.json", R"({"identity": {"file_name": "a.json"}})");
  EXPECT_THAT(read(directory_.path(), "identty"),
              testing::AllOf(HasSubstr("Undefined dataset identty in"),
                             HasSubstr("dataset_info.json (did you mean 'identity'?)")));
  EXPECT_THAT(read("ONLINE", "x"), HasSubstr("dataset_dir is 'ONLINE', but datasets are not downloaded"));
  EXPECT_THAT(read("REMOTE:org/x", "x"), HasSubstr("datasets are not downloaded"));
  EXPECT_THAT(read(directory_.path() / "no", "x"), HasSubstr("dataset_info.json"));
  write("dataset_info.json", "{");
  EXPECT_THAT(read(directory_.path(), "x"), HasSubstr("is not JSON"));
}

class Collected : public DataReporter {
 public:
  void bad(const BadExample& example) override { lines.push_back(std::string("bad: ") + example.what()); }
  void dropped(const std::string& place, const std::string& reason) override {
    lines.push_back("dropped: " + place + ": " + reason);
  }
  std::vector<std::string> lines;
};

TEST_F(DatasetFiles, RowsThatDoNotHoldWhatIsSaid) {
  struct Case {
    const char* entry;  // behind file_name
    const char* row;
    const char* line;  // empty: it is used
  };
  const char* const alpaca =
      R"("columns": {"prompt": "p", "response": "r", "history": "h", "system": "s", "tools": "t", "images": "i"})";
  const char* const sharegpt = R"("formatting": "sharegpt", "columns": {"messages": "m"})";
  const char* const openai =
      R"("formatting": "openai", "columns": {"messages": "m"}, "tags": {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant", "observation_tag": "tool", "function_tag": "call", "system_tag": "system"})";
  const char* const ranked = R"("ranking": true, "columns": {"prompt": "p", "chosen": "c", "rejected": "d"})";
  const char* const ranked_talk =
      R"("ranking": true, "formatting": "sharegpt", "columns": {"messages": "m", "chosen": "c", "rejected": "d"})";
  const char* const kto = R"("columns": {"prompt": "p", "response": "r", "kto_tag": "k"})";
  const Case cases[] = {
      {alpaca, R"({"p": "a", "r": "b", "t": [], "i": []})", ""},
      {alpaca, R"({"p": 7, "r": "b"})", "bad: x.jsonl, row 1, column 'p': a text is wanted, found a number"},
      {alpaca, R"({"p": "a", "r": null})", "dropped: x.jsonl, row 1: no response to learn"},
      {alpaca, R"({"p": "a", "r": "b", "s": ["x"]})", "column 's': a text is wanted, found a list"},
      {alpaca, R"({"p": "a", "r": "b", "h": "old"})", "column 'h': a list of pairs is wanted, found a text"},
      {alpaca, R"({"p": "a", "r": "b", "h": [["q", "a"], ["q"]]})", "column 'h': turn 2 must be a pair of texts"},
      {alpaca, R"({"p": "a", "r": "b", "t": "[{"})", "column 't': the tools are not JSON"},
      {alpaca, R"({"p": "a", "r": "b", "t": "7"})",
       "column 't': the tools must be a list of function schemas, found a number"},
      {alpaca, R"({"p": "a", "r": "b", "i": ["x.png"]})", "column 'i': 1 files, but 0 <image> in the messages"},
      {alpaca, R"({"p": "<image>", "r": "b", "i": [{"bytes": 12}]})",
       "column 'i': paths of files are wanted, found an object: write what is embedded into files"},
      {alpaca, R"({"p": "<image>", "r": "b", "i": {"path": "x.png", "bytes": null}})", ""},
      {sharegpt, R"({"m": null})", "column 'm': a list of messages is wanted, found none"},
      {sharegpt, R"({"m": ["hi"]})", "column 'm': message 1 must be an object, found a text"},
      {sharegpt, R"({"m": [{"role": "user", "content": "x"}]})", "message 1 has no 'from': give the dataset \"tags\""},
      {sharegpt, R"({"m": [{"from": "human"}]})", "message 1 has no 'value'"},
      {sharegpt, R"({"m": [{"from": "human", "value": null}, {"from": "gpt", "value": ""}]})",
       "message 1: 'value' must be a text, found null"},
      {sharegpt, R"({"m": [{"from": "human", "value": "x"}, {"from": "bot", "value": ""}]})",
       "dropped: x.jsonl, row 1: column 'm': message 2 is of 'bot' where gpt or function_call belongs"},
      {sharegpt, R"({"m": [{"from": "human", "value": "x"}, {"from": "human", "value": ""}]})",
       "message 2 is of 'human' where gpt or function_call belongs"},
      {sharegpt, R"({"m": [{"from": "human", "value": "x"}]})",
       "1 messages without the system's, an even number is wanted"},
      {sharegpt, R"({"m": []})", "dropped: x.jsonl, row 1: column 'm': no messages"},
      {sharegpt, R"({"m": [{"from": "human", "value": "x"}, {"from": "function_call", "value": "clock now"}]})",
       "bad: x.jsonl, row 1, column 'm': a function turn must hold its calls as JSON"},
      {sharegpt,
       R"({"m": [{"from": "human", "value": "x"}, {"from": "function_call", "value": "a {thought} {\"name\": \"f\", \"arguments\": {}}"}]})",
       ""},
      {openai, R"({"m": [{"role": "user", "content": "x"}, {"role": "critic", "content": ""}]})",
       "message 2 is of 'critic', which is none of the dataset's tags"},
      {openai, R"({"m": [{"role": "user", "content": "x"}, {"role": "system", "content": ""}]})",
       "message 2 is of 'system', which may only be the first"},
      {openai, R"({"m": [{"role": "user", "content": [{"type": "text"}]}]})",
       "message 1: 'content' must be a text, found a list"},
      {openai, R"({"m": [{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [{"id": "1"}]}]})",
       "message 2: each of 'tool_calls' must be an object with 'function'"},
      {openai, R"({"m": [{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": "f"}]})",
       "'tool_calls' must be a list, found a text"},
      {openai, R"({"m": [{"role": "user", "content": "x"}, {"role": "assistant", "content": null}]})",
       "'content' must be a text, found null"},
      {ranked, R"({"p": "a", "c": "b", "d": null})", "no pair of a chosen and a rejected response"},
      {ranked_talk, R"({"m": [{"from": "human", "value": "x"}], "c": "b", "d": "e"})",
       "column 'c': a message is wanted, found a text"},
      {ranked_talk,
       R"({"m": [{"from": "human", "value": "x"}], "c": {"from": "human", "value": ""}, "d": {"from": "gpt", "value": ""}})",
       "column 'c': the role is 'human' where gpt or function_call belongs"},
      {kto, R"({"p": "a", "r": "b", "k": 1})", "no response with a kto_tag of true or false"},
      {kto, R"({"p": "a", "r": "b", "k": false})", ""},
      {kto, R"({"p": "a", "r": "b" "k": false})", "bad: x.jsonl, row 1: line 1, byte 22: syntax error"},
  };
  for (const Case& c : cases) {
    write("x.jsonl", c.row);
    const DatasetInfo dataset = info(fmt::format("{{\"file_name\": \"x.jsonl\", {}}}", c.entry));
    Collected collected;
    const DataCounts counts = check_dataset(dataset, directory_.path(), stage_of(dataset), std::nullopt, collected);
    EXPECT_EQ(counts.rows, 1);
    ASSERT_EQ(collected.lines.size(), *c.line ? 1u : 0u) << c.row << fmt::format("{}", fmt::join(collected.lines, "|"));
    if (*c.line) {
      EXPECT_THAT(collected.lines.front(), HasSubstr(c.line)) << c.row;
    }
  }
}

TEST_F(DatasetFiles, CountsOfACheck) {
  write("x.json", R"([{"instruction": "a", "input": "", "output": "b", "s": "S", "h": [["c", "d"]]}, {"instruction": 1},
                      {"instruction": "a", "output": null}])");
  Collected collected;
  const DataCounts counts = check_dataset(
      info(
          R"({"file_name": "x.json", "columns": {"prompt": "instruction", "response": "output", "system": "s", "history": "h"}})"),
      directory_.path(), Stage::kSft, std::nullopt, collected);
  EXPECT_EQ(std::vector({counts.rows, counts.used, counts.dropped, counts.bad, counts.with_system, counts.turns}),
            std::vector<int64_t>({3, 1, 1, 1, 1, 2}));
}

TEST_F(DatasetFiles, JobsThatDoNotFit) {
  write("x.jsonl",
        "{\"instruction\": \"a\", \"input\": \"\", \"output\": \"b\"}\n{\"instruction\": \"a\", \"output\": null}\n");
  const auto refused = [&](const std::string& entry, const DataSpec& job, Stage stage = Stage::kSft) {
    write("dataset_info.json", fmt::format("{{\"d\": {}}}", entry));
    return message([&] { load_examples(job, {.stage = stage}); });
  };
  const std::string entry = R"({"file_name": "x.jsonl"})";
  EXPECT_EQ(refused(entry, spec()), "");
  EXPECT_THAT(refused(entry, spec(), Stage::kDpo),
              HasSubstr("dataset 'd' has ranking: false in dataset_info.json, stage dpo wants true"));
  EXPECT_THAT(refused(entry, spec(), Stage::kKto), HasSubstr("dataset 'd' has no kto_tag under \"columns\""));
  EXPECT_THAT(refused(R"({"file_name": "x.jsonl", "columns": {"prompt": "instruktion"}})", spec()),
              HasSubstr("x.jsonl: no row has a column 'instruktion' (did you mean 'instruction'?), which dataset 'd' "
                        "reads as prompt"));
  DataSpec job = spec();
  job.val_size = 2;
  EXPECT_THAT(refused(entry, job), HasSubstr("holds out 2 of 2 examples"));
  job.eval_dataset = {"d"};
  EXPECT_THAT(refused(entry, job), HasSubstr("val_size and eval_dataset are both given"));
  job = spec();
  job.streaming = true;
  job.val_size = 0.5;
  EXPECT_THAT(refused(entry, job), HasSubstr("with streaming it must be a number of examples"));
  write("x.jsonl", "{\"instruction\": \"a\", \"input\": \"\", \"output\": null}\n");
  EXPECT_THAT(
      refused(entry, spec()),
      HasSubstr("Cannot find valid samples: all 1 rows teach nothing, such as x.jsonl, row 1: no response to learn"));
  write("x.jsonl", "");
  EXPECT_THAT(refused(entry, spec()), HasSubstr("x.jsonl: no rows"));
}

TEST_F(DatasetFiles, DroppedRowsAreCountedAndBadOnesAreErrors) {
  write("x.jsonl",
        "{\"instruction\": \"a\", \"input\": \"\", \"output\": \"b\"}\n{\"instruction\": \"a\", \"output\": null}\n");
  info(R"({"file_name": "x.jsonl"})");
  DataSpec job = spec();
  for (const bool streaming : {false, true}) {
    job.streaming = streaming;
    const ExampleSets sets = load_examples(job, {});
    Example example;
    for (int64_t i = 0; sets.stream && sets.stream->next(example);) EXPECT_LT(i++, 1);
    const DroppedRows& dropped = sets.stream ? sets.stream->dropped() : sets.dropped;
    EXPECT_EQ(dropped.count, 1);
    EXPECT_THAT(dropped.first, ElementsAre("x.jsonl, row 2: no response to learn"));
  }
  job.streaming = false;
  write("x.jsonl", "{\"instruction\": \"a\", \"input\": 7, \"output\": \"b\"}\n");
  EXPECT_EQ(message([&] { load_examples(job, {}); }),
            "x.jsonl, row 1, column 'input': a text is wanted, found a number");
}

}  // namespace
}  // namespace hearth
