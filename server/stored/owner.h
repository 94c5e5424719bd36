// Whose a stored answer is: its key's. Where no key is asked for there is one owner, without a name.
#pragma once

#include <string>

#include "server/http_types.h"
#include "server/rate_limiter.h"

namespace hearth {

inline std::string owner_of(const Request& request) {
  return request.admission ? request.admission->key_name : std::string();
}

}  // namespace hearth
