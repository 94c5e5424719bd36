// What a request may be for, and what a key may do: infer (models answer), train (files and fine-tuning jobs), admin
// (everything: jobs whose YAML names paths of the daemon's user, removing models). train and infer imply nothing else.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hearth {

enum class Scope : uint8_t { kInfer = 1, kTrain = 2, kAdmin = 4 };

std::string_view scope_name(Scope scope);

class Scopes {
 public:
  constexpr Scopes() = default;
  constexpr explicit Scopes(Scope scope) : bits_(static_cast<uint8_t>(scope)) {}
  constexpr Scopes& operator|=(Scopes other) {
    bits_ |= other.bits_;
    return *this;
  }
  constexpr bool operator==(const Scopes&) const = default;
  constexpr bool has(Scope scope) const { return (bits_ & static_cast<uint8_t>(scope)) != 0; }
  // admin allows everything.
  constexpr bool allow(Scope scope) const { return has(scope) || has(Scope::kAdmin); }

  std::string text() const;  // "infer,train"

 private:
  uint8_t bits_ = 0;
};

// "infer,train"; throws kInvalidArgument for another name, with the nearest, and for none at all.
Scopes parse_scopes(std::string_view text);

}  // namespace hearth
