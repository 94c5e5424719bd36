#include "models/registry.h"

#include <string>

#include "models/gguf_keys.h"
#include "runtime/base/error.h"
#include "runtime/io/gguf.h"
#include "runtime/io/untrusted.h"

namespace hearth {
namespace {

constexpr const Architecture* kArchitectures[] = {
    &kCohere, &kDeepseekV2, &kDeepseekV3, &kFalcon,    &kGemma,     &kGemma2,  &kGemma3,   &kGlm,       &kGlm4,
    &kGpt2,   &kGptNeox,    &kGranite,    &kInternLm2, &kInternLm3, &kLlama,   &kMistral,  &kMixtral,   &kOlmo2,
    &kPhi3,   &kQwen2,      &kQwen2Moe,   &kQwen3,     &kQwen3Moe,  &kSmolLm3, &kStableLm, &kStarcoder2};

[[noreturn]] void refuse(std::string_view place, std::string_view name) {
  std::string known;
  for (const Architecture* architecture : kArchitectures)
    known += (known.empty() ? "'" : ", '") + std::string(architecture->name) + "'";
  throw invalid_argument("{}: architecture '{}' is not one that hearth has; it has {}", place, printable(name), known);
}

}  // namespace

std::span<const Architecture* const> architectures() { return kArchitectures; }

const Architecture& find_architecture(std::string_view model_type, std::string_view place) {
  for (const Architecture* architecture : kArchitectures)
    if (architecture->name == model_type) return *architecture;
  refuse(place, model_type);
}

bool is_never_of(const GgufKeys&) { return false; }

const Architecture& find_gguf_architecture(const GgufFile& gguf) {
  const auto name = gguf.string("general.architecture");
  if (!name) throw data_corruption("{}: has no metadata 'general.architecture'", gguf.name());
  const GgufKeys keys(gguf, std::string(*name) + ".");
  const Architecture* otherwise = nullptr;
  for (const Architecture* architecture : kArchitectures) {
    if (architecture->gguf.name != *name) continue;
    if (!architecture->gguf.is_of) {
      otherwise = architecture;
    } else if (architecture->gguf.is_of(keys)) {
      return *architecture;
    }
  }
  if (!otherwise) refuse(gguf.name(), *name);
  return *otherwise;
}

}  // namespace hearth
