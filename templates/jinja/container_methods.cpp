// The methods of lists, tuples, dicts and ranges that do not change them, and the names of those that would.
#include <algorithm>
#include <array>

#include "templates/jinja/builtins.h"
#include "templates/jinja/format.h"
#include "templates/jinja/operators.h"

namespace hearth::jinja {
namespace {

template <size_t n>
bool has(const std::array<std::string_view, n>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Value view(const Value& self, DictView::Type type) {
  return std::make_shared<const DictView>(DictView{type, self.dict_ref()});
}

const BuiltinTable& dict_methods() {
  static const BuiltinTable kTable{
      {"copy", "", [](RenderState&, const Value& v, const Parameters&) { return v; }},
      {"get", "key,default?",
       [](RenderState& s, const Value& v, const Parameters& p) {
         const Value* found = find_key(s, v.dict(), p[0]);
         return found ? *found : p.get(1) ? p[1] : Value(None{});
       }},
      {"items", "", [](RenderState&, const Value& v, const Parameters&) { return view(v, DictView::Type::kItems); }},
      {"keys", "", [](RenderState&, const Value& v, const Parameters&) { return view(v, DictView::Type::kKeys); }},
      {"values", "", [](RenderState&, const Value& v, const Parameters&) { return view(v, DictView::Type::kValues); }},
  };
  return kTable;
}

Value count(RenderState& state, const Value& self, const Parameters& p) {
  const ListRef items = iterate(state, self);
  size_t n = 0;
  for (const Value& item : items->items) n += equals(state, item, p[0]) ? 1 : 0;
  return n;
}

Value index(RenderState& state, const Value& self, const Parameters& p) {
  const ListRef items = iterate(state, self);
  const auto size = static_cast<int64_t>(items->items.size());
  const auto bound = [&](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + size : i, 0, size); };
  for (int64_t i = bound(p.integer(1, 0)), end = bound(p.integer(2, size)); i < end; ++i) {
    if (equals(state, items->items[static_cast<size_t>(i)], p[0])) return Int{i};
  }
  throw fault("{} is not in {}", repr(state, p[0]), type_name(self));
}

const BuiltinTable& sequence_methods() {
  static const BuiltinTable kTable{
      {"count", "value", count},
      {"index", "value,start?,stop?", index},
  };
  return kTable;
}

const BuiltinTable& list_methods() {
  static const BuiltinTable kTable{
      {"copy", "", [](RenderState&, const Value& v, const Parameters&) { return v; }},
      {"count", "value", count},
      {"index", "value,start?,stop?", index},
  };
  return kTable;
}

}  // namespace

const Builtin* find_method(const Value& self, std::string_view name) {
  switch (self.kind()) {
    case Kind::kString:
      return string_methods().find(name);
    case Kind::kDict:
      return dict_methods().find(name);
    case Kind::kList:
      return (self.list().type == List::Type::kList ? list_methods() : sequence_methods()).find(name);
    case Kind::kRange:
      return sequence_methods().find(name);
    default:
      return nullptr;
  }
}

bool is_mutating_method(const Value& self, std::string_view name) {
  static constexpr std::array<std::string_view, 5> kDict{"clear", "pop", "popitem", "setdefault", "update"};
  static constexpr std::array<std::string_view, 8> kList{"append", "clear",  "extend",  "insert",
                                                         "pop",    "remove", "reverse", "sort"};
  if (self.is(Kind::kDict)) return has(kDict, name);
  return self.is(Kind::kList) && self.list().type == List::Type::kList && has(kList, name);
}

}  // namespace hearth::jinja
