#include "runtime/grammar/schema_reader.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "runtime/base/nearest_name.h"
#include "runtime/grammar/json_schema.h"
#include "runtime/grammar/regex.h"
#include "runtime/grammar/schema_formats.h"

namespace hearth::json_schema {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kEnforced[] = {"$ref",
                                          "additionalItems",
                                          "additionalProperties",
                                          "allOf",
                                          "anyOf",
                                          "const",
                                          "enum",
                                          "exclusiveMaximum",
                                          "exclusiveMinimum",
                                          "format",
                                          "items",
                                          "maxItems",
                                          "maxLength",
                                          "maximum",
                                          "minItems",
                                          "minLength",
                                          "minimum",
                                          "oneOf",
                                          "pattern",
                                          "prefixItems",
                                          "properties",
                                          "required",
                                          "type"};
constexpr std::string_view kAnnotations[] = {
    "$anchor",    "$comment",    "$defs",         "$id",      "$schema",  "$vocabulary", "default", "definitions",
    "deprecated", "description", "discriminator", "examples", "readOnly", "strict",      "title",   "writeOnly"};
constexpr int kMaxConjunction = 200;
constexpr size_t kMaxValues = 5000;

std::string escaped_token(std::string_view key) {
  std::string out;
  for (const char c : key) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned byte = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::sscanf(std::string(text.substr(i + 1, 2)).c_str(), "%2x", &byte) == 1) {
      out += static_cast<char>(byte);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

unsigned type_named(const Located& where, const Json& name) {
  static const std::map<std::string, unsigned> kTypes = {
      {"null", kNull},     {"boolean", kBoolean}, {"integer", kInteger}, {"number", kInteger | kFraction},
      {"string", kString}, {"array", kArray},     {"object", kObject}};
  std::vector<std::string> names;
  for (const auto& [known, bits] : kTypes) names.push_back(known);
  const std::string given = name.is_string() ? name.get<std::string>() : name.dump();
  const auto found = kTypes.find(given);
  if (found == kTypes.end()) fail(where, "type", fmt::format("'{}' is no type{}", given, did_you_mean(given, names)));
  return found->second;
}

int64_t count_of(const Located& where, std::string_view key, const Json& value) {
  if (!value.is_number() || value.get<double>() < 0 || value.get<double>() != std::floor(value.get<double>()))
    fail(where, key, "it must be a whole number from 0 on");
  if (value.get<double>() > 1e9) fail(where, key, "it must be at most 10^9");
  return static_cast<int64_t>(value.get<double>());
}

void add_bound(const Located& where, std::string_view key, const Json& value, Collected& out) {
  if (value.is_boolean()) {  // draft 4: of the bound beside it
    const std::string bound = key == "exclusiveMinimum" ? "minimum" : "maximum";
    if (value.get<bool>() && where.schema->contains(bound)) add_bound(where, key, where.schema->at(bound), out);
    return;
  }
  if (!value.is_number()) fail(where, key, "it must be a number");
  const json_text::Bound bound{value.get<double>(), key.starts_with("exclusive")};
  std::optional<json_text::Bound>& kept =
      key == "minimum" || key == "exclusiveMinimum" ? out.numbers.min : out.numbers.max;
  const bool is_min = &kept == &out.numbers.min;
  if (!kept || (is_min ? bound.value > kept->value : bound.value < kept->value) ||
      (bound.value == kept->value && bound.exclusive))
    kept = bound;
}

int64_t smaller_max(int64_t a, int64_t b) { return a == Expr::kUnbounded ? b : std::min(a, b); }

void add_pattern(const Located& where, const std::string& key, const std::string& value, Collected& out) {
  std::string pattern = value;
  if (key == "format") {
    const auto known = format_pattern(value);
    if (!known)
      fail(where, key,
           fmt::format("the format '{}' is not supported; it is one of {}", value, fmt::join(format_names(), ", ")));
    pattern = *known;
  }
  try {
    parse_regex(pattern);
  } catch (const Error& error) {
    fail(where, key, error.what());
  }
  out.patterns.push_back(std::move(pattern));
}

void add_keyword(const Located& where, const std::string& key, const Json& value, Collected& out) {
  if (key == "$schema" &&
      (!value.is_string() || value.get<std::string>().find("json-schema.org/") == std::string::npos))
    fail(where, key, "other dialects than json-schema.org's are not supported");
  if (std::ranges::find(kAnnotations, key) != std::end(kAnnotations) || key == "$ref" || key == "allOf") return;
  if (key == "type") {
    unsigned types = 0;
    if (value.is_array())
      for (const Json& name : value) types |= type_named(where, name);
    else
      types = type_named(where, value);
    out.types &= types;
    return;
  }
  if (key == "enum" || key == "const") {
    if (key == "enum" && (!value.is_array() || value.size() > kMaxValues))
      fail(where, key, fmt::format("it must be a list of at most {} values", kMaxValues));
    std::vector<Json> values = key == "enum" ? value.get<std::vector<Json>>() : std::vector<Json>{value};
    if (out.values)
      std::erase_if(values, [&](const Json& one) { return std::ranges::find(*out.values, one) == out.values->end(); });
    out.values = std::move(values);
  } else if (key == "minimum" || key == "maximum" || key == "exclusiveMinimum" || key == "exclusiveMaximum") {
    add_bound(where, key, value, out);
  } else if (key == "minLength") {
    out.min_length = std::max(out.min_length, count_of(where, key, value));
  } else if (key == "maxLength") {
    out.max_length = smaller_max(out.max_length, count_of(where, key, value));
  } else if (key == "minItems") {
    out.min_items = std::max(out.min_items, count_of(where, key, value));
  } else if (key == "maxItems") {
    out.max_items = smaller_max(out.max_items, count_of(where, key, value));
  } else if (key == "pattern" || key == "format") {
    if (!value.is_string()) fail(where, key, "it must be a string");
    add_pattern(where, key, value.get<std::string>(), out);
  } else if (key == "items" || key == "prefixItems" || key == "additionalItems") {
    if (out.arrays.empty() || out.arrays.back().pointer != where.pointer) out.arrays.push_back(where);
  } else if (key == "properties" || key == "required" || key == "additionalProperties") {
    if (out.objects.empty() || out.objects.back().pointer != where.pointer) out.objects.push_back(where);
  } else if (key == "anyOf" || key == "oneOf") {
    std::vector<Conjunction> alternatives;
    for (const Located& one : SchemaReader::list_of(where, key.c_str())) alternatives.push_back({one});
    out.choices.push_back(std::move(alternatives));
  } else {
    std::vector<std::string> known(std::begin(kEnforced), std::end(kEnforced));
    fail(where, key, fmt::format("the keyword '{}' is not supported{}", key, did_you_mean(key, known)));
  }
}

}  // namespace

Located at(const Located& where, std::string_view key) {
  return {&where.schema->at(std::string(key)), where.pointer + "/" + escaped_token(key)};
}

void fail(const Located& where, std::string_view key, const std::string& what) {
  throw SchemaError(key.empty() ? where.pointer : where.pointer + "/" + escaped_token(key), what);
}

const Json& SchemaReader::resolve(const Located& where, const std::string& reference, std::string& pointer) const {
  if (!reference.starts_with("#") || (reference.size() > 1 && reference[1] != '/'))
    fail(where, "$ref", fmt::format("'{}': only references into the same schema (#/...) are supported", reference));
  pointer = percent_decoded(reference.substr(1));
  try {
    return root_.at(Json::json_pointer(pointer));
  } catch (const Json::exception&) {
    fail(where, "$ref", fmt::format("'{}' is not there", reference));
  }
}

// Adds `where` and what it refers to; each schema once.
void SchemaReader::flatten(const Located& where, std::set<std::string>& seen, Conjunction& out) const {
  if (!seen.insert(where.pointer).second) return;
  if (static_cast<int>(seen.size()) > kMaxConjunction) fail(where, "", "too many schemas hold at once");
  if (!where.schema->is_object() && !where.schema->is_boolean())
    fail(where, "", "a schema is an object, true or false");
  out.push_back(where);
  if (!where.schema->is_object()) return;
  if (const auto reference = where.schema->find("$ref"); reference != where.schema->end()) {
    if (!reference->is_string()) fail(where, "$ref", "it must be a string");
    std::string pointer;
    const Json& target = resolve(where, reference->get<std::string>(), pointer);
    flatten({&target, pointer}, seen, out);
  }
  for (const Located& part : list_of(where, "allOf")) flatten(part, seen, out);
}

Conjunction SchemaReader::flatten(const Conjunction& all) const {
  Conjunction out;
  std::set<std::string> seen;
  for (const Located& one : all) flatten(one, seen, out);
  return out;
}

std::vector<Located> SchemaReader::list_of(const Located& where, const char* key) {
  std::vector<Located> out;
  const auto list = where.schema->find(key);
  if (list == where.schema->end()) return out;
  if (!list->is_array() || list->empty()) fail(where, key, "it must be a list of schemas");
  for (size_t i = 0; i < list->size(); ++i)
    out.push_back({&list->at(i), fmt::format("{}/{}/{}", where.pointer, key, i)});
  return out;
}

Collected SchemaReader::collect(const Conjunction& all) {
  Collected out;
  for (const Located& where : all) {
    if (where.schema->is_boolean()) {
      out.is_false = out.is_false || !where.schema->get<bool>();
      continue;
    }
    for (const auto& [key, keyword] : where.schema->items()) add_keyword(where, key, keyword, out);
  }
  return out;
}

}  // namespace hearth::json_schema
