#include "server/hub/pull_name.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "models/resolver.h"
#include "models/short_names.h"
#include "runtime/base/error.h"
#include "runtime/base/nearest_name.h"

namespace hearth {

HubReference reference_to_pull(std::string_view name) {
  if (name == kDefaultModel)
    throw invalid_argument(
        "{} is not on a hub: `./dev run` (or ./dev model) in hearth's source tree fetches it from PyPI", kDefaultModel);
  if (const ShortName* known = find_short_name(name)) return parse_hub_reference(known->reference);
  if (is_hub_reference(name)) return parse_hub_reference(name);
  std::vector<std::string_view> names;
  for (const ShortName& known : short_names()) names.emplace_back(known.name);
  throw invalid_argument(
      "'{}' is neither a repository of a model hub (org/name, org/name@revision or org/name:Q4_K_M) nor a short "
      "name{}; `hearth pull --list` shows those",
      name, did_you_mean(name, names));
}

std::string list_short_names() {
  size_t name_width = 0, reference_width = 0;
  for (const ShortName& known : short_names()) {
    name_width = std::max(name_width, std::string_view(known.name).size());
    reference_width = std::max(reference_width, std::string_view(known.reference).size());
  }
  std::string lines;
  for (const ShortName& known : short_names()) {
    std::string line =
        fmt::format("{:<{}}  {:<{}}  {}", known.name, name_width, known.reference, reference_width, known.note);
    line.erase(line.find_last_not_of(' ') + 1);
    lines += line + "\n";
  }
  return lines;
}

}  // namespace hearth
