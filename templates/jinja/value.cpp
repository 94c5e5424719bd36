#include "templates/jinja/value.h"

namespace hearth::jinja {

std::string Value::undefined_cause() const {
  const auto& cause = std::get_if<Undefined>(&data_)->cause;
  return cause ? *cause : "a value is undefined";
}

bool Value::same(const Value& other) const {
  if (kind() != other.kind()) return false;
  switch (kind()) {
    case Kind::kUndefined:
      return false;
    case Kind::kNone:
      return true;
    case Kind::kBool:
      return boolean() == other.boolean();
    case Kind::kInt:
      return integer() == other.integer();
    case Kind::kFloat:
      return floating() == other.floating();
    case Kind::kString:
      return &string() == &other.string() || bytes() == other.bytes();
    case Kind::kList:
      return &list() == &other.list();
    case Kind::kDict:
      return &dict() == &other.dict();
    case Kind::kView:
      return &view() == &other.view();
    case Kind::kRange:
      return &range() == &other.range();
    case Kind::kObject:
      return object() == other.object();
  }
  return false;
}

const Value* Dict::find(std::string_view key) const {
  if (!index.empty()) {
    const auto it = index.find(key);
    return it == index.end() ? nullptr : &entries[it->second].second;
  }
  for (const Entry& entry : entries) {
    if (entry.first.is(Kind::kString) && entry.first.bytes() == key) return &entry.second;
  }
  return nullptr;
}

size_t Range::size() const {
  if (step > 0 ? start >= stop : start <= stop) return 0;
  const Int distance = step > 0 ? Int{stop} - start : Int{start} - stop;
  const Int stride = step > 0 ? Int{step} : -Int{step};
  return static_cast<size_t>((distance + stride - 1) / stride);
}

std::string_view type_name(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kNone:
      return "NoneType";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kString:
      return "str";
    case Kind::kList:
      switch (value.list().type) {
        case List::Type::kList:
          return "list";
        case List::Type::kTuple:
          return "tuple";
        case List::Type::kGroup:
          return "_GroupTuple";
      }
      return "list";
    case Kind::kDict:
      return "dict";
    case Kind::kView:
      switch (value.view().type) {
        case DictView::Type::kKeys:
          return "dict_keys";
        case DictView::Type::kValues:
          return "dict_values";
        case DictView::Type::kItems:
          return "dict_items";
      }
      return "dict_items";
    case Kind::kRange:
      return "range";
    case Kind::kObject:
      break;
  }
  switch (value.object()->type) {
    case Object::Type::kNamespace:
      return "Namespace";
    case Object::Type::kLoop:
      return "LoopContext";
    case Object::Type::kMacro:
      return "Macro";
    case Object::Type::kGenerator:
      return value.object_as<Generator>()->type_name;
    case Object::Type::kCycler:
      return "Cycler";
    case Object::Type::kJoiner:
      return "Joiner";
    case Object::Type::kFunction:
      return "function";
  }
  return "object";
}

}  // namespace hearth::jinja
