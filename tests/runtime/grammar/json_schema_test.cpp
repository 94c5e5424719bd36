// What a schema becomes beyond the suite's cases: order, blanks, recursion, formats, and what is refused where.
#include "runtime/grammar/json_schema.h"

#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/grammar/matcher.h"
#include "runtime/grammar/schema_formats.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;

Matcher matcher_of(const char* schema) {
  return Matcher(std::make_shared<Automaton>(json_schema_grammar(Json::parse(schema))));
}

TEST(JsonSchema, PropertiesComeInOrderWithTheBlanksThatPeopleWrite) {
  Matcher matcher = matcher_of(
      R"({"type": "object", "properties": {"a": {"type": "integer"}, "b": {}, "c": {"type": "null"}}, "required": ["b"], "additionalProperties": false})");
  for (const char* text :
       {R"({"a":1,"b":2,"c":null})", R"({"b":[]})", R"({ "a": 1, "b": {} })", "{\n  \"b\": \"x\",\n\t\"c\": null\n}"})
    EXPECT_TRUE(matcher.accepts(text)) << text;
  for (const char* text :
       {R"({"b":2,"a":1})", R"({"a":1})", R"({"b":2,"b":2})", R"({"b":2,"d":1})", R"({"b":2,})", R"({"b"  :2})"})
    EXPECT_FALSE(matcher.accepts(text)) << text;
}

TEST(JsonSchema, OtherPropertiesComeBehind) {
  Matcher matcher = matcher_of(
      R"({"properties": {"na": {"type": "integer"}}, "required": ["zz"], "additionalProperties": {"type": "boolean"}, "type": "object"})");
  for (const char* text : {R"({"zz":true})", R"({"na":1,"zz":false,"n":true,"nab":true})"})
    EXPECT_TRUE(matcher.accepts(text)) << text;
  for (const char* text : {R"({})", R"({"zz":1})", R"({"zz":true,"na":true})", R"({"zz":true,"x":1})"})
    EXPECT_FALSE(matcher.accepts(text)) << text;
}

TEST(JsonSchema, RecursionNests) {
  Matcher matcher = matcher_of(
      R"({"$ref": "#/$defs/tree", "$defs": {"tree": {"type": "object", "properties": {"v": {"type": "integer"}, "kids": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}, "required": ["v"], "additionalProperties": false}}})");
  EXPECT_TRUE(matcher.accepts(R"({"v":1,"kids":[{"v":2,"kids":[]},{"v":3,"kids":[{"v":4}]}]})"));
  EXPECT_FALSE(matcher.accepts(R"({"v":1,"kids":[{"v":"2"}]})"));
}

// What pydantic and zod make of optional fields, unions told apart by a constant, and of tuples.
TEST(JsonSchema, WhatClientsSend) {
  Matcher matcher = matcher_of(
      R"({"$defs": {"Cat": {"properties": {"kind": {"const": "cat", "title": "Kind", "type": "string"}, "lives": {"type": "integer"}}, "required": ["kind", "lives"], "title": "Cat", "type": "object"},
      "Dog": {"properties": {"kind": {"const": "dog", "type": "string"}}, "required": ["kind"], "type": "object", "additionalProperties": false}},
      "properties": {"pet": {"discriminator": {"mapping": {"cat": "#/$defs/Cat", "dog": "#/$defs/Dog"}, "propertyName": "kind"}, "oneOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}]},
      "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": null}, "at": {"type": "array", "prefixItems": [{"type": "number"}, {"type": "number"}], "minItems": 2, "maxItems": 2}},
      "required": ["pet", "at"], "title": "Owner", "type": "object"})");
  EXPECT_TRUE(matcher.accepts(R"({"pet": {"kind": "cat", "lives": 9}, "note": null, "at": [1.5, -2]})"));
  EXPECT_TRUE(matcher.accepts(R"({"pet": {"kind": "dog"}, "at": [0, 0]})"));
  EXPECT_FALSE(matcher.accepts(R"({"pet": {"kind": "dog", "lives": 9}, "at": [0, 0]})"));
  EXPECT_FALSE(matcher.accepts(R"({"pet": {"kind": "dog"}, "at": [0]})"));
}

TEST(JsonSchema, Formats) {
  struct Case {
    const char* format;
    std::vector<const char*> good, bad;
  };
  for (const Case& one :
       std::vector<Case>{{"date",
                          {"2026-11-28", "2024-02-29", "2000-02-29"},
                          {"2026-02-29", "1900-02-29", "2026-13-01", "2026-04-31", "26-1-1"}},
                         {"time", {"23:59:59Z", "00:00:00.5+01:30"}, {"24:00:00Z", "12:00:00", "1:00:00Z"}},
                         {"date-time", {"2026-11-28T20:44:14Z"}, {"2026-11-28 20:44:14Z", "2026-02-30T00:00:00Z"}},
                         {"uuid",
                          {"2eb8aa08-AA98-11ea-b4aa-73b441d16380"},
                          {"2eb8aa08-aa98-11ea-b4aa-73b441d1638", "2eb8aa08aa9811eab4aa73b441d16380"}},
                         {"ipv4", {"127.0.0.1", "255.255.255.255"}, {"256.0.0.1", "1.2.3", "01.2.3.4"}},
                         {"email", {"joe.bloggs@example.com", "te~st@x.org"}, {"joe", ".a@x.org", "a..b@x.org", "a@"}},
                         {"hostname", {"www.example.com", "a"}, {"-a.com", "a_b", "a..b"}}}) {
    Matcher matcher = matcher_of(fmt::format(R"({{"type": "string", "format": "{}"}})", one.format).c_str());
    for (const char* text : one.good)
      EXPECT_TRUE(matcher.accepts(fmt::format("\"{}\"", text))) << one.format << " " << text;
    for (const char* text : one.bad)
      EXPECT_FALSE(matcher.accepts(fmt::format("\"{}\"", text))) << one.format << " " << text;
  }
  EXPECT_EQ(format_names().size(), 7u);
}

TEST(JsonSchema, PatternsAndLengthsHoldTogether) {
  Matcher matcher = matcher_of(R"({"type": "string", "pattern": "^[a-z\"]+$", "minLength": 2, "maxLength": 3})");
  for (const char* text : {R"("ab")", R"("a\"c")"}) EXPECT_TRUE(matcher.accepts(text)) << text;
  for (const char* text : {R"("a")", R"("abcd")", R"("aB")"}) EXPECT_FALSE(matcher.accepts(text)) << text;
}

TEST(JsonSchema, AnyObject) {
  Matcher matcher(std::make_shared<Automaton>(json_object_grammar()));
  EXPECT_TRUE(matcher.accepts(R"({"a": [1, {"b": null}, "x"], "c": {}})"));
  for (const char* text : {"[]", "1", "{", R"({"a"})"}) EXPECT_FALSE(matcher.accepts(text)) << text;
}

TEST(JsonSchema, WhatCannotBeEnforcedIsRefusedWhereItStands) {
  struct Case {
    const char *schema, *pointer, *part;
  };
  for (const Case& one :
       std::vector<Case>{{R"({"properties": {"a/b": {"not": {}}}})", "/properties/a~1b/not", "'not' is not supported"},
                         {R"({"minlength": 3})", "/minlength", "did you mean 'minLength'?"},
                         {R"({"type": "strnig"})", "/type", "did you mean 'string'?"},
                         {R"({"type": "string", "format": "uri-template"})", "/format", "it is one of date"},
                         {R"_({"type": "string", "pattern": "(?=a)"})_", "/pattern", "lookaround"},
                         {R"({"oneOf": [{"type": "integer"}, {"type": "number"}]})", "/oneOf", "not told apart"},
                         {R"({"$ref": "#/$defs/none"})", "/$ref", "is not there"},
                         {R"({"$ref": "https://example.com/s.json"})", "/$ref", "same schema"},
                         {R"({"items": 3})", "/items", "a schema is an object"},
                         {R"({"enum": 3})", "/enum", "it must be a list"},
                         {R"({"maxItems": -1})", "/maxItems", "whole number"},
                         {R"({"anyOf": []})", "/anyOf", "list of schemas"},
                         {R"({"$schema": "urn:mine"})", "/$schema", "dialects"},
                         {R"(false)", "", "no value satisfies"},
                         {R"({"type": "integer", "minimum": 3, "maximum": 2})", "", "no value satisfies"},
                         {R"({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]})", "",
                          "no value satisfies"}}) {
    try {
      matcher_of(one.schema);
      ADD_FAILURE() << one.schema << " is taken";
    } catch (const SchemaError& error) {
      EXPECT_EQ(error.pointer, one.pointer) << one.schema;
      EXPECT_THAT(error.what(), HasSubstr(one.part)) << one.schema;
    }
  }
}

// Schemas that would take for ever, or more memory than there is.
TEST(JsonSchema, ItsSizeIsBounded) {
  for (const char* schema :
       {R"({"type": "string", "maxLength": 1000000000})",
        R"({"type": "array", "maxItems": 1000000, "items": {"type": "array", "maxItems": 1000000}})",
        R"_({"type": "string", "pattern": "^((a{900}){900}){900}$", "maxLength": 5})_",
        R"({"type": "string", "pattern": "^(a|b)*$", "minLength": 30000})"})
    EXPECT_THROW(matcher_of(schema), Error) << schema;
  EXPECT_THROW(matcher_of(R"_({"type": "string", "pattern": "^(a?){3000}$", "maxLength": 3000})_"), Error);
  Json wide, twice = {{"$defs", Json::object()}, {"$ref", "#/$defs/d0"}};
  for (int i = 0; i < 1001; ++i) wide["properties"][std::to_string(i)] = true;
  EXPECT_THROW(json_schema_grammar(wide), SchemaError);
  EXPECT_THROW(json_schema_grammar({{"required", {std::string(100'000, 'x')}}}), SchemaError);
  // Each level has two ways to the next: 2^40 combinations.
  for (int i = 0; i < 40; ++i) {
    const Json next = {{"$ref", fmt::format("#/$defs/d{}", i + 1)}};
    twice["$defs"][fmt::format("d{}", i)] = {{"anyOf", {next, {{"allOf", {next}}}}}};
  }
  twice["$defs"]["d40"] = true;
  EXPECT_THROW(json_schema_grammar(twice), SchemaError);
  std::string deep;
  for (int i = 0; i < 90; ++i) deep += R"({"properties": {"a": )";
  deep += "true";
  for (int i = 0; i < 90; ++i) deep += "}}";
  EXPECT_TRUE(matcher_of(deep.c_str()).accepts("{}"));
}

}  // namespace
}  // namespace hearth
