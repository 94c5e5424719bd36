// Filters on collections.
#include <algorithm>
#include <numeric>

#include "templates/jinja/builtins.h"
#include "templates/jinja/format.h"
#include "templates/jinja/operators.h"
#include "templates/jinja/unicode.h"

namespace hearth::jinja {
namespace {

using S = RenderState;
using V = Value;
using P = Parameters;

Value ignore_case(S& s, const Value& value) {
  return value.is(Kind::kString) ? change_case(s, value, CaseChange::kLower) : value;
}

// What attribute="a.0.b" names in each item.
class AttributePath {
 public:
  explicit AttributePath(const Value* attribute) {
    if (!attribute || attribute->is(Kind::kNone)) return;
    if (!attribute->is(Kind::kString)) {
      parts_.push_back(*attribute);
      return;
    }
    add(attribute->bytes());
  }
  explicit AttributePath(std::string_view path) { add(path); }

  Value operator()(S& s, Value item, const Value* otherwise = nullptr) const {
    for (const Value& part : parts_) {
      item = subscript(s, item, part);
      if (otherwise && !otherwise->is(Kind::kNone) && item.is(Kind::kUndefined)) item = *otherwise;
    }
    return item;
  }

 private:
  void add(std::string_view path) {
    for (size_t begin = 0; begin <= path.size();) {
      const size_t end = std::min(path.find('.', begin), path.size());
      const std::string_view part = path.substr(begin, end - begin);
      const bool number =
          !part.empty() && part.size() < 10 && part.find_first_not_of("0123456789") == std::string_view::npos;
      parts_.push_back(number ? Value(std::stoi(std::string(part))) : Value::text(part));
      begin = end + 1;
    }
  }
  std::vector<Value> parts_;
};

// Indices of keys in ascending order, equal ones as they stood; descending likewise when reversed.
std::vector<size_t> order(S& s, const std::vector<Value>& keys, bool reverse) {
  std::vector<size_t> indices(keys.size());
  std::iota(indices.begin(), indices.end(), size_t{0});
  std::stable_sort(indices.begin(), indices.end(), [&](size_t a, size_t b) {
    return reverse ? compare(s, Comparison::kLess, keys[b], keys[a]) : compare(s, Comparison::kLess, keys[a], keys[b]);
  });
  return indices;
}

Value sort(S& s, const V& self, const P& p) {
  const bool reverse = p.truth(0, false), case_sensitive = p.truth(1, false);
  std::vector<AttributePath> paths;
  if (p.get(2) && p[2].is(Kind::kString)) {
    const std::string_view names = p[2].bytes();
    for (size_t begin = 0; begin <= names.size();) {
      const size_t end = std::min(names.find(',', begin), names.size());
      paths.emplace_back(names.substr(begin, end - begin));
      begin = end + 1;
    }
  } else {
    paths.emplace_back(p.get(2));
  }
  const ListRef list = iterate(s, self);
  std::vector<Value> keys;
  for (const Value& item : list->items) {
    std::vector<Value> key;
    for (const AttributePath& path : paths) {
      const Value part = path(s, item);
      key.push_back(case_sensitive ? part : ignore_case(s, part));
    }
    keys.push_back(s.list(std::move(key)));
  }
  std::vector<Value> sorted;
  for (const size_t i : order(s, keys, reverse)) sorted.push_back(list->items[i]);
  return s.list(std::move(sorted));
}

Value dict_sort(S& s, const V& self, const P& p) {
  const bool case_sensitive = p.truth(0, false), reverse = p.truth(2, false);
  const std::string by = p.get(1) && p[1].is(Kind::kString) ? p[1].bytes() : "key";
  if (by != "key" && by != "value") throw fault("You can only sort by either \"key\" or \"value\"");
  if (self.is(Kind::kUndefined)) throw Fault(self.undefined_cause());
  if (!self.is(Kind::kDict)) throw fault("'{}' object has no attribute 'items'", type_name(self));
  std::vector<Value> keys;
  for (const auto& [key, value] : self.dict().entries) {
    const Value& chosen = by == "key" ? key : value;
    keys.push_back(case_sensitive ? chosen : ignore_case(s, chosen));
  }
  std::vector<Value> sorted;
  for (const size_t i : order(s, keys, reverse)) {
    const auto& [key, value] = self.dict().entries[i];
    sorted.push_back(s.tuple({key, value}));
  }
  return s.list(std::move(sorted));
}

Value unique(S& s, const V& self, const P& p) {
  const bool case_sensitive = p.truth(0, false);
  const AttributePath path(p.get(1));
  DictBuilder seen(s);
  std::vector<Value> kept;
  const ListRef list = iterate(s, self);
  for (const Value& item : list->items) {
    const Value part = path(s, item);
    if (seen.set(case_sensitive ? part : ignore_case(s, part), None{})) kept.push_back(item);
  }
  return s.generator(std::move(kept));
}

Value extreme(S& s, const V& self, const P& p, Comparison better) {
  const bool case_sensitive = p.truth(0, false);
  const AttributePath path(p.get(1));
  const ListRef list = iterate(s, self);
  if (list->items.empty()) return V::undefined("No aggregated item, sequence was empty.");
  size_t best = 0;
  Value best_key;
  for (size_t i = 0; i < list->items.size(); ++i) {
    const Value part = path(s, list->items[i]);
    const Value key = case_sensitive ? part : ignore_case(s, part);
    if (i > 0 && !compare(s, better, key, best_key)) continue;
    best = i;
    best_key = key;
  }
  return list->items[best];
}

Value group_by(S& s, const V& self, const P& p) {
  const AttributePath path(&p[0]);
  const bool case_sensitive = p.truth(2, false);
  const ListRef list = iterate(s, self);
  std::vector<Value> keys;
  for (const Value& item : list->items) {
    const Value part = path(s, item, p.get(1));
    keys.push_back(case_sensitive ? part : ignore_case(s, part));
  }
  const std::vector<size_t> sorted = order(s, keys, false);
  std::vector<Value> groups;
  for (size_t i = 0; i < sorted.size();) {
    std::vector<Value> members;
    const size_t first = sorted[i];
    while (i < sorted.size() && equals(s, keys[sorted[i]], keys[first])) members.push_back(list->items[sorted[i++]]);
    groups.push_back(s.list({path(s, list->items[first], p.get(1)), s.list(std::move(members))}, List::Type::kGroup));
  }
  return s.list(std::move(groups));
}

Value join(S& s, const V& self, const P& p) {
  const Value separator = p.get(0) ? to_str(s, p[0]) : V::text("");
  const AttributePath path(p.get(1));
  StringBuilder out(s);
  const ListRef list = iterate(s, self);
  for (size_t i = 0; i < list->items.size(); ++i) {
    if (i > 0) out.append(separator.string());
    append_str(out, path(s, list->items[i]));
  }
  return out.value();
}

Value length(S&, const V& self, const P&) {
  const auto n = length_of(self);
  if (!n) throw fault("object of type '{}' has no len()", type_name(self));
  return *n;
}

Value first(S& s, const V& self, const P&) {
  if (auto* generator = self.object_as<Generator>()) {
    if (generator->next < generator->items->items.size()) return generator->items->items[generator->next++];
    return V::undefined("No first item, sequence was empty.");
  }
  const ListRef list = iterate(s, self);
  return list->items.empty() ? V::undefined("No first item, sequence was empty.") : list->items.front();
}

Value last(S& s, const V& self, const P&) {
  if (self.object_as<Generator>()) throw fault("'{}' object is not reversible", type_name(self));
  const ListRef list = iterate(s, self);
  return list->items.empty() ? V::undefined("No last item, sequence was empty.") : list->items.back();
}

Value reverse(S& s, const V& self, const P&) {
  const ListRef list = iterate(s, self);
  std::vector<Value> items(list->items.rbegin(), list->items.rend());
  if (self.is(Kind::kString)) {
    StringBuilder out(s);
    for (const Value& item : items) out.append(item.string());
    return out.value();
  }
  if (self.object_as<Generator>()) return s.list(std::move(items));
  return s.generator(std::move(items), self.is(Kind::kList) ? "list_reverseiterator" : "reversed");
}

Value items(S& s, const V& self, const P&) {
  if (self.is(Kind::kUndefined)) return s.generator({});
  if (!self.is(Kind::kDict)) throw fault("Can only get item pairs from a mapping.");
  std::vector<Value> pairs;
  for (const auto& [key, value] : self.dict().entries) pairs.push_back(s.tuple({key, value}));
  return s.generator(std::move(pairs));
}

Value sum(S& s, const V& self, const P& p) {
  const AttributePath path(p.get(0));
  Value total = p.get(1) ? p[1] : V(0);
  if (total.is(Kind::kString)) throw fault("sum() can't sum strings [use ''.join(seq) instead]");
  const ListRef all_items = iterate(s, self);
  for (const Value& item : all_items->items) total = arithmetic(s, Arithmetic::kAdd, total, path(s, item));
  return total;
}

Value batch(S& s, const V& self, const P& p) {
  const int64_t size = p.integer(0, 1);
  const ListRef list = iterate(s, self);
  std::vector<Value> batches, current;
  for (const Value& item : list->items) {
    if (static_cast<int64_t>(current.size()) == size) batches.push_back(s.list(std::exchange(current, {})));
    current.push_back(item);
  }
  if (!current.empty()) {
    const bool fill = p.get(1) && !p[1].is(Kind::kNone);
    if (fill && size > static_cast<int64_t>(s.bytes_left() / sizeof(Value)))
      throw fault("batch(): {} is too many", size);
    while (fill && static_cast<int64_t>(current.size()) < size) current.push_back(p[1]);
    batches.push_back(s.list(std::move(current)));
  }
  return s.generator(std::move(batches));
}

Value slices(S& s, const V& self, const P& p) {
  const int64_t count = p.integer(0, 1);
  if (count == 0) throw fault("integer division or modulo by zero");
  if (count > static_cast<int64_t>(s.limits().range_size)) throw fault("slice(): {} is too many", count);
  const ListRef list = iterate(s, self);
  const auto size = static_cast<int64_t>(list->items.size());
  std::vector<Value> out;
  int64_t begin = 0;
  for (int64_t i = 0; i < count; ++i) {
    const bool extra = i < size % count;
    const int64_t end = begin + size / count + (extra ? 1 : 0);
    std::vector<Value> items(list->items.begin() + begin, list->items.begin() + end);
    if (p.get(1) && !p[1].is(Kind::kNone) && !extra) items.push_back(p[1]);
    out.push_back(s.list(std::move(items)));
    begin = end;
  }
  return s.generator(std::move(out));
}

// The rest of the arguments, from `skip` on, for the filter or test that the first of them names.
Arguments rest_of(const Arguments& all, size_t skip) {
  Arguments rest;
  rest.positional.assign(all.positional.begin() + static_cast<ptrdiff_t>(skip), all.positional.end());
  rest.keyword = all.keyword;
  return rest;
}

const Value* keyword(const Arguments& arguments, std::string_view name) {
  for (const auto& [key, value] : arguments.keyword) {
    if (key == name) return &value;
  }
  return nullptr;
}

Value map(S& s, const V& self, const P& p) {
  const Arguments& all = p.all();
  std::vector<Value> out;
  if (!truthy(self)) return s.generator({});
  const ListRef list = iterate(s, self);
  const Value* attribute = keyword(all, "attribute");
  if (all.positional.empty() && attribute) {
    const AttributePath path(attribute);
    for (const Value& item : list->items) out.push_back(path(s, item, keyword(all, "default")));
    return s.generator(std::move(out));
  }
  if (all.positional.empty()) throw fault("map requires a filter argument");
  const Value& name = all.positional[0];
  const Builtin* filter = name.is(Kind::kString) ? find_filter(name.bytes()) : nullptr;
  if (!filter) throw fault("No filter named {}.", repr(s, name));
  const Arguments rest = rest_of(all, 1);
  for (const Value& item : list->items) out.push_back(invoke(s, *filter, item, rest));
  return s.generator(std::move(out));
}

Value choose(S& s, const V& self, const P& p, bool wanted, bool by_attribute) {
  const Arguments& all = p.all();
  if (!truthy(self)) return s.generator({});
  if (by_attribute && all.positional.empty()) throw fault("Missing parameter for attribute name");
  const AttributePath path(by_attribute ? &all.positional[0] : nullptr);
  const size_t skip = by_attribute ? 1 : 0;
  const Builtin* test = nullptr;
  if (all.positional.size() > skip) {
    const Value& name = all.positional[skip];
    test = name.is(Kind::kString) ? find_test(name.bytes()) : nullptr;
    if (!test) throw fault("No test named {}.", repr(s, name));
  }
  const Arguments rest = rest_of(all, test ? skip + 1 : skip);
  std::vector<Value> kept;
  const ListRef list = iterate(s, self);
  for (const Value& item : list->items) {
    const Value part = path(s, item);
    if (truthy(test ? invoke(s, *test, part, rest) : part) == wanted) kept.push_back(item);
  }
  return s.generator(std::move(kept));
}

// Only what is an attribute, never an element.
Value attr(S& s, const V& self, const P& p) {
  const Value& name = p.text(0);
  if (self.is(Kind::kUndefined)) throw Fault(self.undefined_cause());
  if (std::optional<Value> own = own_attribute(s, self, name.bytes())) return *std::move(own);
  return V::undefined(fmt::format("'{} object' has no attribute '{}'", type_name(self), name.bytes()));
}

}  // namespace

const BuiltinTable& sequence_filters() {
  static const BuiltinTable kTable{
      {"attr", "name", attr},
      {"batch", "linecount,fill_with?", batch},
      {"count", "", length},
      {"dictsort", "case_sensitive?,by?,reverse?", dict_sort},
      {"first", "", first},
      {"groupby", "attribute,default?,case_sensitive?", group_by},
      {"items", "", items},
      {"join", "d?,attribute?", join},
      {"last", "", last},
      {"length", "", length},
      {"list", "", [](S& s, const V& v, const P&) { return s.list(iterate(s, v)->items); }},
      {"map", "*", map},
      {"max", "case_sensitive?,attribute?",
       [](S& s, const V& v, const P& p) { return extreme(s, v, p, Comparison::kGreater); }},
      {"min", "case_sensitive?,attribute?",
       [](S& s, const V& v, const P& p) { return extreme(s, v, p, Comparison::kLess); }},
      {"reject", "*", [](S& s, const V& v, const P& p) { return choose(s, v, p, false, false); }},
      {"rejectattr", "*", [](S& s, const V& v, const P& p) { return choose(s, v, p, false, true); }},
      {"reverse", "", reverse},
      {"select", "*", [](S& s, const V& v, const P& p) { return choose(s, v, p, true, false); }},
      {"selectattr", "*", [](S& s, const V& v, const P& p) { return choose(s, v, p, true, true); }},
      {"slice", "slices,fill_with?", slices},
      {"sort", "reverse?,case_sensitive?,attribute?", sort},
      {"sum", "attribute?,start?", sum},
      {"unique", "case_sensitive?,attribute?", unique},
  };
  return kTable;
}

}  // namespace hearth::jinja
