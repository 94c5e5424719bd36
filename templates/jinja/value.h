// The values of a template: Python's, as far as a chat template can see them. Everything but the objects at the end is
// immutable and shared, as the reference's sandbox demands; the mutable objects live as long as the rendering and
// belong to its RenderState, so that cycles cannot leak.
//
// A string knows which of its bytes came from a message of a user or a tool ("literal"): whatever makes a new string
// goes through StringBuilder, which carries the ranges along.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "runtime/base/byte_range.h"

namespace hearth::jinja {

// Wide enough for the unsigned 64-bit bounds that occur in JSON schemas; beyond it a template fails instead of wrapping
// round.
using Int = __int128;

// What went wrong, without the line: the interpreter adds it.
class Fault : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

template <class... Args>
Fault fault(fmt::format_string<Args...> format, Args&&... args) {
  return Fault(fmt::format(format, std::forward<Args>(args)...));
}

struct String {
  std::string bytes;
  std::vector<ByteRange> literal = {};  // sorted, disjoint, not adjacent
  bool markup = false;                  // escaped HTML (the filters safe and e), to which "+" adds only escaped text
};

class Value;
struct List;
struct Dict;
struct DictView;
struct Range;
struct Object;
class RenderState;

using StringRef = std::shared_ptr<const String>;
using ListRef = std::shared_ptr<const List>;
using DictRef = std::shared_ptr<const Dict>;

// Why a value is undefined: the message of the error that using it raises.
struct Undefined {
  std::shared_ptr<const std::string> cause;
};
struct None {};

enum class Kind { kUndefined, kNone, kBool, kInt, kFloat, kString, kList, kDict, kView, kRange, kObject };

class Value {
 public:
  Value() : data_(Undefined{}) {}
  Value(None none) : data_(none) {}
  Value(bool value) : data_(value) {}
  Value(int value) : data_(static_cast<Int>(value)) {}
  Value(Int value) : data_(value) {}
  Value(size_t value) : data_(static_cast<Int>(value)) {}
  Value(double value) : data_(value) {}
  Value(StringRef value) : data_(std::move(value)) {}
  Value(ListRef value) : data_(std::move(value)) {}
  Value(DictRef value) : data_(std::move(value)) {}
  Value(std::shared_ptr<const DictView> value) : data_(std::move(value)) {}
  Value(std::shared_ptr<const Range> value) : data_(std::move(value)) {}
  Value(Object* object) : data_(object) {}
  static Value text(std::string_view bytes) { return std::make_shared<const String>(String{std::string(bytes), {}}); }
  static Value undefined(std::string cause) {
    Value value;
    value.data_ = Undefined{std::make_shared<const std::string>(std::move(cause))};
    return value;
  }

  Kind kind() const { return static_cast<Kind>(data_.index()); }
  bool is(Kind kind) const { return this->kind() == kind; }
  bool is_number() const { return is(Kind::kBool) || is(Kind::kInt) || is(Kind::kFloat); }
  bool is_integral() const { return is(Kind::kBool) || is(Kind::kInt); }

  // The caller has looked at the kind.
  bool boolean() const { return *std::get_if<bool>(&data_); }
  double floating() const { return *std::get_if<double>(&data_); }
  Int integer() const { return is(Kind::kBool) ? Int{boolean()} : *std::get_if<Int>(&data_); }
  double number() const { return is(Kind::kFloat) ? floating() : static_cast<double>(integer()); }
  const String& string() const { return **std::get_if<StringRef>(&data_); }
  const std::string& bytes() const { return string().bytes; }
  const List& list() const { return **std::get_if<ListRef>(&data_); }
  const ListRef& list_ref() const { return *std::get_if<ListRef>(&data_); }
  const Dict& dict() const { return **std::get_if<DictRef>(&data_); }
  const DictRef& dict_ref() const { return *std::get_if<DictRef>(&data_); }
  const DictView& view() const { return **std::get_if<std::shared_ptr<const DictView>>(&data_); }
  const Range& range() const { return **std::get_if<std::shared_ptr<const Range>>(&data_); }
  Object* object() const { return *std::get_if<Object*>(&data_); }
  template <class T>
  T* object_as() const;  // null when it is something else
  std::string undefined_cause() const;
  // Python's `is`.
  bool same(const Value& other) const;

 private:
  std::variant<Undefined, None, bool, Int, double, StringRef, ListRef, DictRef, std::shared_ptr<const DictView>,
               std::shared_ptr<const Range>, Object*>
      data_;
};

// Containers know how deep they nest, and may not exceed this: it bounds every recursion over values.
constexpr int kMaxNesting = 300;

struct List {
  enum class Type { kList, kTuple, kGroup };  // kGroup: groupby's (grouper, list)
  std::vector<Value> items;
  Type type = Type::kList;
  int nesting = 1;
};

struct Dict {
  using Entry = std::pair<Value, Value>;
  std::vector<Entry> entries;
  std::unordered_map<std::string_view, size_t> index;  // of string keys; only when there are many entries
  int nesting = 1;
  // Null when absent. The key is a string; other keys: find_key in operators.h.
  const Value* find(std::string_view key) const;
};

struct DictView {
  enum class Type { kKeys, kValues, kItems } type;
  DictRef dict;
};

struct Range {
  int64_t start = 0, stop = 0, step = 1;
  size_t size() const;
  Int at(size_t i) const { return Int{start} + Int{step} * static_cast<Int>(i); }
};

// Something with an identity.
struct Object {
  enum class Type { kNamespace, kLoop, kMacro, kGenerator, kCycler, kJoiner, kFunction };
  explicit Object(Type t) : type(t) {}
  virtual ~Object() = default;
  virtual std::optional<Value> attribute(RenderState&, std::string_view) { return std::nullopt; }
  const Type type;
};

struct Namespace : Object {
  static constexpr Type kType = Type::kNamespace;
  Namespace() : Object(kType) {}
  std::optional<Value> attribute(RenderState& state, std::string_view name) override;
  // Throws for names that begin with an underscore, as the reference does.
  void set(RenderState& state, std::string_view name, Value value);
  std::vector<std::pair<std::string, Value>> attributes;
};

// An iterator that can be consumed once; always true, no length.
struct Generator : Object {
  static constexpr Type kType = Type::kGenerator;
  Generator(ListRef list, std::string_view name) : Object(kType), items(std::move(list)), type_name(name) {}
  ListRef items;
  size_t next = 0;
  std::string_view type_name;
};

struct Cycler : Object {
  static constexpr Type kType = Type::kCycler;
  Cycler() : Object(kType) {}
  std::optional<Value> attribute(RenderState& state, std::string_view name) override;
  std::vector<Value> items;
  size_t position = 0;
};

struct Joiner : Object {
  static constexpr Type kType = Type::kJoiner;
  Joiner() : Object(kType) {}
  Value separator;
  bool used = false;
};

struct Builtin;

// A global function, or a method with its object.
struct Function : Object {
  static constexpr Type kType = Type::kFunction;
  Function(const Builtin& function, Value object) : Object(kType), builtin(function), self(std::move(object)) {}
  const Builtin& builtin;
  Value self;
};

template <class T>
T* Value::object_as() const {
  return is(Kind::kObject) && object()->type == T::kType ? static_cast<T*>(object()) : nullptr;
}

// Python's name of the type: "str", "NoneType", "dict_items", ...
std::string_view type_name(const Value& value);

// Calls fn(piece, literal) for the maximal pieces of a string of one origin, in order.
template <class Fn>
void for_each_piece(const String& string, size_t begin, size_t end, Fn&& fn) {
  const std::string_view bytes = string.bytes;
  for (const ByteRange& range : string.literal) {
    if (range.end <= begin) continue;
    if (range.begin >= end) break;
    if (range.begin > begin) fn(bytes.substr(begin, range.begin - begin), false);
    const size_t from = std::max(begin, range.begin), to = std::min(end, range.end);
    fn(bytes.substr(from, to - from), true);
    begin = to;
  }
  if (begin < end) fn(bytes.substr(begin, end - begin), false);
}

}  // namespace hearth::jinja
