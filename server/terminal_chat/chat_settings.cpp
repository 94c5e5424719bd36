#include "server/terminal_chat/chat_settings.h"

#include <charconv>
#include <cmath>

#include "runtime/base/error.h"
#include "runtime/base/nearest_name.h"

namespace hearth {
namespace {

struct Setting {
  std::string_view name;
  double least, most;
  std::optional<double> ChatSettings::*number = nullptr;
  std::optional<int64_t> ChatSettings::*whole = nullptr;
};

constexpr Setting kSettings[] = {
    {"temperature", 0, 2, &ChatSettings::temperature, nullptr},
    {"top_p", 0, 1, &ChatSettings::top_p, nullptr},
    {"top_k", 0, 1 << 20, nullptr, &ChatSettings::top_k},
    {"min_p", 0, 1, &ChatSettings::min_p, nullptr},
    {"typical_p", 0, 1, &ChatSettings::typical_p, nullptr},
    {"max_tokens", 1, 1 << 24, nullptr, &ChatSettings::max_tokens},
    {"seed", 0, 9e15, nullptr, &ChatSettings::seed},
    {"repetition_penalty", 0.01, 100, &ChatSettings::repetition_penalty, nullptr},
    {"frequency_penalty", -2, 2, &ChatSettings::frequency_penalty, nullptr},
    {"presence_penalty", -2, 2, &ChatSettings::presence_penalty, nullptr},
};

template <class T>
T parse(const Setting& setting, std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const auto number = static_cast<double>(value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number) || number < setting.least ||
      number > setting.most)
    throw invalid_argument("{} is '{}', must be a{} number from {} to {}, or default", setting.name, text,
                           setting.whole ? " whole" : "", setting.least, setting.most);
  return value;
}

}  // namespace

void ChatSettings::set(std::string_view name, std::string_view value) {
  for (const Setting& setting : kSettings) {
    if (setting.name != name) continue;
    const bool unset = value == "default";
    if (setting.number) this->*setting.number = unset ? std::nullopt : std::optional(parse<double>(setting, value));
    if (setting.whole) this->*setting.whole = unset ? std::nullopt : std::optional(parse<int64_t>(setting, value));
    return;
  }
  std::string all;
  for (const std::string_view known : names()) all += (all.empty() ? "" : ", ") + std::string(known);
  throw invalid_argument("no setting '{}'{}; there are {}", name, did_you_mean(name, names()), all);
}

nlohmann::ordered_json ChatSettings::to_json() const {
  auto json = nlohmann::ordered_json::object();
  for (const Setting& setting : kSettings) {
    const std::string name(setting.name);
    if (setting.number && this->*setting.number) json[name] = *(this->*setting.number);
    if (setting.whole && this->*setting.whole) json[name] = *(this->*setting.whole);
  }
  return json;
}

std::vector<std::string_view> ChatSettings::names() {
  std::vector<std::string_view> names;
  for (const Setting& setting : kSettings) names.push_back(setting.name);
  return names;
}

}  // namespace hearth
