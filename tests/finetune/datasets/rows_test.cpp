// Files of rows that are well formed, and those that are not.
#include "finetune/datasets/rows.h"

#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "finetune/datasets/arrow_rows.h"
#include "finetune/datasets/csv_rows.h"
#include "finetune/datasets/json_rows.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "tests/support/temporary_directory.h"

namespace hearth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Each row as JSON, or "place: problem".
std::vector<std::string> all(RowReader& reader) {
  std::vector<std::string> out;
  for (Row row; reader.next(row);)
    out.push_back(row.problem.empty() ? row.value.dump() : row.place + ": " + row.problem);
  return out;
}
std::vector<std::string> json_rows(std::string_view text) { return all(*open_json_rows(text, "x.json")); }
std::vector<std::string> csv_rows(std::string_view text) { return all(*open_csv_rows(text, "x.csv")); }

TEST(JsonRows, LayoutsAreRecognised) {
  const auto two = ElementsAre(R"({"a":1})", R"({"a":2})");
  for (const char* text :
       {R"([{"a": 1}, {"a": 2}])", "[\n {\n  \"a\": 1\n },\n {\"a\": 2}\n]\n", "{\"a\": 1}\n{\"a\": 2}\n",
        "{\"a\": 1}\r\n\r\n  {\"a\": 2}", "{\n \"a\": 1\n}\n{\n \"a\": 2\n}", "\xef\xbb\xbf[{\"a\":1},{\"a\":2}]"})
    EXPECT_THAT(json_rows(text), two) << text;
  EXPECT_THAT(json_rows(R"(["one", "two"])"), ElementsAre(R"({"text":"one"})", R"({"text":"two"})"));
  EXPECT_THAT(json_rows(""), ElementsAre());
  EXPECT_THAT(json_rows(" \n"), ElementsAre());
  EXPECT_THAT(json_rows("[]"), ElementsAre());
  EXPECT_THAT(json_rows(R"([{"a": "x\"]},{\\"}])"), ElementsAre(R"({"a":"x\"]},{\\"})"));
}

TEST(JsonRows, WhatIsWrongIsNamedWithRowLineAndByte) {
  const auto deep = [](int levels) {
    return "{\"a\":" + std::string(static_cast<size_t>(levels), '[') + std::string(static_cast<size_t>(levels), ']') +
           "}";
  };
  std::string many_keys = "{\"k\":0";
  for (int i = 0; i < 10'000; ++i) many_keys += fmt::format(",\"{}\":0", i);
  many_keys += "}";
  struct Case {
    std::string text;
    std::vector<std::string> rows;  // what each contains
  };
  const Case cases[] = {
      {"{\"a\": 1}\n{\"a\": oops}\n{\"a\": 3}",
       {R"({"a":1})", "x.json, row 2: line 2, byte 15: syntax error", R"({"a":3})"}},
      {"{\"a\": \"no end\n{\"a\": 2}", {"row 1: line 1, byte 0: a string has no end on its line", R"({"a":2})"}},
      {"{\"a\": 1} {\"a\": 2}\n{\"a\": 3}",
       {"row 1: line 1, byte 8: the row has ended, but its line goes on", R"({"a":3})"}},
      {"{\"a\": \"\xff\"}\n{\"a\": 2}",
       {"row 1: line 1, byte 7: syntax error while parsing value - invalid string: ill-formed UTF-8", R"({"a":2})"}},
      {"{\"a\": \"\\ud800\"}\n", {"row 1: line 1, byte 13: syntax error"}},
      {"7\n{\"a\": 2}", {"row 1: line 1, byte 0: a row must be an object, found number", R"({"a":2})"}},
      {"[{\"a\": 1}, 7, null]",
       {R"({"a":1})", "row 2: line 1, byte 11: a row must be an object, found number", "row 3"}},
      {"[{\"a\": 1},\n {\"a\": ]},\n {\"a\": 3}]", {R"({"a":1})", "row 2: line 2, byte 18: syntax error"}},
      {"[{\"a\": 1},\n {\"a\": 2",
       {R"({"a":1})", "row 2: line 2, byte 12: the row has no end; what follows it cannot be read"}},
      {"[{\"a\": 1}", {R"({"a":1})", "row 2: line 1, byte 9: the list has no end: is the file whole?"}},
      {"[{\"a\": 1},]", {R"({"a":1})", "row 2: line 1, byte 10: a row is wanted here"}},
      {"[{\"a\": 1}] {\"a\": 2}", {R"({"a":1})", "row 2: line 1, byte 11: the list has ended, but the file goes on"}},
      {"[{\"a\": 1} {\"a\": 2}]", {"row 1: line 1, byte 10: a comma or the end of the list is wanted behind the row"}},
      {"{\n\"a\": 1\n}\n{\n\"a\": 2\n", {R"({"a":1})", "row 2: line 4, byte 11: the row has no end"}},
      {deep(99), {R"({"a":[[)"}},
      {deep(100), {"row 1: line 1, byte 0: nested deeper than 100 levels"}},
      {"[" + std::string(100'000, '['), {"row 1: line 1, byte 1: nested deeper than 100 levels"}},
      {many_keys, {"an object has more than 10000 keys"}},
      {"{\"a\": 1e999}", {"row 1: line 1, byte 0"}},
  };
  for (const Case& c : cases) {
    const std::vector<std::string> rows = json_rows(c.text);
    ASSERT_EQ(rows.size(), c.rows.size()) << c.text.substr(0, 100) << fmt::format("{}", fmt::join(rows, "|"));
    for (size_t i = 0; i < rows.size(); ++i) EXPECT_THAT(rows[i], HasSubstr(c.rows[i])) << c.text.substr(0, 100);
  }
}

TEST(JsonRows, ARowAboveTheBoundIsRefused) {
  const std::string text = "{\"a\": \"" + std::string(kMaxRowBytes, 'x') + "\"}\n{\"a\": 2}";
  EXPECT_THAT(json_rows(text), ElementsAre(HasSubstr("a string has no end on its line within 64 MiB"), R"({"a":2})"));
}

TEST(CsvRows, QuotingAndEmptyCells) {
  EXPECT_THAT(csv_rows("a,b\n1,\"x, \"\"y\"\"\r\nz\"\n"), ElementsAre("{\"a\":\"1\",\"b\":\"x, \\\"y\\\"\\r\\nz\"}"));
  EXPECT_THAT(csv_rows("a,b\r\n,\"\"\r\n\r\n x ,None"),
              ElementsAre(R"({"a":null,"b":""})", R"({"a":" x ","b":"None"})"));
  EXPECT_THAT(csv_rows("\xef\xbb\xbf"
                       "a,b\nonly"),
              ElementsAre(R"({"a":"only","b":null})"));
  EXPECT_THAT(csv_rows("a\n5\" pipe\n"), ElementsAre(R"({"a":"5\" pipe"})"));
  EXPECT_THAT(csv_rows("a,b\n"), ElementsAre());
}

TEST(CsvRows, WhatIsWrongIsNamed) {
  EXPECT_THAT(csv_rows("a,b\n1,2\n1,2,3\n4,5"),
              ElementsAre(R"({"a":"1","b":"2"})",
                          "x.csv, row 2: 3 cells, but the header has 2: is a text with "
                          "commas not quoted?",
                          R"({"a":"4","b":"5"})"));
  EXPECT_THAT(csv_rows("a\nx\n\"no end\n"), ElementsAre(R"({"a":"x"})", HasSubstr("row 2: a quoted cell has no end")));
  EXPECT_THAT(csv_rows("a\n\xff\nx"), ElementsAre(HasSubstr("row 1: column 'a' is not UTF-8"), R"({"a":"x"})"));
  EXPECT_THROW(csv_rows(""), Error);
  EXPECT_THROW(csv_rows("a,a\n1,2"), Error);
  EXPECT_THROW(csv_rows("\"a"), Error);
}

TEST(Rows, FilesThatAreNotWhatTheirNameSays) {
  const test::TemporaryDirectory directory;
  const auto refusal = [&](const std::string& name, std::string_view content) {
    write_file_atomic(directory.path() / name, content);
    try {
      const auto reader = open_rows(directory.path() / name);
      return fmt::format("{}", fmt::join(all(*reader), "; "));
    } catch (const Error& error) {
      return std::string(error.what());
    }
  };
  EXPECT_THAT(refusal("x.yaml", ""), HasSubstr("must end in .json, .jsonl, .csv, .txt, .parquet or .arrow"));
  EXPECT_THAT(refusal("x.txt", "good\n\xff\n"), HasSubstr("x.txt, row 2: byte 5: the line is not UTF-8"));
  if (!has_arrow_module()) {
    EXPECT_THAT(refusal("x.parquet", ""), HasSubstr("convert the file to jsonl"));
    return;
  }
  const std::string parquet = read_file("tests/golden/datasets/table.parquet");
  const std::string arrow = read_file("tests/golden/datasets/table.arrow");
  for (const auto& [name, content] : {std::pair{"x.parquet", parquet}, {"x.arrow", arrow}}) {
    EXPECT_THAT(refusal(name, ""), HasSubstr(name));
    EXPECT_THAT(refusal(name, "no such thing"), HasSubstr("cannot be read as"));
    for (size_t size = 1; size < content.size(); size += 97) refusal(name, content.substr(0, size));
    for (size_t at = 0; at < content.size(); at += 31) {  // whatever it says, it does not fall over
      std::string broken = content;
      broken[at] = static_cast<char>(broken[at] ^ 0x55);
      refusal(name, broken);
    }
  }
  EXPECT_THAT(refusal("y.parquet", parquet), HasSubstr("Name a colour."));
}

}  // namespace
}  // namespace hearth
