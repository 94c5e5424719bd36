// The functions a template may call: filters, tests, methods of strings, lists and dicts, and globals. Each is one line
// in the table of its kind, with its parameters as Python declares them; nothing else can be reached from a template.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "templates/jinja/render_state.h"
#include "templates/jinja/value.h"

namespace hearth::jinja {

struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> keyword;
};

// The arguments of one call, by parameter.
class Parameters {
 public:
  // Throws Python's error when an argument is missing, unknown or given twice.
  Parameters(const Builtin& builtin, const Arguments& arguments);

  const Arguments& all() const { return arguments_; }
  // Null when the caller did not give it.
  const Value* get(size_t i) const { return i < bound_.size() ? bound_[i] : nullptr; }
  const Value& operator[](size_t i) const { return *bound_[i]; }
  bool truth(size_t i, bool otherwise) const;
  // Absent or None gives `otherwise`.
  int64_t integer(size_t i, int64_t otherwise) const;
  // Null when absent or None; throws when it is something else than a string.
  const Value* string(size_t i) const;
  // Throws unless it is a string.
  const Value& text(size_t i) const;

 private:
  const Builtin& builtin_;
  const Arguments& arguments_;
  std::vector<const Value*> bound_;
};

struct Builtin {
  using Call = Value (*)(RenderState&, const Value& self, const Parameters&);
  std::string name;
  std::vector<std::string> parameters;
  size_t required = 0;
  bool variadic = false;  // takes any arguments, through all()
  Call call = nullptr;
};

class BuiltinTable {
 public:
  struct Row {
    const char* name;
    const char* parameters;  // "old,new,count?": ? for optional ones; "*" takes anything
    Builtin::Call call;
  };
  explicit BuiltinTable(std::initializer_list<Row> rows);
  const Builtin* find(std::string_view name) const;

 private:
  std::unordered_map<std::string_view, Builtin> rows_;
};

Value invoke(RenderState& state, const Builtin& builtin, const Value& self, const Arguments& arguments);

const Builtin* find_filter(std::string_view name);
const Builtin* find_test(std::string_view name);
const Builtin* find_global(std::string_view name);
// A method of the value's type.
const Builtin* find_method(const Value& self, std::string_view name);
// A method that would change a list or a dict: the sandbox hides it.
bool is_mutating_method(const Value& self, std::string_view name);

// Parts of the above; each lives in the file of its name.
const BuiltinTable& string_methods();
const BuiltinTable& sequence_filters();
const BuiltinTable& text_filters();

// str.upper() and kin, shared by methods and filters.
enum class CaseChange { kUpper, kLower, kTitle, kCapitalize, kSwap };
Value change_case(RenderState& state, const Value& string, CaseChange change);
// str.strip(chars): white space when chars is null.
Value strip(RenderState& state, const Value& string, const Value* chars, bool left, bool right);
Value replace(RenderState& state, const Value& string, const Value& from, const Value& to, int64_t count);
std::vector<Value> split_lines(RenderState& state, const Value& string, bool keep_ends);
enum class Alignment { kLeft, kRight, kCenter };
Value align(RenderState& state, const Value& string, int64_t width, std::string_view fill, Alignment alignment);

// What raise_exception throws: its text is the whole message of the error.
class RaisedByTemplate : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace hearth::jinja
