// What /set changes: the sampling parameters of OpenAI's API, and how they are read from text. What is not set is left
// to the model.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace hearth {

struct ChatSettings {
  std::optional<double> temperature, top_p, min_p, typical_p, repetition_penalty, frequency_penalty, presence_penalty;
  std::optional<int64_t> top_k, max_tokens, seed;

  // `value` "default" unsets. Throws kInvalidArgument with the range or the nearest name.
  void set(std::string_view name, std::string_view value);
  // Those that are set, under the names of the HTTP API.
  nlohmann::ordered_json to_json() const;
  static std::vector<std::string_view> names();
};

}  // namespace hearth
