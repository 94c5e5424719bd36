// Typed access to an untrusted JSON object that knows its place in the file, so that every error names it:
// "tokenizer.json: decoder.decoders[2].pattern: must be an object".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "runtime/base/error.h"

namespace hearth {

class JsonField {
 public:
  JsonField(const nlohmann::json& value, std::string place) : value_(&value), place_(std::move(place)) {}

  const nlohmann::json& value() const { return *value_; }
  const std::string& place() const { return place_; }
  bool is_null() const { return value_->is_null(); }
  bool has(const char* key) const { return value_->is_object() && value_->contains(key) && !(*value_)[key].is_null(); }

  // The member `key`; JSON null when absent.
  JsonField operator[](const char* key) const {
    static const nlohmann::json null;
    if (!value_->is_object()) throw data_corruption("{}: must be an object", place_);
    const auto it = value_->find(key);
    return {it == value_->end() ? null : *it, place_ + (place_.ends_with(' ') ? "" : ".") + key};
  }
  std::vector<JsonField> elements() const {
    if (!value_->is_array()) throw data_corruption("{}: must be an array", place_);
    std::vector<JsonField> out;
    for (size_t i = 0; i < value_->size(); ++i) out.emplace_back((*value_)[i], fmt::format("{}[{}]", place_, i));
    return out;
  }

  const std::string& string() const {
    if (!value_->is_string()) throw data_corruption("{}: must be a string", place_);
    return value_->get_ref<const std::string&>();
  }
  int64_t integer() const {
    if (!value_->is_number_integer()) throw data_corruption("{}: must be an integer", place_);
    return value_->get<int64_t>();
  }
  bool boolean() const {
    if (!value_->is_boolean()) throw data_corruption("{}: must be true or false", place_);
    return value_->get<bool>();
  }
  bool boolean(const char* key, bool fallback) const { return has(key) ? (*this)[key].boolean() : fallback; }
  std::string string(const char* key, std::string_view fallback) const {
    return has(key) ? (*this)[key].string() : std::string(fallback);
  }

  // For a component that is not implemented: names it and those that are.
  [[noreturn]] void unsupported(std::string_view what, std::string_view supported) const {
    throw invalid_argument("{}: {} is not supported; supported are {}", place_, what, supported);
  }

 private:
  const nlohmann::json* value_;
  std::string place_;
};

}  // namespace hearth
