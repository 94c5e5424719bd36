// One of LLaMA-Factory's templates in place of a checkpoint's own: what must hold of the tokenizer, what ends an
// answer, and where the two templates differ.
#pragma once

#include <optional>
#include <string>

#include "models/loader.h"

namespace hearth {

// Sets loaded.named_template by loaded.chat, adds its stop words, and warns of template_difference. Throws kNotFound
// for a name that is not in the registry and kInvalidArgument for tokens that the tokenizer lacks. `place` is the
// model's, for errors.
void use_named_template(const std::string& place, LoadedModel& loaded);

// What the named template and the checkpoint's own write of a small conversation, with or without a system message,
// where that differs.
std::optional<std::string> template_difference(const LoadedModel& loaded);

}  // namespace hearth
