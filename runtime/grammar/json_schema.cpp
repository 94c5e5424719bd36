#include "runtime/grammar/json_schema.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "runtime/base/nearest_name.h"
#include "runtime/grammar/json_text.h"
#include "runtime/grammar/matcher.h"
#include "runtime/grammar/regex.h"
#include "runtime/grammar/regular.h"
#include "runtime/grammar/schema_formats.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;
using grammar::choice;
using grammar::optional;
using grammar::repeat;
using grammar::rule;
using grammar::sequence;
using grammar::text;

constexpr std::string_view kEnforced[] = {"$ref",
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
constexpr int kMaxConjunction = 200, kMaxAlternatives = 500;
constexpr size_t kMaxRules = 100'000;

enum Type : unsigned {
  kNull = 1,
  kBoolean = 2,
  kInteger = 4,
  kFraction = 8,
  kString = 16,
  kArray = 32,
  kObject = 64,
  kAll = 127
};

// A schema and where it stands.
struct Located {
  const Json* schema;
  std::string pointer;
  bool operator<(const Located& other) const { return pointer < other.pointer; }
};
// All of them must hold.
using Conjunction = std::vector<Located>;

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

Located at(const Located& where, std::string_view key) {
  return {&where.schema->at(std::string(key)), where.pointer + "/" + escaped_token(key)};
}

[[noreturn]] void fail(const Located& where, std::string_view key, const std::string& what) {
  throw SchemaError(key.empty() ? where.pointer : where.pointer + "/" + escaped_token(key), what);
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

unsigned type_of(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return kNull;
    case Json::value_t::boolean:
      return kBoolean;
    case Json::value_t::number_float: {
      const double number = value.get<double>();
      return number == std::floor(number) ? kInteger : kFraction;
    }
    case Json::value_t::string:
      return kString;
    case Json::value_t::array:
      return kArray;
    case Json::value_t::object:
      return kObject;
    default:
      return kInteger;
  }
}

// What the members of a conjunction say together, but for those that give a choice.
struct Collected {
  unsigned types = kAll;
  bool is_false = false;
  std::optional<std::vector<Json>> values;  // enum, const
  json_text::NumberRange numbers;
  int64_t min_length = 0, max_length = Expr::kUnbounded, min_items = 0, max_items = Expr::kUnbounded;
  std::vector<std::string> patterns;
  Conjunction arrays, objects;                    // members with keywords of arrays, of objects
  std::vector<std::vector<Conjunction>> choices;  // of each anyOf and oneOf: its alternatives
  bool constrains_more_than_type = false;
};

class SchemaCompiler {
 public:
  explicit SchemaCompiler(const Json& schema) : root_(schema) {}

  Grammar compile() {
    grammar_.rules.push_back(grammar::nothing());
    Expr root = value({{&root_, ""}});
    grammar_.rules[0] = std::move(root);
    if (!prune(grammar_)) throw SchemaError("", "no value satisfies this schema");
    return std::move(grammar_);
  }

  Grammar compile_object() {
    grammar_.rules.push_back(grammar::nothing());
    Expr root = object({});
    grammar_.rules[0] = std::move(root);
    return std::move(grammar_);
  }

 private:
  int new_rule() {
    if (grammar_.rules.size() >= kMaxRules) throw SchemaError("", "the schema is too large");
    grammar_.rules.push_back(grammar::nothing());
    return static_cast<int>(grammar_.rules.size() - 1);
  }

  // One rule for each conjunction, however often it is met: what makes recursion end.
  Expr value(const Conjunction& all) {
    std::set<std::string> pointers;
    for (const Located& one : all) pointers.insert(one.pointer);
    const auto [known, is_new] = rule_of_.try_emplace(std::move(pointers), 0);
    if (is_new) {
      const int index = known->second = new_rule();
      Expr made = alternatives(all);
      grammar_.rules[static_cast<size_t>(index)] = std::move(made);
      return rule(index);
    }
    return rule(known->second);
  }

  const Json& resolve(const Located& where, const std::string& reference, std::string& pointer) {
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
  void flatten(const Located& where, std::set<std::string>& seen, Conjunction& out) {
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

  std::vector<Located> list_of(const Located& where, const char* key) {
    std::vector<Located> out;
    const auto list = where.schema->find(key);
    if (list == where.schema->end()) return out;
    if (!list->is_array() || list->empty()) fail(where, key, "it must be a list of schemas");
    for (size_t i = 0; i < list->size(); ++i)
      out.push_back({&list->at(i), fmt::format("{}/{}/{}", where.pointer, key, i)});
    return out;
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

  static int64_t smaller_max(int64_t a, int64_t b) { return a == Expr::kUnbounded ? b : std::min(a, b); }

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
    out.constrains_more_than_type = true;
    if (key == "enum" || key == "const") {
      if (key == "enum" && !value.is_array()) fail(where, key, "it must be a list");
      std::vector<Json> values = key == "enum" ? value.get<std::vector<Json>>() : std::vector<Json>{value};
      if (out.values)
        std::erase_if(values,
                      [&](const Json& one) { return std::ranges::find(*out.values, one) == out.values->end(); });
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
      for (const Located& one : list_of(where, key.c_str())) alternatives.push_back({one});
      out.choices.push_back(std::move(alternatives));
    } else {
      std::vector<std::string> known(std::begin(kEnforced), std::end(kEnforced));
      fail(where, key, fmt::format("the keyword '{}' is not supported{}", key, did_you_mean(key, known)));
    }
  }

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

  Collected collect(const Conjunction& all) {
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

  Expr alternatives(const Conjunction& given) {
    Conjunction all;
    std::set<std::string> seen;
    for (const Located& one : given) flatten(one, seen, all);
    Collected collected = collect(all);
    if (collected.is_false) return grammar::nothing();
    if (collected.choices.empty()) return plain_value(collected);
    check_one_of(all);
    return chosen(all, collected);
  }

  // The first choice is made; each alternative makes the others, if there are any, in its turn.
  Expr chosen(const Conjunction& all, const Collected& collected) {
    std::vector<Expr> out;
    Conjunction rest;
    for (const Located& one : all) rest.push_back(one);
    for (const Conjunction& alternative : all_choices(collected)) {
      Conjunction both = without_choices(rest);
      both.insert(both.end(), alternative.begin(), alternative.end());
      out.push_back(value(both));
    }
    return choice(std::move(out));
  }

  // A member without its anyOf and oneOf, which were chosen from.
  Conjunction without_choices(const Conjunction& all) {
    Conjunction out;
    for (const Located& one : all) {
      if (!one.schema->is_object() || (!one.schema->contains("anyOf") && !one.schema->contains("oneOf"))) {
        out.push_back(one);
        continue;
      }
      const std::string pointer = one.pointer + "/(chosen)";
      std::unique_ptr<Json>& bare = bare_[pointer];
      if (!bare) {
        bare = std::make_unique<Json>(*one.schema);
        for (const char* key : {"anyOf", "oneOf", "allOf", "$ref"}) bare->erase(key);
      }
      out.push_back({bare.get(), pointer});
    }
    return out;
  }

  std::vector<Conjunction> all_choices(const Collected& collected) {
    std::vector<Conjunction> out = {{}};
    for (const std::vector<Conjunction>& alternatives : collected.choices) {
      std::vector<Conjunction> next;
      for (const Conjunction& before : out)
        for (const Conjunction& alternative : alternatives) {
          Conjunction both = before;
          both.insert(both.end(), alternative.begin(), alternative.end());
          next.push_back(std::move(both));
        }
      if (static_cast<int>(next.size()) > kMaxAlternatives)
        fail(alternatives.front().front(), "", "too many combinations of anyOf and oneOf");
      out = std::move(next);
    }
    return out;
  }

  // oneOf is anyOf where no value satisfies two: shown by the emptiness of what both allow.
  void check_one_of(const Conjunction& all) {
    for (const Located& where : all) {
      if (!where.schema->is_object() || !where.schema->contains("oneOf")) continue;
      if (!checked_.insert(where.pointer).second) continue;
      const std::vector<Located> list = list_of(where, "oneOf");
      for (size_t i = 0; i < list.size(); ++i)
        for (size_t j = i + 1; j < list.size(); ++j) {
          SchemaCompiler both(root_);
          both.checked_ = checked_;
          both.grammar_.rules.push_back(grammar::nothing());
          Expr common = both.value({list[i], list[j]});
          both.grammar_.rules[0] = std::move(common);
          if (prune(both.grammar_))
            fail(where, "oneOf",
                 fmt::format("alternatives {} and {} are not told apart: a value may satisfy both; use anyOf", i, j));
        }
    }
  }

  Expr plain_value(const Collected& collected) {
    if (collected.values) return one_of_values(collected);
    std::vector<Expr> out;
    if (collected.types & kNull) out.push_back(text("null"));
    if (collected.types & kBoolean) out.push_back(choice({text("true"), text("false")}));
    if (collected.types & kInteger) out.push_back(json_text::number(!(collected.types & kFraction), collected.numbers));
    if (collected.types & kString) out.push_back(string(collected));
    if (collected.types & kArray) out.push_back(array(collected));
    if (collected.types & kObject) out.push_back(object(collected.objects));
    return choice(std::move(out));
  }

  // Those that what else is said allows.
  Expr one_of_values(const Collected& collected) {
    Collected others = collected;
    others.values.reset();
    std::optional<Matcher> allowed;
    const auto holds = [&](const Json& value) {
      if (!(type_of(value) & collected.types)) return false;
      if (!allowed) {
        SchemaCompiler compiler(root_);
        compiler.grammar_.rules.push_back(grammar::nothing());
        Expr expr = compiler.plain_value(others);
        compiler.grammar_.rules[0] = std::move(expr);
        if (!prune(compiler.grammar_)) return false;
        allowed.emplace(std::make_shared<Automaton>(compiler.grammar_));
      }
      return allowed->accepts(value.dump());
    };
    std::vector<Expr> out;
    for (const Json& value : *collected.values)
      if (holds(value)) out.push_back(json_text::literal(value));
    return choice(std::move(out));
  }

  Expr string(const Collected& collected) {
    if (collected.max_length != Expr::kUnbounded && collected.max_length < collected.min_length)
      return grammar::nothing();
    const bool any_length = collected.min_length == 0 && collected.max_length == Expr::kUnbounded;
    if (collected.patterns.empty()) return json_text::any_string(collected.min_length, collected.max_length);
    std::vector<Expr> parts;
    for (const std::string& pattern : collected.patterns) parts.push_back(parse_regex(pattern));
    if (!any_length)
      parts.push_back(repeat(grammar::chars(CharSet::all()), collected.min_length, collected.max_length));
    if (parts.size() == 1) return json_text::quoted(parts.front());
    const auto base = static_cast<int>(grammar_.rules.size());
    for (Expr& expr : intersection(parts)) {
      Expr spelled = json_text::escaped(expr);
      shift_rules(spelled, base);
      grammar_.rules[static_cast<size_t>(new_rule())] = std::move(spelled);
    }
    return sequence({text("\""), rule(base), text("\"")});
  }

  static void shift_rules(Expr& expr, int by) {
    if (expr.kind == Expr::Kind::kRule) expr.rule += by;
    for (Expr& part : expr.parts) shift_rules(part, by);
  }

  // A blank, or a line break with its indentation.
  Expr blank() {
    if (!blank_) {
      blank_ = new_rule();
      Expr indentation = repeat(grammar::chars({{'\t', '\t'}, {' ', ' '}}), 0, 32);
      grammar_.rules[static_cast<size_t>(*blank_)] =
          optional(choice({text(" "), sequence({text("\n"), std::move(indentation)})}));
    }
    return rule(*blank_);
  }
  Expr comma() { return sequence({text(","), blank()}); }

  // prefixItems, or what was a list in `items` before draft 2020-12.
  std::optional<Located> prefix_of(const Located& where) {
    for (const char* key : {"prefixItems", "items"}) {
      const auto found = where.schema->find(key);
      if (found == where.schema->end() || (key == std::string_view("items") && !found->is_array())) continue;
      if (!found->is_array() || found->empty()) fail(where, key, "it must be a list of schemas");
      return at(where, key);
    }
    return std::nullopt;
  }
  std::optional<Located> items_behind_prefix(const Located& where) {
    const auto items = where.schema->find("items");
    const char* key = items != where.schema->end() && items->is_array() ? "additionalItems" : "items";
    return where.schema->contains(key) ? std::optional(at(where, key)) : std::nullopt;
  }

  // What the i-th item must satisfy.
  Conjunction item(const Collected& collected, size_t i) {
    Conjunction out;
    for (const Located& where : collected.arrays) {
      const std::optional<Located> prefix = prefix_of(where);
      if (prefix && i < prefix->schema->size()) {
        out.push_back({&prefix->schema->at(i), fmt::format("{}/{}", prefix->pointer, i)});
      } else if (const std::optional<Located> items = items_behind_prefix(where)) {
        out.push_back(*items);
      }
    }
    return out;
  }

  Expr array(const Collected& collected) {
    const int64_t min = collected.min_items, max = collected.max_items;
    if (max != Expr::kUnbounded && max < min) return grammar::nothing();
    size_t prefix = 0;
    for (const Located& where : collected.arrays)
      if (const std::optional<Located> list = prefix_of(where)) prefix = std::max(prefix, list->schema->size());
    if (max != Expr::kUnbounded) prefix = std::min(prefix, static_cast<size_t>(max));
    // From the back: what may follow `done` items.
    const auto done_prefix = std::max<int64_t>(static_cast<int64_t>(prefix), 1);
    Expr tail = sequence({});
    if (max == Expr::kUnbounded || max > done_prefix) {
      Expr more = sequence({comma(), value(item(collected, static_cast<size_t>(done_prefix)))});
      tail = repeat(std::move(more), std::max<int64_t>(min - done_prefix, 0),
                    max == Expr::kUnbounded ? max : max - done_prefix);
    }
    for (int64_t i = done_prefix - 1; i > 0; --i) {
      Expr more = sequence({comma(), value(item(collected, static_cast<size_t>(i))), std::move(tail)});
      tail = i >= min ? optional(std::move(more)) : std::move(more);
    }
    Expr items = sequence({});
    if (max != 0) items = sequence({blank(), value(item(collected, 0)), std::move(tail)});
    if (min == 0 && max != 0) items = optional(std::move(items));
    return sequence({text("["), std::move(items), blank(), text("]")});
  }

  struct Property {
    std::string name;
    bool required = false;
    Conjunction schemas = {};
  };

  // What a property of that name must satisfy, by the members of the conjunction that speak of objects.
  Conjunction property(const Conjunction& members, const std::string& name) {
    Conjunction out;
    for (const Located& where : members) {
      const auto properties = where.schema->find("properties");
      if (properties != where.schema->end() && properties->contains(name)) {
        out.push_back(at(at(where, "properties"), name));
      } else if (where.schema->contains("additionalProperties")) {
        out.push_back(at(where, "additionalProperties"));
      }
    }
    return out;
  }

  std::vector<Property> properties_of(const Conjunction& members) {
    std::vector<Property> out;
    const auto find = [&](const std::string& name) -> Property& {
      const auto known = std::ranges::find(out, name, &Property::name);
      return known != out.end() ? *known : out.emplace_back(Property{.name = name});
    };
    for (const Located& where : members) {
      const auto properties = where.schema->find("properties");
      if (properties == where.schema->end()) continue;
      if (!properties->is_object()) fail(where, "properties", "it must be an object of schemas");
      for (const auto& [name, schema] : properties->items()) find(name);
    }
    for (const Located& where : members) {
      const auto required = where.schema->find("required");
      if (required == where.schema->end()) continue;
      if (!required->is_array()) fail(where, "required", "it must be a list of names");
      for (const Json& name : *required) {
        if (!name.is_string()) fail(where, "required", "it must be a list of names");
        find(name.get<std::string>()).required = true;
      }
    }
    for (Property& one : out) one.schemas = property(members, one.name);
    return out;
  }

  Expr pair(Expr key, Expr content) {
    return sequence({std::move(key), text(":"), optional(text(" ")), std::move(content)});
  }

  Expr object(const Conjunction& members) {
    const std::vector<Property> properties = properties_of(members);
    std::vector<std::string> names;
    for (const Property& one : properties) names.push_back(one.name);
    Conjunction additional;
    for (const Located& where : members)
      if (where.schema->contains("additionalProperties")) additional.push_back(at(where, "additionalProperties"));
    Expr other = pair(names.empty() ? json_text::any_string() : json_text::quoted(all_but(names)), value(additional));
    // rest[i]: what may follow when something is there and the properties before the i-th were passed. Rules, each
    // ending with the next, so that neither text nor stack grows.
    std::vector<Expr> pairs;
    for (const Property& one : properties) pairs.push_back(pair(json_text::literal(one.name), value(one.schemas)));
    std::vector<int> rest(properties.size() + 1);
    for (int& index : rest) index = new_rule();
    const auto made = [&](size_t i) -> Expr& { return grammar_.rules[static_cast<size_t>(rest[i])]; };
    Expr others = repeat(sequence({comma(), other}), 0);
    made(properties.size()) = others;
    for (size_t i = 0; i < properties.size(); ++i) {
      Expr more = sequence({comma(), pairs[i]});
      if (!properties[i].required) more = optional(std::move(more));
      made(i) = sequence({std::move(more), rule(rest[i + 1])});
    }
    std::vector<Expr> firsts;
    bool may_be_empty = true;
    for (size_t i = 0; i < properties.size() && may_be_empty; ++i) {
      firsts.push_back(sequence({pairs[i], rule(rest[i + 1])}));
      may_be_empty = !properties[i].required;
    }
    if (may_be_empty) firsts.push_back(sequence({std::move(other), rule(rest.back())}));
    Expr content = sequence({blank(), choice(std::move(firsts))});
    if (may_be_empty) content = optional(std::move(content));
    return sequence({text("{"), std::move(content), blank(), text("}")});
  }

  const Json& root_;
  Grammar grammar_;
  std::map<std::set<std::string>, int> rule_of_;
  std::map<std::string, std::unique_ptr<Json>> bare_;
  std::set<std::string> checked_;
  std::optional<int> blank_;
};

}  // namespace

SchemaError::SchemaError(std::string at, const std::string& what)
    : Error(ErrorCode::kInvalidArgument, fmt::format("the schema at '{}': {}", at.empty() ? "/" : at, what)),
      pointer(std::move(at)) {}

Grammar json_schema_grammar(const Json& schema) { return SchemaCompiler(schema).compile(); }

Grammar json_object_grammar() {
  const Json anything = true;
  return SchemaCompiler(anything).compile_object();
}

std::span<const std::string_view> schema_keywords() { return kEnforced; }

}  // namespace hearth
