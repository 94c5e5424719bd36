// Typed access to a JSON object from outside: a key of another type or out of range is an error that names file and
// key. null counts as absent.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace hearth {

// A key that a family calls otherwise: {"hidden_size", "n_embd"}.
struct KeyAlias {
  std::string_view common, own;
};

class ConfigReader {
 public:
  // `json` must outlive the reader. Throws kDataCorruption when it is not an object. `place` is the file (and the path
  // in it) for messages. A key is looked for under its alias first.
  ConfigReader(const nlohmann::json& json, std::string place, std::span<const KeyAlias> aliases = {});

  const std::string& place() const { return place_; }
  bool has(const std::string& key) const { return find(key) != nullptr; }
  bool states(const std::string& key) const { return json_->contains(key); }  // be it as null
  bool empty() const { return json_->empty(); }
  bool holds_objects() const;  // a value is itself an object

  std::optional<int64_t> integer(const std::string& key, int64_t least, int64_t most) const;
  std::optional<double> number(const std::string& key, double least, double most) const;
  std::optional<bool> boolean(const std::string& key) const;
  std::optional<std::string> text(const std::string& key) const;
  std::optional<ConfigReader> object(const std::string& key) const;
  std::vector<std::string> texts(const std::string& key) const;  // a list of texts; empty when absent
  std::vector<double> numbers(const std::string& key, double least, double most) const;  // a list; empty when absent
  std::vector<int64_t> integers(const std::string& key, int64_t least,
                                int64_t most) const;  // one or a list; empty when absent

  int64_t required_integer(const std::string& key, int64_t least, int64_t most) const;
  double required_number(const std::string& key, double least, double most) const;

 private:
  const nlohmann::json* find(const std::string& key) const;
  int64_t checked_integer(const std::string& key, const nlohmann::json& value, int64_t least, int64_t most) const;
  [[noreturn]] void refuse(const std::string& key, const nlohmann::json& value, const std::string& expected) const;

  const nlohmann::json* json_;
  std::string place_;
  std::span<const KeyAlias> aliases_;
};

}  // namespace hearth
