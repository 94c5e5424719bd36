// The tests behind `is`.
#include "templates/jinja/builtins.h"
#include "templates/jinja/format.h"
#include "templates/jinja/operators.h"

namespace hearth::jinja {
namespace {

using S = RenderState;
using V = Value;
using P = Parameters;

template <Comparison op>
Value compared(S& s, const V& self, const P& p) {
  return compare(s, op, self, p[0]);
}

bool remainder_is(S& s, const Value& value, const Value& divisor, int remainder) {
  return equals(s, arithmetic(s, Arithmetic::kModulo, value, divisor), Value(remainder));
}

Value has_case(S& s, const V& self, const char* method) {
  return invoke(s, *string_methods().find(method), to_str(s, self), {});
}

bool is_sequence(const Value& value) {
  return value.is(Kind::kString) || value.is(Kind::kList) || value.is(Kind::kDict) || value.is(Kind::kRange) ||
         value.is(Kind::kUndefined);  // which has a length and __getitem__
}

bool is_callable(const Value& value) {
  if (!value.is(Kind::kObject)) return value.is(Kind::kUndefined);  // Undefined has __call__
  const Object::Type type = value.object()->type;
  return type == Object::Type::kFunction || type == Object::Type::kMacro || type == Object::Type::kLoop ||
         type == Object::Type::kJoiner;
}

bool named(const Value& value, const Builtin* (*find)(std::string_view)) {
  return value.is(Kind::kString) && find(value.bytes()) != nullptr;
}

}  // namespace

const Builtin* find_test(std::string_view name) {
  static const BuiltinTable kTable{
      {"!=", "other", compared<Comparison::kNotEqual>},
      {"<", "other", compared<Comparison::kLess>},
      {"<=", "other", compared<Comparison::kLessEqual>},
      {"==", "other", compared<Comparison::kEqual>},
      {">", "other", compared<Comparison::kGreater>},
      {">=", "other", compared<Comparison::kGreaterEqual>},
      {"boolean", "", [](S&, const V& v, const P&) { return V(v.is(Kind::kBool)); }},
      {"callable", "", [](S&, const V& v, const P&) { return V(is_callable(v)); }},
      {"defined", "", [](S&, const V& v, const P&) { return V(!v.is(Kind::kUndefined)); }},
      {"divisibleby", "num", [](S& s, const V& v, const P& p) { return V(remainder_is(s, v, p[0], 0)); }},
      {"eq", "other", compared<Comparison::kEqual>},
      {"equalto", "other", compared<Comparison::kEqual>},
      {"escaped", "", [](S&, const V& v, const P&) { return V(v.is(Kind::kString) && v.string().markup); }},
      {"even", "", [](S& s, const V& v, const P&) { return V(remainder_is(s, v, V(2), 0)); }},
      {"false", "", [](S&, const V& v, const P&) { return V(v.is(Kind::kBool) && !v.boolean()); }},
      {"filter", "", [](S&, const V& v, const P&) { return V(named(v, find_filter)); }},
      {"float", "", [](S&, const V& v, const P&) { return V(v.is(Kind::kFloat)); }},
      {"ge", "other", compared<Comparison::kGreaterEqual>},
      {"greaterthan", "other", compared<Comparison::kGreater>},
      {"gt", "other", compared<Comparison::kGreater>},
      {"in", "seq", compared<Comparison::kIn>},
      {"integer", "", [](S&, const V& v, const P&) { return V(v.is(Kind::kInt)); }},
      {"iterable", "", [](S&, const V& v, const P&) { return V(is_iterable(v)); }},
      {"le", "other", compared<Comparison::kLessEqual>},
      {"lessthan", "other", compared<Comparison::kLess>},
      {"lower", "", [](S& s, const V& v, const P&) { return has_case(s, v, "islower"); }},
      {"lt", "other", compared<Comparison::kLess>},
      {"mapping", "", [](S&, const V& v, const P&) { return V(v.is(Kind::kDict)); }},
      {"ne", "other", compared<Comparison::kNotEqual>},
      {"none", "", [](S&, const V& v, const P&) { return V(v.is(Kind::kNone)); }},
      {"number", "", [](S&, const V& v, const P&) { return V(v.is_number()); }},
      {"odd", "", [](S& s, const V& v, const P&) { return V(remainder_is(s, v, V(2), 1)); }},
      {"sameas", "other", [](S&, const V& v, const P& p) { return V(v.same(p[0])); }},
      {"sequence", "", [](S&, const V& v, const P&) { return V(is_sequence(v)); }},
      {"string", "", [](S&, const V& v, const P&) { return V(v.is(Kind::kString)); }},
      {"test", "", [](S&, const V& v, const P&) { return V(named(v, find_test)); }},
      {"true", "", [](S&, const V& v, const P&) { return V(v.is(Kind::kBool) && v.boolean()); }},
      {"undefined", "", [](S&, const V& v, const P&) { return V(v.is(Kind::kUndefined)); }},
      {"upper", "", [](S& s, const V& v, const P&) { return has_case(s, v, "isupper"); }},
  };
  return kTable.find(name);
}

}  // namespace hearth::jinja
