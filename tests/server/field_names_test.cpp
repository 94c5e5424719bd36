// What a translated request is refused for is called by the names that the client sent.
#include "server/field_names.h"

#include <gtest/gtest.h>

namespace hearth {
namespace {

TEST(FieldNames, TheLongestNameDecides) {
  FieldNames names;
  names.add("a", "x");
  names.add("a.b", "y[0].z");
  const auto renamed = [&](const char* param, const char* message) {
    try {
      names.translated([&]() -> int { throw invalid_field(param, message); });
    } catch (const ApiError& error) {
      return error.details().param + "|" + error.what();
    }
    return std::string();
  };
  EXPECT_EQ(renamed("a.b.c", "'a.b.c' and 'a[1]', not 'ab' or a.b; it's"),
            "y[0].z.c|'y[0].z.c' and 'x[1]', not 'ab' or a.b; it's");
  EXPECT_EQ(renamed("/a/b/0/q", "no"), "/y/0/z/0/q|no");
  EXPECT_EQ(renamed("", "''"), "|''");
}

TEST(FieldNames, TheLongestNameCountsAndPointersStayPointers) {
  FieldNames names;
  names.add("messages", "input");
  names.add("messages[3].content", "input[1].content");
  names.add("response_format", "text.format");
  names.add("response_format.json_schema", "text.format");
  names.add("tools[0].function", "tools[0]");
  EXPECT_EQ(names.original("messages"), "input");
  EXPECT_EQ(names.original("messages[3].content"), "input[1].content");
  EXPECT_EQ(names.original("messages[3].content[0].text"), "input[1].content[0].text");
  EXPECT_EQ(names.original("messages[33].content"), "input[33].content");
  EXPECT_EQ(names.original("messages_of"), "messages_of");
  EXPECT_EQ(names.original("response_format.json_schema.schema"), "text.format.schema");
  EXPECT_EQ(names.original("/response_format/json_schema/schema/properties/a"), "/text/format/schema/properties/a");
  EXPECT_EQ(names.original("/tools/0/function/parameters/x"), "/tools/0/parameters/x");
  EXPECT_EQ(names.original(""), "");
  const ApiError error =
      names.original(invalid_field("messages[3].content", "'messages[3].content' and 'tools' aren't 'no names'"));
  EXPECT_STREQ(error.what(), "'input[1].content' and 'tools' aren't 'no names'");
}

}  // namespace
}  // namespace hearth
