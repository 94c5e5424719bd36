#include "models/config_reader.h"

#include <algorithm>
#include <limits>

#include "runtime/base/error.h"
#include "runtime/io/untrusted.h"

namespace hearth {

ConfigReader::ConfigReader(const nlohmann::json& json, std::string place, std::span<const KeyAlias> aliases)
    : json_(&json), place_(std::move(place)), aliases_(aliases) {
  if (!json.is_object()) throw data_corruption("{}: is {}, expected an object", place_, json.type_name());
}

const nlohmann::json* ConfigReader::find(const std::string& key) const {
  for (const KeyAlias& alias : aliases_) {
    const auto own = alias.common == key ? json_->find(alias.own) : json_->end();
    if (own != json_->end() && !own->is_null()) return &*own;
  }
  const auto found = json_->find(key);
  return found == json_->end() || found->is_null() ? nullptr : &*found;
}

bool ConfigReader::holds_objects() const {
  return std::any_of(json_->begin(), json_->end(), [](const nlohmann::json& value) { return value.is_object(); });
}

void ConfigReader::refuse(const std::string& key, const nlohmann::json& value, const std::string& expected) const {
  const std::string text = value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  throw invalid_argument("{}: {} is {}, must be {}", place_, key, printable(text), expected);
}

int64_t ConfigReader::checked_integer(const std::string& key, const nlohmann::json& value, int64_t least,
                                      int64_t most) const {
  const bool fits = value.is_number_integer() &&
                    (!value.is_number_unsigned() ||
                     value.get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()));
  const int64_t number = fits ? value.get<int64_t>() : 0;
  if (!fits || number < least || number > most)
    refuse(key, value, fmt::format("an integer from {} to {}", least, most));
  return number;
}

std::optional<int64_t> ConfigReader::integer(const std::string& key, int64_t least, int64_t most) const {
  const nlohmann::json* value = find(key);
  if (!value) return std::nullopt;
  return checked_integer(key, *value, least, most);
}

std::optional<double> ConfigReader::number(const std::string& key, double least, double most) const {
  const nlohmann::json* value = find(key);
  if (!value) return std::nullopt;
  const double number = value->is_number() ? value->get<double>() : std::numeric_limits<double>::quiet_NaN();
  if (!(number >= least && number <= most)) refuse(key, *value, fmt::format("a number from {} to {}", least, most));
  return number;
}

std::optional<bool> ConfigReader::boolean(const std::string& key) const {
  const nlohmann::json* value = find(key);
  if (!value) return std::nullopt;
  if (!value->is_boolean()) refuse(key, *value, "true or false");
  return value->get<bool>();
}

std::optional<std::string> ConfigReader::text(const std::string& key) const {
  const nlohmann::json* value = find(key);
  if (!value) return std::nullopt;
  if (!value->is_string()) refuse(key, *value, "a text");
  return value->get<std::string>();
}

std::optional<ConfigReader> ConfigReader::object(const std::string& key) const {
  const nlohmann::json* value = find(key);
  if (!value) return std::nullopt;
  return ConfigReader(*value, place_ + ": " + key);
}

std::vector<std::string> ConfigReader::texts(const std::string& key) const {
  const nlohmann::json* value = find(key);
  std::vector<std::string> result;
  if (!value) return result;
  if (!value->is_array()) refuse(key, *value, "a list of texts");
  for (const nlohmann::json& element : *value) {
    if (!element.is_string()) refuse(key, *value, "a list of texts");
    result.push_back(element.get<std::string>());
  }
  return result;
}

std::vector<double> ConfigReader::numbers(const std::string& key, double least, double most) const {
  const nlohmann::json* value = find(key);
  std::vector<double> result;
  if (!value) return result;
  if (!value->is_array()) refuse(key, *value, "a list of numbers");
  for (const nlohmann::json& element : *value) {
    const double number = element.is_number() ? element.get<double>() : std::numeric_limits<double>::quiet_NaN();
    if (!(number >= least && number <= most)) refuse(key, *value, fmt::format("numbers from {} to {}", least, most));
    result.push_back(number);
  }
  return result;
}

std::vector<int64_t> ConfigReader::integers(const std::string& key, int64_t least, int64_t most) const {
  const nlohmann::json* value = find(key);
  if (!value) return {};
  if (!value->is_array()) return {checked_integer(key, *value, least, most)};
  std::vector<int64_t> result;
  for (const nlohmann::json& element : *value) result.push_back(checked_integer(key, element, least, most));
  return result;
}

int64_t ConfigReader::required_integer(const std::string& key, int64_t least, int64_t most) const {
  const std::optional<int64_t> value = integer(key, least, most);
  if (!value) throw invalid_argument("{}: has no {}", place_, key);
  return *value;
}

double ConfigReader::required_number(const std::string& key, double least, double most) const {
  const std::optional<double> value = number(key, least, most);
  if (!value) throw invalid_argument("{}: has no {}", place_, key);
  return *value;
}

}  // namespace hearth
