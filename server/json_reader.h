// Strict, typed reading of request bodies. Every complaint is a 400 that names the field's path, such as
// messages[2].content[0].type. null is the same as absent, unknown fields are ignored, whole numbers may be written
// 1.0, numbers out of range are refused and never clamped.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace hearth {

// Bounds on what a body may make us build, whatever its size in bytes.
struct JsonLimits {
  int depth = 100;
  size_t values = 1'000'000;
  size_t keys = 100'000;        // in all; ordered objects look keys up one by one
  size_t object_keys = 10'000;  // in one object
};

// Throws a 400 with code invalid_json, for text that is not UTF-8 too; `what` is what it calls the text.
nlohmann::ordered_json parse_json(std::string_view text, const JsonLimits& limits = {},
                                  std::string_view what = "the body");

// A field and its path; borrows the document.
class JsonReader {
 public:
  explicit JsonReader(const nlohmann::ordered_json& document) : JsonReader(&document, "") {}

  const std::string& path() const { return path_; }
  const nlohmann::ordered_json& json() const { return *value_; }
  bool present() const { return !value_->is_null(); }
  explicit operator bool() const { return present(); }

  bool is_object() const { return value_->is_object(); }
  bool is_array() const { return value_->is_array(); }
  bool is_string() const { return value_->is_string(); }
  bool is_integer() const;  // 1.0 is one

  // A member of this object; absent where there is none. Throws when this is present and no object.
  JsonReader operator[](std::string_view key) const;
  // Throws when it is absent.
  JsonReader required(std::string_view key) const;
  // The elements of this array; none when absent.
  std::vector<JsonReader> elements() const;
  std::vector<std::pair<std::string, JsonReader>> members() const;

  std::string string() const;
  bool boolean() const;
  double number(double min, double max) const;
  int64_t integer(int64_t min, int64_t max) const;

  // Throws invalid_value for this field: "'PATH': MESSAGE".
  [[noreturn]] void fail(const std::string& message) const;
  [[noreturn]] void fail_type(std::string_view expected) const;

 private:
  JsonReader(const nlohmann::ordered_json* value, std::string path) : value_(value), path_(std::move(path)) {}

  const nlohmann::ordered_json* value_;
  std::string path_;
};

}  // namespace hearth
