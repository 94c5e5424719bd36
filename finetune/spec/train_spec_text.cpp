#include "finetune/spec/train_spec_text.h"

#include <cstddef>

#include <fmt/format.h>

#include "finetune/spec/spec_fields.h"

namespace hearth {

std::string to_yaml(const TrainSpec& spec) {
  TrainSpec copy = spec;
  std::string text;
  for (const std::vector<SpecField>& fields : {result_fields(copy), run_fields(copy)})
    for (const SpecField& field : fields) text += fmt::format("{}: {}\n", field.key, field.text());
  return text;
}

std::vector<std::string> differences(const TrainSpec& a, const TrainSpec& b) {
  TrainSpec first = a, second = b;
  const std::vector<SpecField> of_first = result_fields(first), of_second = result_fields(second);
  std::vector<std::string> keys;
  for (size_t i = 0; i < of_first.size(); ++i)
    if (of_first[i].text() != of_second[i].text()) keys.emplace_back(of_first[i].key);
  return keys;
}

}  // namespace hearth
