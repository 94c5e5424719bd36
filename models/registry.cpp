#include "models/registry.h"

#include <string>

#include "runtime/base/error.h"
#include "runtime/io/untrusted.h"

namespace hearth {
namespace {

constexpr const Architecture* kArchitectures[] = {&kLlama, &kMistral, &kQwen2, &kQwen3};

}  // namespace

const Architecture& find_architecture(std::string_view name, std::string_view place) {
  std::string known;
  for (const Architecture* architecture : kArchitectures) {
    if (architecture->name == name) return *architecture;
    known += (known.empty() ? "'" : ", '") + std::string(architecture->name) + "'";
  }
  throw invalid_argument("{}: architecture '{}' is not one that hearth has; it has {}", place, printable(name), known);
}

}  // namespace hearth
