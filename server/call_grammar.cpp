#include "server/call_grammar.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "runtime/grammar/json_schema.h"
#include "runtime/grammar/json_text.h"
#include "server/output_format.h"
#include "templates/tool_parsers/argument_text.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kGemmaQuote = "<|\"|>";

const Json& member(const Json& object, const char* key) {
  static const Json kNone;
  const auto found = object.is_object() ? object.find(key) : object.end();
  return object.is_object() && found != object.end() ? *found : kNone;
}

Expr function_name_chars() {
  return grammar::repeat(grammar::chars({{'a', 'z'}, {'A', 'Z'}, {'0', '9'}, {'_', '_'}}), 1);
}

// Keywords that say nothing of a value.
bool is_annotation(const std::string& key) {
  static const std::set<std::string> kAnnotations = {"title", "description", "default", "examples", "$comment"};
  return kAnnotations.contains(key);
}

// Of what a text between marks cannot be held to.
void check_text_schema(const Json& schema, const std::string& at) {
  if (!schema.is_object()) return;
  for (const auto& [key, value] : schema.items()) {
    if (key == "anyOf" || key == "oneOf") {
      for (size_t i = 0; i < value.size(); ++i) check_text_schema(value[i], fmt::format("{}/{}/{}", at, key, i));
    } else if (key != "type" && !is_annotation(key)) {
      throw SchemaError(at + "/" + key, fmt::format("'{}' cannot be enforced: this model writes texts in arguments as "
                                                    "they are",
                                                    key));
    }
  }
}

// What is not of properties one by one.
void check_flat_object(const Json& schema) {
  static const std::set<std::string> kKnown = {"type",  "properties", "required", "additionalProperties",
                                               "$defs", "$schema"};
  for (const auto& [key, value] : schema.items())
    if (!kKnown.contains(key) && !is_annotation(key))
      throw SchemaError("/" + key, fmt::format("'{}' cannot be enforced: this model writes arguments one by one", key));
}

void check_flat(const CallableTool& tool) {
  try {
    if (tool.strict) check_flat_object(tool.parameters);
  } catch (const SchemaError& error) {
    throw unsupported_schema(tool.param, error);
  }
}

Json with_definitions(const Json& schema, const Json& parameters) {
  Json out = schema;
  if (out.is_object() && parameters.contains("$defs") && !out.contains("$defs")) out["$defs"] = parameters["$defs"];
  return out;
}

// Where a schema lists an object's properties and does not speak of others, there are no others: a function that gets
// an argument it does not know fails.
Json closed(const Json& schema) {
  if (schema.is_array()) {
    Json out = Json::array();
    for (const Json& one : schema) out.push_back(closed(one));
    return out;
  }
  if (!schema.is_object() || schema.contains("allOf")) return schema;
  Json out = schema;
  if (schema.contains("properties") && !schema.contains("additionalProperties") &&
      !schema.contains("patternProperties"))
    out["additionalProperties"] = false;
  for (const char* key : {"items", "prefixItems", "anyOf", "oneOf"})
    if (schema.contains(key)) out[key] = closed(schema[key]);
  for (const char* key : {"properties", "$defs"})
    if (member(schema, key).is_object())
      for (const auto& [name, one] : schema[key].items()) out[key][name] = closed(one);
  return out;
}

bool is_required(const Json& schema, const std::string& key) {
  const Json& required = member(schema, "required");
  return required.is_array() && std::ranges::find(required, Json(key)) != required.end();
}

}  // namespace

bool is_strict(const Json& tool) { return member(member(tool, "function"), "strict") == true; }

std::vector<CallableTool> callable_tools(const ConversationFields& conversation) {
  std::vector<CallableTool> out;
  for (size_t i = 0; i < conversation.tools.size(); ++i) {
    const Json& function = conversation.tools[i].at("function");
    const std::string name = function.at("name");
    const auto& names = conversation.tool_choice.names;
    if (!names.empty() && std::ranges::find(names, name) == names.end()) continue;
    Json parameters = member(function, "parameters");
    if (parameters.is_null())
      parameters = {{"type", "object"}, {"properties", Json::object()}, {"additionalProperties", false}};
    if (!parameters.contains("type") && !parameters.contains("$ref") && !parameters.contains("anyOf"))
      parameters["type"] = "object";
    out.push_back({name, std::move(parameters), is_strict(conversation.tools[i]),
                   conversation.legacy_functions ? fmt::format("functions[{}].parameters", i)
                                                 : fmt::format("tools[{}].function.parameters", i)});
  }
  return out;
}

std::vector<std::string> beginnings_of_calls(const CallFormat& format, const std::vector<CallableTool>& tools) {
  if (format.body == CallBody::kPython) return {"["};
  if (format.body == CallBody::kJson) return {"{", "["};
  std::vector<std::string> out;
  for (const CallableTool& tool : tools) out.push_back(tool.name + "\n");
  return out;
}

MarkSpeller::MarkSpeller(const Tokenizer& tokenizer, const std::vector<TokenId>& tokens) {
  for (const TokenId id : tokens) controls_.push_back(tokenizer.token_text(id));
}

Expr MarkSpeller::spell(std::string_view mark) const {
  std::vector<Expr> parts;
  while (!mark.empty()) {
    // The control token that comes first, the longest of those that begin there.
    size_t at = std::string_view::npos, which = 0;
    for (size_t i = 0; i < controls_.size(); ++i) {
      const size_t found = mark.find(controls_[i]);
      if (found == std::string_view::npos) continue;
      if (found < at || (found == at && controls_[i].size() > controls_[which].size())) at = found, which = i;
    }
    const size_t text_end = std::min(at, mark.size());
    if (text_end > 0) parts.push_back(grammar::text(mark.substr(0, text_end)));
    mark.remove_prefix(text_end);
    if (at == std::string_view::npos) break;
    parts.push_back(grammar::control(static_cast<int>(which)));
    mark.remove_prefix(controls_[which].size());
  }
  return grammar::sequence(std::move(parts));
}

Expr CallGrammar::calls(const std::vector<CallableTool>& tools, bool begun) {
  std::vector<Expr> first, any;
  for (const CallableTool& tool : tools) {
    first.push_back(call(tool, begun));
    any.push_back(call(tool, false));
  }
  const bool is_list = format_.is_list || format_.body == CallBody::kPython;
  Expr between = is_list ? grammar::text(", ") : mark(format_.between);
  std::vector<Expr> all = {grammar::choice(std::move(first))};
  if (parallel_ && format_.takes_several()) {
    grammar_.rules.push_back(grammar::choice(std::move(any)));
    const auto rule = static_cast<int>(grammar_.rules.size() - 1);
    all.push_back(grammar::repeat(grammar::sequence({std::move(between), grammar::rule(rule)}), 0));
  }
  std::vector<Expr> parts = {mark(format_.begin), grammar::text(is_list ? "[" : "")};
  std::move(all.begin(), all.end(), std::back_inserter(parts));
  parts.push_back(grammar::text(is_list ? "]" : ""));
  parts.push_back(mark(format_.end));
  return grammar::sequence(std::move(parts));
}

Expr CallGrammar::call(const CallableTool& tool, bool begun) {
  Expr begin = begun ? grammar::sequence({}) : mark(format_.call_begin);
  Expr end = mark(format_.call_end);
  Expr name = grammar::text(tool.name);
  switch (format_.body) {
    case CallBody::kJson: {
      std::string head = fmt::format("{{\"{}\": \"{}\", \"{}\": ", format_.name_key, tool.name, format_.arguments_key);
      return grammar::sequence(
          {std::move(begin), grammar::text(head), json_arguments(tool), grammar::text("}"), std::move(end)});
    }
    case CallBody::kNamed:
      return grammar::sequence(
          {std::move(begin), std::move(name), mark(format_.name_end), json_arguments(tool), std::move(end)});
    case CallBody::kParameters:
      return grammar::sequence(
          {std::move(begin), std::move(name), mark(format_.name_end), marked_arguments(tool), std::move(end)});
    case CallBody::kPython:
      return grammar::sequence({std::move(begin), std::move(name), grammar::text("("), python_arguments(tool),
                                grammar::text(")"), std::move(end)});
    case CallBody::kGemma4:
      return grammar::sequence({std::move(begin), std::move(name), grammar::text("{"), gemma4_arguments(tool),
                                grammar::text("}"), std::move(end)});
    case CallBody::kHarmony:
      break;
  }
  return grammar::sequence({mark("<|channel|>"), grammar::text("commentary to=functions." + tool.name + " "),
                            mark("<|constrain|>"), grammar::text("json"), mark("<|message|>"), json_arguments(tool)});
}

Expr CallGrammar::json_arguments(const CallableTool& tool) {
  try {
    return embed(grammar_, json_schema_grammar(closed(tool.parameters)));
  } catch (const SchemaError&) {  // then as it stands
  }
  try {
    return embed(grammar_, json_schema_grammar(tool.parameters));
  } catch (const SchemaError& error) {
    if (tool.strict) throw unsupported_schema(tool.param, error);
    return embed(grammar_, json_object_grammar());
  }
}

template <class Property>
Expr CallGrammar::properties(const CallableTool& tool, std::string_view between, const Property& property) {
  const Json& declared = member(tool.parameters, "properties");
  std::vector<std::string> keys;
  for (const auto& [key, schema] : declared.items()) keys.push_back(key);
  // From the last one on: what may follow when nothing was written before, and when something was.
  Expr first = grammar::sequence({}), later = grammar::sequence({});
  for (const std::string& key : std::vector<std::string>(keys.rbegin(), keys.rend())) {
    grammar_.rules.push_back(std::move(later));
    const Expr rest = grammar::rule(static_cast<int>(grammar_.rules.size() - 1));
    grammar_.rules.push_back(property(key));
    const Expr one = grammar::rule(static_cast<int>(grammar_.rules.size() - 1));
    Expr here_first = grammar::sequence({one, rest});
    Expr here_later = grammar::sequence({grammar::text(between), one, rest});
    if (!is_required(tool.parameters, key)) {
      here_first = grammar::choice({std::move(here_first), std::move(first)});
      here_later = grammar::choice({std::move(here_later), rest});
    }
    first = std::move(here_first);
    later = std::move(here_later);
  }
  return first;
}

Expr CallGrammar::json_value(const CallableTool& tool, const std::string& key) {
  const Json& schema = member(tool.parameters, "properties").at(key);
  try {
    return embed(grammar_, json_schema_grammar(with_definitions(schema, tool.parameters)));
  } catch (const SchemaError& error) {
    if (tool.strict) throw unsupported_schema(fmt::format("{}.properties.{}", tool.param, key), error);
    return embed(grammar_, json_schema_grammar(Json(true)));
  }
}

Expr CallGrammar::between_marks(const CallableTool& tool, const std::string& key) {
  const Json& schema = member(tool.parameters, "properties").at(key);
  const std::set<std::string> types = declared_types(tool.parameters, key);
  if (!types.empty() && !types.contains("string")) return json_value(tool, key);
  const Json& choices = schema.contains("const") ? Json::array({schema["const"]}) : member(schema, "enum");
  if (choices.is_array()) {
    std::vector<Expr> texts;
    for (const Json& value : choices)
      texts.push_back(grammar::text(value.is_string() ? value.get<std::string>() : json_line(value)));
    return grammar::choice(std::move(texts));
  }
  try {
    if (tool.strict) check_text_schema(schema, "");
  } catch (const SchemaError& error) {
    throw unsupported_schema(fmt::format("{}.properties.{}", tool.param, key), error);
  }
  return text_without(grammar_, {std::string(bare_mark(format_.value_end))});
}

Expr CallGrammar::marked_arguments(const CallableTool& tool) {
  const auto between = [&](Expr key, Expr value) {
    return grammar::sequence(
        {mark(format_.key_begin), std::move(key), mark(format_.key_end), std::move(value), mark(format_.value_end)});
  };
  check_flat(tool);
  if (!member(tool.parameters, "properties").empty())
    return properties(tool, "",
                      [&](const std::string& key) { return between(grammar::text(key), between_marks(tool, key)); });
  if (member(tool.parameters, "additionalProperties") == false) return grammar::sequence({});
  Expr value = text_without(grammar_, {std::string(bare_mark(format_.value_end))});
  return grammar::repeat(between(function_name_chars(), std::move(value)), 0);
}

Expr CallGrammar::python_arguments(const CallableTool& tool) {
  check_flat(tool);
  const auto property = [&](const std::string& key) {
    Expr value = json_value(tool, key);
    if (declared_types(tool.parameters, key) == std::set<std::string>{"boolean"})
      value = grammar::choice({grammar::text("True"), grammar::text("False")});
    return grammar::sequence({grammar::text(key + "="), std::move(value)});
  };
  if (!member(tool.parameters, "properties").empty()) return properties(tool, ", ", property);
  if (member(tool.parameters, "additionalProperties") == false) return grammar::sequence({});
  const Expr any = embed(grammar_, json_schema_grammar(Json(true)));
  const Expr one = grammar::sequence({function_name_chars(), grammar::text("="), any});
  return grammar::optional(grammar::sequence({one, grammar::repeat(grammar::sequence({grammar::text(", "), one}), 0)}));
}

Expr CallGrammar::gemma4_arguments(const CallableTool& tool) {
  check_flat(tool);
  const std::string quote(kGemmaQuote);
  const auto quoted = [&](Expr inside) { return grammar::sequence({mark(quote), std::move(inside), mark(quote)}); };
  const auto property = [&](const std::string& key) {
    const Json& schema = member(tool.parameters, "properties").at(key);
    const std::set<std::string> types = declared_types(tool.parameters, key);
    Expr value;
    if (const Json& choices = member(schema, "enum"); choices.is_array()) {
      std::vector<Expr> all;
      for (const Json& one : choices)
        all.push_back(one.is_string() ? quoted(grammar::text(one.get<std::string>())) : grammar::text(json_line(one)));
      value = grammar::choice(std::move(all));
    } else if (types.empty() || types.contains("string")) {
      try {
        if (tool.strict) check_text_schema(schema, "");
      } catch (const SchemaError& error) {
        throw unsupported_schema(fmt::format("{}.properties.{}", tool.param, key), error);
      }
      value = quoted(text_without(grammar_, {quote}));
    } else if (types.contains("array") || types.contains("object")) {
      if (tool.strict)
        throw unsupported_schema(
            fmt::format("{}.properties.{}", tool.param, key),
            SchemaError("/type", "lists and objects cannot be enforced in this model's arguments"));
      value = gemma4_any();
    } else {
      value = json_value(tool, key);
    }
    return grammar::sequence({grammar::text(key + ":"), std::move(value)});
  };
  if (!member(tool.parameters, "properties").empty()) return properties(tool, ",", property);
  return grammar::sequence({});
}

Expr CallGrammar::gemma4_any() {
  const auto index = static_cast<int>(grammar_.rules.size());
  grammar_.rules.emplace_back();
  const auto list_of = [](const Expr& one) {
    return grammar::optional(
        grammar::sequence({one, grammar::repeat(grammar::sequence({grammar::text(","), one}), 0)}));
  };
  const std::string quote(kGemmaQuote);
  Expr text = grammar::sequence({mark(quote), text_without(grammar_, {quote}), mark(quote)});
  Expr member_of_object = grammar::sequence({function_name_chars(), grammar::text(":"), grammar::rule(index)});
  grammar_.rules[static_cast<size_t>(index)] =
      grammar::choice({std::move(text), json_text::number(false, {}), grammar::text("true"), grammar::text("false"),
                       grammar::text("null"),
                       grammar::sequence({grammar::text("["), list_of(grammar::rule(index)), grammar::text("]")}),
                       grammar::sequence({grammar::text("{"), list_of(member_of_object), grammar::text("}")})});
  return grammar::rule(index);
}

}  // namespace hearth
