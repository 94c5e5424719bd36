#include "server/json_reader.h"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/api_error.h"

namespace hearth {
namespace {

using nlohmann::ordered_json;
using testing::HasSubstr;

ApiErrorDetails refusal(const std::function<void()>& read) {
  try {
    read();
  } catch (const ApiError& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.details();
  }
  ADD_FAILURE() << "nothing was refused";
  return {};
}

TEST(ParseJson, RefusesWhatIsNotJsonOrNotUtf8) {
  for (const std::string text :
       {"", "{", "{\"a\": 1,}", "nul", "[1 2]", "{} {}", "\"\xff\"", "\"\xed\xa0\x80\"", "1e999", "'a'"})
    EXPECT_EQ(refusal([&] { parse_json(text); }).code, "invalid_json") << text;
}

TEST(ParseJson, KeepsTheOrderOfKeysAndTheLastOfEqualOnes) {
  EXPECT_EQ(parse_json(R"({"z": 1, "a": 2, "z": 3})").dump(), R"({"z":3,"a":2})");
}

TEST(ParseJson, StopsAtItsLimits) {
  const JsonLimits limits{.depth = 3, .values = 8, .keys = 6, .object_keys = 3};
  EXPECT_NO_THROW(parse_json("[[[1, 2, 3]]]", limits));
  EXPECT_NO_THROW(parse_json(R"([{"a":1,"b":2,"c":3},{"a":1,"b":2}])", limits));
  EXPECT_EQ(refusal([&] { parse_json("[[[[]]]]", limits); }).code, "invalid_json");
  EXPECT_EQ(refusal([&] { parse_json("[1,1,1,1,1,1,1,1]", limits); }).code, "invalid_json");
  EXPECT_EQ(refusal([&] { parse_json(R"({"a":1,"b":2,"c":3,"d":4})", limits); }).code, "invalid_json");
  EXPECT_EQ(refusal([&] {
              parse_json(R"([{"a":1,"b":1,"c":1},{"a":1,"b":1,"c":1},{"a":1}])", {.depth = 3, .keys = 6});
            }).code,
            "invalid_json");
  EXPECT_EQ(refusal([] { parse_json(std::string(1'000'000, '[')); }).code, "invalid_json");
}

TEST(JsonReader, NamesThePathOfWhatIsWrong) {
  const ordered_json document = parse_json(R"({"messages": [{"content": "a"}, {"content": [{"type": 7}]}]})");
  const JsonReader type = JsonReader(document)["messages"].elements()[1]["content"].elements()[0]["type"];
  EXPECT_EQ(type.path(), "messages[1].content[0].type");
  const ApiErrorDetails details = refusal([&] { type.string(); });
  EXPECT_EQ(details.param, "messages[1].content[0].type");
  EXPECT_EQ(details.code, "invalid_value");
}

TEST(JsonReader, TakesNullForAbsent) {
  const ordered_json document = parse_json(R"({"a": null})");
  const JsonReader body(document);
  EXPECT_FALSE(body["a"].present());
  EXPECT_FALSE(body["b"].present());
  EXPECT_FALSE(body["b"]["c"].present());
  EXPECT_TRUE(body["a"].elements().empty());
  EXPECT_EQ(refusal([&] { body.required("a"); }).code, "missing_required_parameter");
}

TEST(JsonReader, TakesWholeNumbersHoweverWrittenAndClampsNothing) {
  const ordered_json document = parse_json(
      R"({"i": 3, "whole": 3.0, "half": 3.5, "huge": 1e30, "wide": 18446744073709551615, "neg": -1, "b": true})");
  const JsonReader body(document);
  EXPECT_EQ(body["i"].integer(0, 5), 3);
  EXPECT_EQ(body["whole"].integer(0, 5), 3);
  EXPECT_EQ(body["neg"].integer(INT64_MIN, INT64_MAX), -1);
  for (const char* key : {"half", "huge", "wide", "b"})
    EXPECT_EQ(refusal([&] { body[key].integer(INT64_MIN, INT64_MAX); }).param, key);
  EXPECT_EQ(refusal([&] { body["neg"].integer(0, 5); }).param, "neg");
  EXPECT_EQ(refusal([&] { body["i"].integer(0, 2); }).param, "i");
  EXPECT_DOUBLE_EQ(body["i"].number(0, 5), 3);
  EXPECT_EQ(refusal([&] { body["huge"].number(0, 2); }).param, "huge");
}

}  // namespace
}  // namespace hearth
