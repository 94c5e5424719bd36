#include "server/json_reader.h"

#include <cmath>

#include <fmt/format.h>

#include "server/api_error.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

const Json kAbsent;

ApiError invalid_json(std::string_view what, const std::string& message) {
  return {ErrorCode::kInvalidArgument,
          fmt::format("{} is not JSON that can be read: {}", what, message),
          {.code = "invalid_json"}};
}

// Counts while the document is built and stops the parser at the first limit.
class LimitGuard {
 public:
  LimitGuard(const JsonLimits& limits, std::string_view what) : limits_(limits), what_(what) {}

  bool operator()(int depth, Json::parse_event_t event, const Json&) {
    switch (event) {
      case Json::parse_event_t::object_start:
      case Json::parse_event_t::array_start:
        if (depth >= limits_.depth) throw invalid_json(what_, fmt::format("deeper than {} levels", limits_.depth));
        object_keys_.resize(static_cast<size_t>(depth) + 2);
        object_keys_[static_cast<size_t>(depth) + 1] = 0;
        count_value();
        break;
      case Json::parse_event_t::key:
        if (++keys_ > limits_.keys || ++object_keys_[static_cast<size_t>(depth)] > limits_.object_keys)
          throw invalid_json(what_,
                             fmt::format("more than {} keys, or {} in one object", limits_.keys, limits_.object_keys));
        break;
      case Json::parse_event_t::value:
        count_value();
        break;
      default:
        break;
    }
    return true;
  }

 private:
  void count_value() {
    if (++values_ > limits_.values) throw invalid_json(what_, fmt::format("more than {} values", limits_.values));
  }
  const JsonLimits& limits_;
  const std::string_view what_;
  size_t values_ = 0, keys_ = 0;
  std::vector<size_t> object_keys_;  // of the open object at each depth
};

// "[json.exception.parse_error.101] parse error at line 1, column 3: ..." without the library's own part.
std::string cause(const std::exception& error) {
  const std::string text = error.what();
  const size_t end = text.find("] ");
  return end == std::string::npos ? text : text.substr(end + 2);
}

std::string_view type_name(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return "null";
    case Json::value_t::object:
      return "an object";
    case Json::value_t::array:
      return "an array";
    case Json::value_t::string:
      return "a string";
    case Json::value_t::boolean:
      return "a boolean";
    default:
      return value.is_number_float() ? "a number" : "an integer";
  }
}

}  // namespace

Json parse_json(std::string_view text, const JsonLimits& limits, std::string_view what) {
  LimitGuard guard(limits, what);
  try {
    return Json::parse(text.begin(), text.end(), std::ref(guard));
  } catch (const Json::exception& error) {
    throw invalid_json(what, cause(error));
  }
}

bool JsonReader::is_integer() const {
  if (value_->is_number_integer()) return true;
  return value_->is_number_float() && std::trunc(value_->get<double>()) == value_->get<double>();
}

JsonReader JsonReader::operator[](std::string_view key) const {
  std::string path = path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
  if (!present()) return {&kAbsent, std::move(path)};
  if (!value_->is_object()) fail_type("an object");
  const auto it = value_->find(std::string(key));
  return {it == value_->end() ? &kAbsent : &*it, std::move(path)};
}

JsonReader JsonReader::required(std::string_view key) const {
  JsonReader field = (*this)[key];
  if (field) return field;
  throw ApiError(ErrorCode::kInvalidArgument, fmt::format("'{}' is required", field.path()),
                 {.code = "missing_required_parameter", .param = field.path()});
}

std::vector<JsonReader> JsonReader::elements() const {
  std::vector<JsonReader> readers;
  if (!present()) return readers;
  if (!value_->is_array()) fail_type("an array");
  readers.reserve(value_->size());
  for (const Json& element : *value_) readers.push_back({&element, fmt::format("{}[{}]", path_, readers.size())});
  return readers;
}

std::vector<std::pair<std::string, JsonReader>> JsonReader::members() const {
  std::vector<std::pair<std::string, JsonReader>> readers;
  if (!present()) return readers;
  if (!value_->is_object()) fail_type("an object");
  readers.reserve(value_->size());
  for (const auto& [key, value] : value_->items())
    readers.emplace_back(key, JsonReader(&value, fmt::format("{}.{}", path_, key)));
  return readers;
}

std::string JsonReader::string() const {
  if (!value_->is_string()) fail_type("a string");
  return value_->get<std::string>();
}

bool JsonReader::boolean() const {
  if (!value_->is_boolean()) fail_type("a boolean");
  return value_->get<bool>();
}

double JsonReader::number(double min, double max) const {
  if (!value_->is_number()) fail_type("a number");
  const auto number = value_->get<double>();
  if (!(number >= min && number <= max)) fail(fmt::format("{} is not in [{:g}, {:g}]", number, min, max));
  return number;
}

int64_t JsonReader::integer(int64_t min, int64_t max) const {
  if (!value_->is_number()) fail_type("an integer");
  if (!is_integer()) fail_type("a whole number");
  bool fits = true;
  int64_t integer = 0;
  if (value_->is_number_float()) {
    const auto number = value_->get<double>();
    fits = number >= -0x1p63 && number < 0x1p63;
    if (fits) integer = static_cast<int64_t>(number);
  } else if (value_->is_number_unsigned() && value_->get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) {
    fits = false;
  } else {
    integer = value_->get<int64_t>();
  }
  if (!fits || integer < min || integer > max) fail(fmt::format("{} is not in [{}, {}]", value_->dump(), min, max));
  return integer;
}

void JsonReader::fail(const std::string& message) const {
  throw invalid_field(path_, fmt::format("'{}': {}", path_.empty() ? "the body" : path_, message));
}

void JsonReader::fail_type(std::string_view expected) const {
  fail(fmt::format("expected {}, found {}", expected, type_name(*value_)));
}

}  // namespace hearth
