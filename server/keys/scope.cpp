#include "server/keys/scope.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "runtime/base/error.h"
#include "runtime/base/nearest_name.h"

namespace hearth {
namespace {

constexpr std::array<std::string_view, 3> kNames = {"infer", "train", "admin"};
constexpr std::array<Scope, 3> kScopes = {Scope::kInfer, Scope::kTrain, Scope::kAdmin};

}  // namespace

std::string_view scope_name(Scope scope) {
  return kNames[static_cast<size_t>(std::distance(kScopes.begin(), std::ranges::find(kScopes, scope)))];
}

std::string Scopes::text() const {
  std::string text;
  for (const Scope scope : kScopes)
    if (has(scope)) text.append(text.empty() ? "" : ",").append(scope_name(scope));
  return text;
}

Scopes parse_scopes(std::string_view text) {
  Scopes scopes;
  while (true) {
    const std::string_view name = text.substr(0, text.find(','));
    const auto* const found = std::ranges::find(kNames, name);
    if (found == kNames.end())
      throw invalid_argument("scope '{}'{}: there are infer, train and admin, separated by commas", name,
                             did_you_mean(std::string(name), kNames));
    scopes |= Scopes(kScopes[static_cast<size_t>(std::distance(kNames.begin(), found))]);
    if (name.size() == text.size()) return scopes;
    text.remove_prefix(name.size() + 1);
  }
}

}  // namespace hearth
