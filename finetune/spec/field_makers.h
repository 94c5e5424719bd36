// A SpecField for each type that a key may have. The value is a reference: the TrainSpec must outlive the field.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "finetune/spec/spec_fields.h"
#include "runtime/weight.h"

namespace hearth {

SpecField field(std::string_view key, bool& value);
SpecField field(std::string_view key, std::optional<bool>& value);
SpecField field(std::string_view key, std::string& value);
SpecField field(std::string_view key, std::optional<std::string>& value);
SpecField field(std::string_view key, std::filesystem::path& value);
// A list, or one text with commas.
SpecField field(std::string_view key, std::vector<std::string>& value);

struct IntRange {
  int64_t least, most;
};
SpecField field(std::string_view key, int& value, IntRange range);
SpecField field(std::string_view key, int64_t& value, IntRange range);
SpecField field(std::string_view key, std::optional<int>& value, IntRange range);
SpecField field(std::string_view key, std::optional<int64_t>& value, IntRange range);

struct Range {
  double least, most;
};
SpecField field(std::string_view key, double& value, Range range);
SpecField field(std::string_view key, float& value, Range range);
SpecField field(std::string_view key, std::optional<double>& value, Range range);
SpecField field(std::string_view key, std::optional<float>& value, Range range);
SpecField field(std::string_view key, std::vector<double>& value, Range range);

// One of `names`; throws kInvalidArgument with the nearest. The result is its index.
size_t read_choice(const YamlEntry& entry, std::span<const std::string_view> names);
// Some of them, at least one.
std::vector<size_t> read_choices(const YamlEntry& entry, std::span<const std::string_view> names);

template <class E>
using Choices = std::span<const std::pair<std::string_view, E>>;

template <class E>
SpecField choice_field(std::string_view key, E& value, std::type_identity_t<Choices<E>> choices) {
  return {key,
          [&value, choices](const YamlEntry& entry) {
            std::vector<std::string_view> names;
            for (const auto& choice : choices) names.push_back(choice.first);
            value = choices[read_choice(entry, names)].second;
          },
          [&value, choices] {
            for (const auto& choice : choices)
              if (choice.second == value) return std::string(choice.first);
            return std::string();
          }};
}

// A list of them, or one.
template <class E>
SpecField choice_list_field(std::string_view key, std::vector<E>& values, std::type_identity_t<Choices<E>> choices) {
  return {key,
          [&values, choices](const YamlEntry& entry) {
            std::vector<std::string_view> names;
            for (const auto& choice : choices) names.push_back(choice.first);
            values.clear();
            for (const size_t index : read_choices(entry, names)) values.push_back(choices[index].second);
          },
          [&values, choices] {
            std::string text;
            for (const E value : values)
              for (const auto& choice : choices)
                if (choice.second == value) text += (text.empty() ? "" : ", ") + std::string(choice.first);
            return values.size() == 1 ? text : "[" + text + "]";
          }};
}

SpecField infer_dtype_field(ComputeDtype& value);

// Values of YAML on one line. A number has a point before its exponent, without which YAML 1.1 calls it a string.
std::string yaml_text(std::string_view value);
std::string yaml_text(double value);
std::string yaml_text(float value);
std::string yaml_text(bool value);

}  // namespace hearth
