// Any bytes as a training YAML, with what stands behind zero bytes as overrides: a job that reads back as itself when
// it is written down, or an error that is the user's.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "finetune/spec/load_train_spec.h"
#include "finetune/spec/train_spec_text.h"
#include "runtime/base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<std::string> parts(1);
  for (const char c : std::string_view(reinterpret_cast<const char*>(data), size))
    if (c == '\0')
      parts.emplace_back();
    else
      parts.back() += c;
  const std::string yaml = parts.front();
  parts.erase(parts.begin());
  std::string text;
  try {
    text = hearth::to_yaml(hearth::parse_train_spec(yaml, "train.yaml", parts));
  } catch (const hearth::Error& error) {
    if (error.code() != hearth::ErrorCode::kInvalidArgument) __builtin_trap();
    return 0;
  }
  if (hearth::to_yaml(hearth::parse_train_spec(text, "written.yaml")) != text) __builtin_trap();
  return 0;
}
