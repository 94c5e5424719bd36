// Python's operators on template values, with Python's results and Python's error texts.
#pragma once

#include <optional>
#include <string_view>

#include "templates/jinja/render_state.h"
#include "templates/jinja/value.h"

namespace hearth::jinja {

enum class Arithmetic { kAdd, kSubtract, kMultiply, kDivide, kFloorDivide, kModulo, kPower };
enum class Comparison { kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual, kIn, kNotIn };

bool truthy(const Value& value);
bool equals(RenderState& state, const Value& a, const Value& b);
bool compare(RenderState& state, Comparison op, const Value& a, const Value& b);
bool contains(RenderState& state, const Value& container, const Value& item);

Value arithmetic(RenderState& state, Arithmetic op, const Value& a, const Value& b);
Value negate(const Value& value);
Value plus(const Value& value);

// len(); nullopt for what has none.
std::optional<size_t> length_of(const Value& value);
bool is_iterable(const Value& value);
// Everything that iterating over the value yields; consumes a generator. Throws for what cannot be iterated.
ListRef iterate(RenderState& state, const Value& value);

// object[key], and object.key for a name that is no attribute: undefined when there is no such element.
Value subscript(RenderState& state, const Value& object, const Value& key);
// object[start:stop:step]; absent bounds are none.
Value slice(RenderState& state, const Value& object, const Value& start, const Value& stop, const Value& step);
// object.name: a method or attribute first, then an element. Undefined when there is neither.
Value attribute(RenderState& state, const Value& object, std::string_view name);
// Only methods and attributes; nullopt when there is none.
std::optional<Value> own_attribute(RenderState& state, const Value& object, std::string_view name);

// Throws for unhashable keys.
const Value* find_key(RenderState& state, const Dict& dict, const Value& key);

// Collects the entries of a dict; a later entry of the same key replaces the value.
class DictBuilder {
 public:
  explicit DictBuilder(RenderState& state) : state_(state) {}
  // Whether the key is new.
  bool set(const Value& key, Value value);
  Value build() { return state_.dict(std::move(entries_)); }

 private:
  RenderState& state_;
  std::vector<Dict::Entry> entries_;
  std::unordered_map<std::string, size_t> index_;  // of string keys
};

// An index or count argument; throws when it is no integer or does not fit.
int64_t to_index(const Value& value, std::string_view what);

}  // namespace hearth::jinja
