// Any bytes as a YAML of a training, of an export, of a multiple-choice evaluation and of whichever it is, with what
// stands behind zero bytes as overrides: a job that reads back as itself when it is written down, or an error that is
// the user's.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "finetune/spec/export_spec.h"
#include "finetune/spec/job_spec.h"
#include "finetune/spec/load_train_spec.h"
#include "finetune/spec/multiple_choice_spec.h"
#include "finetune/spec/train_spec_text.h"
#include "runtime/base/error.h"

namespace {

using Overrides = std::vector<std::string>;

std::string train_text(const std::string& yaml, const Overrides& overrides) {
  return hearth::to_yaml(hearth::parse_train_spec(yaml, "job.yaml", overrides));
}

std::string export_text(const std::string& yaml, const Overrides& overrides) {
  return hearth::parse_export_spec(yaml, "job.yaml", overrides).yaml;
}

std::string choice_text(const std::string& yaml, const Overrides& overrides) {
  return hearth::parse_multiple_choice_spec(yaml, "job.yaml", overrides).yaml;
}

std::string job_text(const std::string& yaml, const Overrides& overrides) {
  const hearth::JobSpec spec = hearth::parse_job_spec(yaml, "job.yaml", overrides);
  hearth::output_of(hearth::to_yaml(spec), "job.yaml");
  return hearth::to_yaml(spec);
}

template <std::string (*text_of)(const std::string&, const Overrides&)>
void check(const std::string& yaml, const Overrides& overrides) {
  std::string text;
  try {
    text = text_of(yaml, overrides);
  } catch (const hearth::Error& error) {
    if (error.code() != hearth::ErrorCode::kInvalidArgument) __builtin_trap();
    return;
  }
  if (text_of(text, {}) != text) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<std::string> parts(1);
  for (const char c : std::string_view(reinterpret_cast<const char*>(data), size))
    if (c == '\0')
      parts.emplace_back();
    else
      parts.back() += c;
  const std::string yaml = parts.front();
  parts.erase(parts.begin());
  check<&train_text>(yaml, parts);
  check<&export_text>(yaml, parts);
  check<&choice_text>(yaml, parts);
  check<&job_text>(yaml, parts);
  return 0;
}
