// What `hearth pull` may be given: a repository of the hub, or a short name of the table.
#pragma once

#include <string>
#include <string_view>

#include "models/hub_cache.h"

namespace hearth {

// Throws kInvalidArgument for what is neither, with the nearest short name.
HubReference reference_to_pull(std::string_view name);

// The table of short names: a line each of name, repository and what holds before it may be fetched.
std::string list_short_names();

}  // namespace hearth
