#include "server/stored/metadata.h"

#include <string_view>

#include <fmt/format.h>

#include "server/text_stream.h"

namespace hearth {
namespace {

constexpr size_t kMaxPairs = 16, kMaxKey = 64, kMaxValue = 512;  // the last two in characters

}  // namespace

nlohmann::ordered_json read_metadata(const JsonReader& field) {
  nlohmann::ordered_json metadata = nlohmann::ordered_json::object();
  const auto members = field.members();
  if (members.size() > kMaxPairs) field.fail(fmt::format("{} pairs, at most {} are kept", members.size(), kMaxPairs));
  for (const auto& [key, value] : members) {
    if (count_characters(key) > kMaxKey)
      field.fail(fmt::format("the key {:?} is longer than {} characters", key.substr(0, kMaxKey), kMaxKey));
    const std::string text = value.string();
    if (count_characters(text) > kMaxValue) value.fail(fmt::format("longer than {} characters", kMaxValue));
    metadata[key] = text;
  }
  return metadata;
}

std::map<std::string, std::string> read_metadata_filter(const Query& query) {
  constexpr std::string_view kBegin = "metadata[";
  std::map<std::string, std::string> wanted;
  for (const auto& [name, value] : query.entries())
    if (name.starts_with(kBegin) && name.ends_with(']'))
      wanted[name.substr(kBegin.size(), name.size() - kBegin.size() - 1)] = value;
  return wanted;
}

}  // namespace hearth
