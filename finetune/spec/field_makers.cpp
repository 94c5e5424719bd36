#include "finetune/spec/field_makers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "runtime/base/error.h"
#include "runtime/base/nearest_name.h"

namespace hearth {
namespace {

constexpr const char* kNull = "null";

std::string with_point(std::string text) {
  const size_t exponent = text.find('e');
  if (exponent != std::string::npos && text.find('.') == std::string::npos) text.insert(exponent, ".0");
  return text;
}

template <class T>
std::string list_text(const std::vector<T>& values) {
  std::vector<std::string> texts;
  texts.reserve(values.size());
  for (const T& value : values) texts.push_back(yaml_text(value));
  return fmt::format("[{}]", fmt::join(texts, ", "));
}

template <class Int>
SpecField whole_number(std::string_view key, Int& value, IntRange range) {
  return {key, [&value, range](const YamlEntry& e) { value = static_cast<Int>(yaml_int(e, range.least, range.most)); },
          [&value] { return fmt::format("{}", value); }};
}

template <class Float>
SpecField number(std::string_view key, Float& value, Range range) {
  return {key,
          [&value, range](const YamlEntry& e) { value = static_cast<Float>(yaml_float(e, range.least, range.most)); },
          [&value] { return yaml_text(value); }};
}

// `make` is the maker of the type within.
template <class T, class Make>
SpecField optional(std::string_view key, std::optional<T>& value, const Make& make) {
  return {key,
          [&value, make](const YamlEntry& e) {
            T read{};
            make(read).read(e);
            value = std::move(read);
          },
          [&value, make] {
            if (!value) return std::string(kNull);
            T copy = *value;
            return make(copy).text();
          }};
}

}  // namespace

std::string yaml_text(std::string_view value) {
  YAML::Emitter emitter;
  emitter << YAML::DoubleQuoted << std::string(value);
  return emitter.c_str();
}

std::string yaml_text(double value) { return with_point(fmt::format("{}", value)); }
std::string yaml_text(float value) { return with_point(fmt::format("{}", value)); }
std::string yaml_text(bool value) { return value ? "true" : "false"; }

SpecField field(std::string_view key, bool& value) {
  return {key, [&value](const YamlEntry& e) { value = yaml_bool(e); }, [&value] { return yaml_text(value); }};
}

SpecField field(std::string_view key, std::optional<bool>& value) {
  return optional(key, value, [key](bool& inner) { return field(key, inner); });
}

SpecField field(std::string_view key, std::string& value) {
  return {key, [&value](const YamlEntry& e) { value = yaml_string(e); },
          [&value] { return value.empty() ? kNull : yaml_text(value); }};
}

SpecField field(std::string_view key, std::optional<std::string>& value) {
  return {key, [&value](const YamlEntry& e) { value = yaml_string(e); },
          [&value] { return value ? yaml_text(*value) : kNull; }};
}

SpecField field(std::string_view key, std::filesystem::path& value) {
  return {key, [&value](const YamlEntry& e) { value = yaml_string(e); },
          [&value] { return value.empty() ? kNull : yaml_text(value.string()); }};
}

SpecField field(std::string_view key, std::vector<std::string>& value) {
  return {key, [&value](const YamlEntry& e) { value = yaml_comma_list(e); },
          [&value] { return value.empty() ? kNull : list_text(value); }};
}

SpecField field(std::string_view key, int& value, IntRange range) { return whole_number(key, value, range); }
SpecField field(std::string_view key, int64_t& value, IntRange range) { return whole_number(key, value, range); }

SpecField field(std::string_view key, std::optional<int>& value, IntRange range) {
  return optional(key, value, [=](int& inner) { return field(key, inner, range); });
}

SpecField field(std::string_view key, std::optional<int64_t>& value, IntRange range) {
  return optional(key, value, [=](int64_t& inner) { return field(key, inner, range); });
}

SpecField field(std::string_view key, double& value, Range range) { return number(key, value, range); }
SpecField field(std::string_view key, float& value, Range range) { return number(key, value, range); }

SpecField field(std::string_view key, std::optional<double>& value, Range range) {
  return optional(key, value, [=](double& inner) { return field(key, inner, range); });
}

SpecField field(std::string_view key, std::optional<float>& value, Range range) {
  return optional(key, value, [=](float& inner) { return field(key, inner, range); });
}

SpecField field(std::string_view key, std::vector<double>& value, Range range) {
  return {key,
          [&value, range](const YamlEntry& e) {
            value.clear();
            for (const std::string& part : yaml_comma_list(e))
              value.push_back(yaml_float({e.key, YAML::Node(part), e.where}, range.least, range.most));
          },
          [&value] { return value.empty() ? kNull : list_text(value); }};
}

namespace {

size_t choice_of(const YamlEntry& entry, const std::string& text, std::span<const std::string_view> names) {
  for (size_t i = 0; i < names.size(); ++i)
    if (names[i] == text) return i;
  throw invalid_argument("{}: '{}' is '{}'{}, must be one of {}", entry.where, entry.key, text,
                         did_you_mean(text, names), fmt::join(names, ", "));
}

}  // namespace

size_t read_choice(const YamlEntry& entry, std::span<const std::string_view> names) {
  return choice_of(entry, yaml_string(entry), names);
}

std::vector<size_t> read_choices(const YamlEntry& entry, std::span<const std::string_view> names) {
  std::vector<size_t> indices;
  for (const std::string& text : yaml_comma_list(entry)) indices.push_back(choice_of(entry, text, names));
  if (indices.empty())
    throw invalid_argument("{}: '{}' is empty, must be some of {}", entry.where, entry.key, fmt::join(names, ", "));
  return indices;
}

SpecField infer_dtype_field(ComputeDtype& value) {
  // LLaMA-Factory's 16-bit types are what the fast path computes in anyway.
  static constexpr std::pair<std::string_view, ComputeDtype> kDtypes[] = {{"auto", ComputeDtype::kAuto},
                                                                          {"float32", ComputeDtype::kFloat32},
                                                                          {"bfloat16", ComputeDtype::kAuto},
                                                                          {"float16", ComputeDtype::kAuto}};
  return choice_field("infer_dtype", value, kDtypes);
}

}  // namespace hearth
