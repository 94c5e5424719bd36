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

#include "runtime/grammar/json_text.h"
#include "runtime/grammar/matcher.h"
#include "runtime/grammar/regex.h"
#include "runtime/grammar/regular.h"
#include "runtime/grammar/schema_reader.h"

namespace hearth {
namespace {

using namespace json_schema;
using Json = nlohmann::ordered_json;
using grammar::choice;
using grammar::optional;
using grammar::repeat;
using grammar::rule;
using grammar::sequence;
using grammar::text;

constexpr int kMaxAlternatives = 500;
constexpr size_t kMaxRules = 50'000, kMaxProperties = 1000, kMaxNameBytes = 500, kMaxOneOf = 50;
constexpr int64_t kMaxVisits = 200'000;  // of schemas, in all that is tried

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

class SchemaCompiler {
 public:
  explicit SchemaCompiler(const Json& schema) : SchemaCompiler(schema, std::make_shared<int64_t>(0)) {}

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
  // `visits`: so many schemas were visited before.
  SchemaCompiler(const Json& schema, std::shared_ptr<int64_t> visits)
      : root_(schema), reader_(schema), visits_(std::move(visits)) {}

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

  Expr alternatives(const Conjunction& given) {
    const Conjunction all = reader_.flatten(given);
    if ((*visits_ += static_cast<int64_t>(all.size())) > kMaxVisits)
      throw SchemaError(given.empty() ? "" : given.front().pointer, "the schema combines too many others");
    const Collected collected = SchemaReader::collect(all);
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
      const std::vector<Located> list = SchemaReader::list_of(where, "oneOf");
      if (list.size() > kMaxOneOf) fail(where, "oneOf", fmt::format("more than {} alternatives; use anyOf", kMaxOneOf));
      for (size_t i = 0; i < list.size(); ++i)
        for (size_t j = i + 1; j < list.size(); ++j) {
          SchemaCompiler both(root_, visits_);
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
        SchemaCompiler compiler(root_, visits_);
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
      if (properties->size() > kMaxProperties)
        fail(where, "properties", fmt::format("more than {} properties", kMaxProperties));
      for (const auto& [name, schema] : properties->items()) find(name);
    }
    for (const Located& where : members) {
      const auto required = where.schema->find("required");
      if (required == where.schema->end()) continue;
      if (!required->is_array() || required->size() > kMaxProperties)
        fail(where, "required", fmt::format("it must be a list of at most {} names", kMaxProperties));
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
    for (const Property& one : properties)
      if (one.name.size() > kMaxNameBytes)
        fail(members.front(), "properties", fmt::format("a name of more than {} bytes", kMaxNameBytes));
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
  const SchemaReader reader_;
  const std::shared_ptr<int64_t> visits_;
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

}  // namespace hearth
