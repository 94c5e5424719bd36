#include "templates/jinja/operators.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "templates/jinja/unicode.h"

namespace hearth::jinja {
namespace {

std::string_view symbol(Comparison op) {
  switch (op) {
    case Comparison::kEqual:
      return "==";
    case Comparison::kNotEqual:
      return "!=";
    case Comparison::kLess:
      return "<";
    case Comparison::kLessEqual:
      return "<=";
    case Comparison::kGreater:
      return ">";
    case Comparison::kGreaterEqual:
      return ">=";
    case Comparison::kIn:
      return "in";
    case Comparison::kNotIn:
      return "not in";
  }
  return "";
}

template <class T>
bool ordered(Comparison op, const T& a, const T& b) {
  switch (op) {
    case Comparison::kLess:
      return a < b;
    case Comparison::kLessEqual:
      return a <= b;
    case Comparison::kGreater:
      return a > b;
    default:
      return a >= b;
  }
}

bool compare_numbers(Comparison op, const Value& a, const Value& b) {
  if (a.is_integral() && b.is_integral()) return ordered(op, a.integer(), b.integer());
  const auto wide = [](const Value& v) {
    return v.is(Kind::kFloat) ? static_cast<long double>(v.floating()) : static_cast<long double>(v.integer());
  };
  return ordered(op, wide(a), wide(b));
}

bool equal_dicts(RenderState& state, const Dict& a, const Dict& b) {
  if (a.entries.size() != b.entries.size()) return false;
  return std::all_of(a.entries.begin(), a.entries.end(), [&](const Dict::Entry& entry) {
    const Value* other = find_key(state, b, entry.first);
    return other && equals(state, entry.second, *other);
  });
}

bool equal_lists(RenderState& state, const List& a, const List& b) {
  if ((a.type == List::Type::kList) != (b.type == List::Type::kList) || a.items.size() != b.items.size()) return false;
  for (size_t i = 0; i < a.items.size(); ++i) {
    if (!equals(state, a.items[i], b.items[i])) return false;
  }
  return true;
}

bool compare_lists(RenderState& state, Comparison op, const List& a, const List& b) {
  const size_t common = std::min(a.items.size(), b.items.size());
  for (size_t i = 0; i < common; ++i) {
    if (!equals(state, a.items[i], b.items[i])) return compare(state, op, a.items[i], b.items[i]);
  }
  return ordered(op, a.items.size(), b.items.size());
}

}  // namespace

bool truthy(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
      return value.boolean();
    case Kind::kInt:
      return value.integer() != 0;
    case Kind::kFloat:
      return value.floating() != 0;
    case Kind::kObject:
      return true;
    default:
      return *length_of(value) != 0;
  }
}

bool equals(RenderState& state, const Value& a, const Value& b) {
  state.step();
  if (a.is_number() && b.is_number()) {
    if (a.is_integral() && b.is_integral()) return a.integer() == b.integer();
    return compare_numbers(Comparison::kLessEqual, a, b) && compare_numbers(Comparison::kGreaterEqual, a, b);
  }
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return true;
    case Kind::kString:
      state.scan(a.bytes().size());
      return a.bytes() == b.bytes();
    case Kind::kList:
      return &a.list() == &b.list() || equal_lists(state, a.list(), b.list());
    case Kind::kDict:
      return &a.dict() == &b.dict() || equal_dicts(state, a.dict(), b.dict());
    case Kind::kRange: {
      const Range &x = a.range(), &y = b.range();
      const size_t n = x.size();
      return n == y.size() && (n == 0 || (x.start == y.start && (n == 1 || x.step == y.step)));
    }
    default:
      return a.same(b);
  }
}

bool compare(RenderState& state, Comparison op, const Value& a, const Value& b) {
  switch (op) {
    case Comparison::kEqual:
      return equals(state, a, b);
    case Comparison::kNotEqual:
      return !equals(state, a, b);
    case Comparison::kIn:
      return contains(state, b, a);
    case Comparison::kNotIn:
      return !contains(state, b, a);
    default:
      break;
  }
  state.step();
  if (a.is(Kind::kUndefined)) throw Fault(a.undefined_cause());
  if (b.is(Kind::kUndefined)) throw Fault(b.undefined_cause());
  if (a.is_number() && b.is_number()) return compare_numbers(op, a, b);
  if (a.is(Kind::kString) && b.is(Kind::kString)) {
    state.scan(std::min(a.bytes().size(), b.bytes().size()));
    return ordered(op, a.bytes(), b.bytes());  // the order of UTF-8 bytes is the order of code points
  }
  if (a.is(Kind::kList) && b.is(Kind::kList) &&
      (a.list().type == List::Type::kList) == (b.list().type == List::Type::kList)) {
    return compare_lists(state, op, a.list(), b.list());
  }
  throw fault("'{}' not supported between instances of '{}' and '{}'", symbol(op), type_name(a), type_name(b));
}

bool contains(RenderState& state, const Value& container, const Value& item) {
  switch (container.kind()) {
    case Kind::kUndefined:
      return false;
    case Kind::kString:
      if (!item.is(Kind::kString)) {
        throw fault("'in <string>' requires string as left operand, not {}", type_name(item));
      }
      state.scan(container.bytes().size() + item.bytes().size());
      return find_text(container.bytes(), item.bytes()) != std::string_view::npos;
    case Kind::kDict:
      return find_key(state, container.dict(), item) != nullptr;
    case Kind::kView:
      if (container.view().type == DictView::Type::kKeys) {
        return find_key(state, *container.view().dict, item) != nullptr;
      }
      break;
    default:
      break;
  }
  if (auto* generator = container.object_as<Generator>()) {  // consumes up to the item
    while (generator->next < generator->items->items.size()) {
      if (equals(state, generator->items->items[generator->next++], item)) return true;
    }
    return false;
  }
  if (!is_iterable(container)) throw fault("argument of type '{}' is not iterable", type_name(container));
  const ListRef items = iterate(state, container);
  return std::any_of(items->items.begin(), items->items.end(),
                     [&](const Value& element) { return equals(state, element, item); });
}

std::optional<size_t> length_of(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return 0;
    case Kind::kString:
      return count_code_points(value.bytes());
    case Kind::kList:
      return value.list().items.size();
    case Kind::kDict:
      return value.dict().entries.size();
    case Kind::kView:
      return value.view().dict->entries.size();
    case Kind::kRange:
      return value.range().size();
    default:
      return std::nullopt;
  }
}

bool is_iterable(const Value& value) { return length_of(value).has_value() || value.object_as<Generator>() != nullptr; }

ListRef iterate(RenderState& state, const Value& value) {
  if (value.is(Kind::kList)) return value.list_ref();
  if (auto* generator = value.object_as<Generator>()) {
    const size_t from = std::exchange(generator->next, generator->items->items.size());
    if (from == 0) return generator->items;
    const auto& items = generator->items->items;
    return state.list({items.begin() + static_cast<ptrdiff_t>(from), items.end()}).list_ref();
  }
  std::vector<Value> items;
  switch (value.kind()) {
    case Kind::kUndefined:
      break;
    case Kind::kString:
      for (size_t i = 0; i < value.bytes().size();) {
        const size_t end = i + decode(value.bytes(), i).length;
        items.push_back(substring(state, value, i, end));
        state.allocate(sizeof(String));
        i = end;
      }
      break;
    case Kind::kDict:
      for (const Dict::Entry& entry : value.dict().entries) items.push_back(entry.first);
      break;
    case Kind::kView:
      for (const Dict::Entry& entry : value.view().dict->entries) {
        switch (value.view().type) {
          case DictView::Type::kKeys:
            items.push_back(entry.first);
            break;
          case DictView::Type::kValues:
            items.push_back(entry.second);
            break;
          case DictView::Type::kItems:
            items.push_back(state.tuple({entry.first, entry.second}));
            break;
        }
      }
      break;
    case Kind::kRange:
      for (size_t i = 0, n = value.range().size(); i < n; ++i) items.emplace_back(value.range().at(i));
      break;
    default:
      throw fault("'{}' object is not iterable", type_name(value));
  }
  return state.list(std::move(items)).list_ref();
}

const Value* find_key(RenderState& state, const Dict& dict, const Value& key) {
  if (key.is(Kind::kString)) {
    if (dict.index.empty()) state.step(dict.entries.size() / 4);
    return dict.find(key.bytes());
  }
  if (key.is(Kind::kDict) || (key.is(Kind::kList) && key.list().type == List::Type::kList)) {
    throw fault("unhashable type: '{}'", type_name(key));
  }
  for (const Dict::Entry& entry : dict.entries) {
    if (equals(state, entry.first, key)) return &entry.second;
  }
  return nullptr;
}

bool DictBuilder::set(const Value& key, Value value) {
  if (key.is(Kind::kString)) {
    const auto [it, added] = index_.emplace(key.bytes(), entries_.size());
    if (!added) {
      entries_[it->second].second = std::move(value);
      return false;
    }
  } else {
    if (key.is(Kind::kDict) || (key.is(Kind::kList) && key.list().type == List::Type::kList)) {
      throw fault("unhashable type: '{}'", type_name(key));
    }
    for (Dict::Entry& entry : entries_) {
      if (equals(state_, entry.first, key)) {
        entry.second = std::move(value);
        return false;
      }
    }
  }
  state_.step();
  entries_.emplace_back(key, std::move(value));
  return true;
}

int64_t to_index(const Value& value, std::string_view what) {
  if (value.is(Kind::kUndefined)) throw Fault(value.undefined_cause());
  if (!value.is_integral()) throw fault("{} must be an integer, not {}", what, type_name(value));
  const Int n = value.integer();
  if (n > std::numeric_limits<int64_t>::max() || n < std::numeric_limits<int64_t>::min()) {
    throw fault("{} does not fit in 64 bits", what);
  }
  return static_cast<int64_t>(n);
}

}  // namespace hearth::jinja
