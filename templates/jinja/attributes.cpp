// How a template reaches into a value: elements, slices and attributes, in the reference sandbox's order of precedence.
#include <algorithm>
#include <limits>

#include "templates/jinja/builtins.h"
#include "templates/jinja/format.h"
#include "templates/jinja/operators.h"
#include "templates/jinja/unicode.h"

namespace hearth::jinja {
namespace {

// "'dict object' has no attribute 'x'", as the reference's Undefined says.
Value no_element(RenderState& state, const Value& object, const Value& key) {
  const std::string owner = object.is(Kind::kNone) ? "None" : fmt::format("{} object", type_name(object));
  if (key.is(Kind::kString)) return Value::undefined(fmt::format("'{}' has no attribute '{}'", owner, key.bytes()));
  return Value::undefined(fmt::format("{} has no element {}", owner, repr(state, key)));
}

Value unsafe(const Value& object, std::string_view name) {
  return Value::undefined(fmt::format("access to attribute '{}' of '{}' object is unsafe.", name, type_name(object)));
}

std::optional<size_t> element_index(const Value& key, size_t size) {
  Int i = key.integer();
  if (i < 0) i += static_cast<Int>(size);
  if (i < 0 || i >= static_cast<Int>(size)) return std::nullopt;
  return static_cast<size_t>(i);
}

std::optional<Value> element(RenderState& state, const Value& object, const Value& key) {
  switch (object.kind()) {
    case Kind::kDict: {
      if (key.is(Kind::kDict) || (key.is(Kind::kList) && key.list().type == List::Type::kList)) return std::nullopt;
      const Value* found = find_key(state, object.dict(), key);
      return found ? std::optional(*found) : std::nullopt;
    }
    case Kind::kList: {
      if (!key.is_integral()) return std::nullopt;
      const auto i = element_index(key, object.list().items.size());
      return i ? std::optional(object.list().items[*i]) : std::nullopt;
    }
    case Kind::kRange: {
      if (!key.is_integral()) return std::nullopt;
      const auto i = element_index(key, object.range().size());
      return i ? std::optional<Value>(object.range().at(*i)) : std::nullopt;
    }
    case Kind::kString: {
      if (!key.is_integral()) return std::nullopt;
      state.scan(object.bytes().size());
      const auto i = element_index(key, count_code_points(object.bytes()));
      if (!i) return std::nullopt;
      const size_t begin = byte_offset(object.bytes(), *i);
      return substring(state, object, begin, begin + decode(object.bytes(), begin).length);
    }
    default:
      return std::nullopt;
  }
}

struct Bounds {
  int64_t start, count, step;
};

// PySlice_AdjustIndices.
Bounds slice_bounds(const Value& start, const Value& stop, const Value& step, size_t size) {
  const auto n = static_cast<int64_t>(size);
  const auto bound = [](const Value& value, int64_t otherwise) {
    if (value.is(Kind::kNone)) return otherwise;
    if (value.is(Kind::kUndefined) || !value.is_integral()) {
      throw fault("slice indices must be integers or None or have an __index__ method");
    }
    const Int limit = std::numeric_limits<int64_t>::max() / 4;
    return static_cast<int64_t>(std::clamp(value.integer(), -limit, limit));
  };
  const int64_t stride = bound(step, 1);
  if (stride == 0) throw fault("slice step cannot be zero");
  const int64_t low = stride < 0 ? -1 : 0, high = stride < 0 ? n - 1 : n;
  const auto adjust = [&](int64_t i) { return i < 0 ? std::max(i + n, low) : std::min(i, high); };
  const int64_t from = start.is(Kind::kNone) ? (stride < 0 ? high : low) : adjust(bound(start, 0));
  const int64_t to = stop.is(Kind::kNone) ? (stride < 0 ? low : high) : adjust(bound(stop, 0));
  const int64_t distance = stride < 0 ? from - to : to - from;
  const int64_t width = stride < 0 ? -stride : stride;
  return {from, distance > 0 ? (distance - 1) / width + 1 : 0, stride};
}

Value slice_string(RenderState& state, const Value& string, const Bounds& b, size_t size) {
  const std::string& bytes = string.bytes();
  const bool ascii = size == bytes.size();
  if (b.count == 0) return Value::text("");
  if (b.step == 1) {
    const size_t begin = ascii ? static_cast<size_t>(b.start) : byte_offset(bytes, static_cast<size_t>(b.start));
    const auto count = static_cast<size_t>(b.count);
    return substring(state, string, begin, begin + byte_offset(std::string_view(bytes).substr(begin), count));
  }
  std::vector<size_t> offsets;  // of every character, and the end
  for (size_t i = 0; i < bytes.size(); i += decode(bytes, i).length) offsets.push_back(i);
  offsets.push_back(bytes.size());
  StringBuilder out(state);
  for (int64_t k = 0, i = b.start; k < b.count; ++k, i += b.step) {
    out.append(string.string(), offsets[static_cast<size_t>(i)], offsets[static_cast<size_t>(i) + 1]);
  }
  return out.value();
}

}  // namespace

Value subscript(RenderState& state, const Value& object, const Value& key) {
  if (object.is(Kind::kUndefined)) throw Fault(object.undefined_cause());
  if (std::optional<Value> found = element(state, object, key)) return *std::move(found);
  if (key.is(Kind::kString)) {
    if (std::optional<Value> own = own_attribute(state, object, key.bytes())) return *std::move(own);
  }
  return no_element(state, object, key);
}

Value attribute(RenderState& state, const Value& object, std::string_view name) {
  if (object.is(Kind::kUndefined)) throw Fault(object.undefined_cause());
  if (std::optional<Value> own = own_attribute(state, object, name)) return *std::move(own);
  if (object.is(Kind::kDict)) {
    if (object.dict().index.empty()) state.step(object.dict().entries.size() / 4);
    if (const Value* found = object.dict().find(name)) return *found;
  }
  return no_element(state, object, Value::text(name));
}

std::optional<Value> own_attribute(RenderState& state, const Value& object, std::string_view name) {
  if (object.is(Kind::kObject)) {
    if (std::optional<Value> own = object.object()->attribute(state, name)) return own;
  }
  if (name.substr(0, 2) == "__" && name.size() > 4 && name.substr(name.size() - 2) == "__") {
    const bool key = object.is(Kind::kDict) && object.dict().find(name);
    return key ? std::nullopt : std::optional(unsafe(object, name));
  }
  if (const Builtin* method = find_method(object, name)) return state.make<Function>(*method, object);
  if (is_mutating_method(object, name)) return unsafe(object, name);
  if (object.is(Kind::kList) && object.list().type == List::Type::kGroup) {
    if (name == "grouper") return object.list().items[0];
    if (name == "list") return object.list().items[1];
  }
  if (object.is(Kind::kRange)) {
    if (name == "start") return Value(Int{object.range().start});
    if (name == "stop") return Value(Int{object.range().stop});
    if (name == "step") return Value(Int{object.range().step});
  }
  return std::nullopt;
}

Value slice(RenderState& state, const Value& object, const Value& start, const Value& stop, const Value& step) {
  switch (object.kind()) {
    case Kind::kUndefined:
      throw Fault(object.undefined_cause());
    case Kind::kString: {
      state.scan(object.bytes().size());
      const size_t size = count_code_points(object.bytes());
      return slice_string(state, object, slice_bounds(start, stop, step, size), size);
    }
    case Kind::kList: {
      const Bounds b = slice_bounds(start, stop, step, object.list().items.size());
      std::vector<Value> items;
      for (int64_t k = 0, i = b.start; k < b.count; ++k, i += b.step) {
        items.push_back(object.list().items[static_cast<size_t>(i)]);
      }
      const bool tuple = object.list().type != List::Type::kList;
      return state.list(std::move(items), tuple ? List::Type::kTuple : List::Type::kList);
    }
    case Kind::kRange: {
      const Range& range = object.range();
      const Bounds b = slice_bounds(start, stop, step, range.size());
      const Int first = Int{range.start} + Int{range.step} * b.start, stride = Int{range.step} * b.step;
      const auto end = static_cast<int64_t>(first + stride * b.count);
      return std::make_shared<const Range>(Range{static_cast<int64_t>(first), end, static_cast<int64_t>(stride)});
    }
    case Kind::kDict:
      throw fault("unhashable type: 'slice'");
    default:
      throw fault("'{}' object is not subscriptable", type_name(object));
  }
}

std::optional<Value> Namespace::attribute(RenderState& state, std::string_view name) {
  state.step(attributes.size() / 8);
  for (const auto& [key, value] : attributes) {
    if (key == name) return value;
  }
  return std::nullopt;
}

void Namespace::set(RenderState& state, std::string_view name, Value value) {
  if (name.substr(0, 1) == "_") {
    throw fault(
        "Chat templates cannot store underscore-prefixed attributes on a namespace, but got '{}'. Please rename "
        "the attribute.",
        name);
  }
  state.step(attributes.size() / 8);
  for (auto& [key, old] : attributes) {
    if (key == name) {
      old = std::move(value);
      return;
    }
  }
  state.allocate(sizeof(Value) + name.size() + 32);
  attributes.emplace_back(name, std::move(value));
}

std::optional<Value> Cycler::attribute(RenderState& state, std::string_view name) {
  static const BuiltinTable kMethods{
      {"next", "",
       [](RenderState&, const Value& self, const Parameters&) {
         auto* cycler = self.object_as<Cycler>();
         const size_t i = std::exchange(cycler->position, (cycler->position + 1) % cycler->items.size());
         return cycler->items[i];
       }},
      {"reset", "",
       [](RenderState&, const Value& self, const Parameters&) {
         self.object_as<Cycler>()->position = 0;
         return Value(None{});
       }},
  };
  if (name == "current") return items[position];
  if (const Builtin* method = kMethods.find(name)) return state.make<Function>(*method, Value(this));
  return std::nullopt;
}

}  // namespace hearth::jinja
