#include "server/output_format.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "runtime/grammar/gbnf.h"
#include "runtime/grammar/json_schema.h"
#include "runtime/grammar/regex.h"
#include "server/api_error.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;
using Kind = OutputFormat::Kind;

constexpr size_t kMaxChoices = 1000;

OutputFormat schema_of(const JsonReader& field) {
  if (!field.is_object() && !field.json().is_boolean()) field.fail_type("a JSON Schema");
  return {Kind::kJsonSchema, field.json(), field.path()};
}

std::optional<OutputFormat> read_response_format(const JsonReader& format) {
  const JsonReader type = format.required("type");
  const std::string name = type.string();
  if (name == "text") return std::nullopt;
  if (name == "json_object") {
    // llama.cpp's way to give a schema.
    if (const JsonReader schema = format["schema"]) return schema_of(schema);
    return OutputFormat{Kind::kJsonObject, {}, type.path()};
  }
  if (name == "json_schema") {
    const JsonReader named = format.required("json_schema");
    named.required("name").string();
    return schema_of(named.required("schema"));
  }
  throw unsupported_field(type.path(),
                          fmt::format("'{}': '{}' is none of text, json_object and json_schema", type.path(), name));
}

OutputFormat text_of(Kind kind, const JsonReader& field) { return {kind, field.string(), field.path()}; }

OutputFormat choice_of(const JsonReader& field) {
  if (!field.is_array() || field.elements().empty()) field.fail_type("a list of texts");
  if (field.elements().size() > kMaxChoices) field.fail(fmt::format("more than {} texts", kMaxChoices));
  for (const JsonReader& text : field.elements()) text.string();
  return {Kind::kChoice, field.json(), field.path()};
}

// vLLM takes a schema as text too.
OutputFormat guided_json_of(const JsonReader& field) {
  if (!field.is_string()) return schema_of(field);
  return {Kind::kJsonSchema, parse_json(field.string(), {}, fmt::format("'{}'", field.path())), field.path()};
}

// "tools[0].function" -> "/tools/0/function"
std::string pointer_of(const std::string& param) {
  std::string pointer = "/" + param;
  std::erase(pointer, ']');
  std::ranges::replace_if(
      pointer, [](char c) { return c == '.' || c == '['; }, '/');
  return pointer;
}

Grammar build(const OutputFormat& format) {
  switch (format.kind) {
    case Kind::kJsonObject:
      return json_object_grammar();
    case Kind::kJsonSchema:
      return json_schema_grammar(format.value);
    case Kind::kRegex: {
      Grammar grammar{.rules = {parse_regex(format.value.get<std::string>())}};
      if (!prune(grammar)) throw invalid_argument("no text matches it");
      return grammar;
    }
    case Kind::kGrammar:
      return parse_gbnf(format.value.get<std::string>());
    case Kind::kChoice:
      break;
  }
  std::vector<Expr> texts;
  for (const Json& text : format.value) texts.push_back(grammar::text(text.get<std::string>()));
  return {.rules = {grammar::choice(std::move(texts))}};
}

}  // namespace

std::optional<OutputFormat> read_output_format(const JsonReader& body) {
  std::vector<OutputFormat> found;
  if (const JsonReader format = body["response_format"])
    if (auto read = read_response_format(format)) found.push_back(std::move(*read));
  if (const JsonReader schema = body["json_schema"]) found.push_back(schema_of(schema));
  if (const JsonReader schema = body["guided_json"]) found.push_back(guided_json_of(schema));
  if (const JsonReader grammar = body["grammar"]) found.push_back(text_of(Kind::kGrammar, grammar));
  if (const JsonReader grammar = body["guided_grammar"]) found.push_back(text_of(Kind::kGrammar, grammar));
  if (const JsonReader regex = body["guided_regex"]) found.push_back(text_of(Kind::kRegex, regex));
  if (const JsonReader choice = body["guided_choice"]) found.push_back(choice_of(choice));
  const JsonReader structured = body["structured_outputs"];
  if (const JsonReader schema = structured["json"]) found.push_back(guided_json_of(schema));
  if (const JsonReader regex = structured["regex"]) found.push_back(text_of(Kind::kRegex, regex));
  if (const JsonReader grammar = structured["grammar"]) found.push_back(text_of(Kind::kGrammar, grammar));
  if (const JsonReader choice = structured["choice"]) found.push_back(choice_of(choice));
  for (const auto& [name, value] : structured.members())
    if (value && name != "json" && name != "regex" && name != "choice" && name != "grammar")
      throw unsupported_field(value.path(), fmt::format("'{}' is not supported", value.path()));
  if (found.empty()) return std::nullopt;
  if (found.size() > 1)
    throw invalid_field(found[1].param, fmt::format("'{}' and '{}' both say what the answer must be: send one",
                                                    found[0].param, found[1].param));
  return std::move(found.front());
}

ApiError unsupported_schema(const std::string& param, const SchemaError& error) {
  return invalid_field(pointer_of(param) + error.pointer, error.what());
}

Grammar grammar_of(const OutputFormat& format) {
  try {
    return build(format);
  } catch (const SchemaError& error) {
    throw unsupported_schema(format.param, error);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInvalidArgument) throw;
    throw invalid_field(format.param, fmt::format("'{}': {}", format.param, error.what()));
  }
}

std::shared_ptr<TokenGrammar> compile(const OutputFormat& format, GrammarCache& grammars) {
  try {
    return grammars.get(fmt::format("{}:{}", static_cast<int>(format.kind), format.value.dump()),
                        [&] { return grammar_of(format); });
  } catch (const ApiError&) {
    throw;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInvalidArgument) throw;
    throw invalid_field(format.param, fmt::format("'{}': {}", format.param, error.what()));
  }
}

}  // namespace hearth
