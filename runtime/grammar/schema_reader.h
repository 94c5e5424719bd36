// What a schema says, read and checked: keywords of all schemas that must hold together, gathered into one.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "runtime/grammar/json_text.h"

namespace hearth::json_schema {

enum Type : unsigned {
  kNull = 1,
  kBoolean = 2,
  kInteger = 4,
  kFraction = 8,
  kString = 16,
  kArray = 32,
  kObject = 64,
  kAll = 127
};

// A schema and where it stands.
struct Located {
  const nlohmann::ordered_json* schema;
  std::string pointer;
  bool operator<(const Located& other) const { return pointer < other.pointer; }
};
// All of them must hold.
using Conjunction = std::vector<Located>;

Located at(const Located& where, std::string_view key);  // a member that is there
// Throws SchemaError for the keyword `key` of `where`, or for `where` itself.
[[noreturn]] void fail(const Located& where, std::string_view key, const std::string& what);

// What the members of a conjunction say together, but for those that give a choice.
struct Collected {
  unsigned types = kAll;
  bool is_false = false;
  std::optional<std::vector<nlohmann::ordered_json>> values;  // enum, const
  json_text::NumberRange numbers;
  int64_t min_length = 0, max_length = Expr::kUnbounded, min_items = 0, max_items = Expr::kUnbounded;
  std::vector<std::string> patterns;
  Conjunction arrays, objects;                    // members with keywords of arrays, of objects
  std::vector<std::vector<Conjunction>> choices;  // of each anyOf and oneOf: its alternatives
};

class SchemaReader {
 public:
  explicit SchemaReader(const nlohmann::ordered_json& root) : root_(root) {}

  // Those of `all` and what they refer to ($ref, allOf), each once.
  Conjunction flatten(const Conjunction& all) const;
  // Throws SchemaError for a keyword that cannot be enforced, or has a value that it cannot have.
  static Collected collect(const Conjunction& flat);
  static std::vector<Located> list_of(const Located& where, const char* key);

 private:
  const nlohmann::ordered_json& resolve(const Located& where, const std::string& reference, std::string& pointer) const;
  void flatten(const Located& where, std::set<std::string>& seen, Conjunction& out) const;

  const nlohmann::ordered_json& root_;
};

}  // namespace hearth::json_schema
