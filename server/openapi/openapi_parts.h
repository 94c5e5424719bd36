// The files beside this one, each an object that is merged into the document of /openapi.json: what routes take and
// give. What follows from the route table is added by server/openapi.cpp.
#pragma once

#include <span>
#include <string_view>

namespace hearth {

std::span<const std::string_view> openapi_parts();

}  // namespace hearth
