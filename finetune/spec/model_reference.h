// model_name_or_path and model_revision as the one reference that models/resolver.h takes.
#pragma once

#include <string>

namespace hearth {

// "org/name@revision"; a path, a short name, or a reference with a revision of its own stays as it is. Throws
// kInvalidArgument.
std::string with_revision(const std::string& model, const std::string& revision);

}  // namespace hearth
