// One of LLaMA-Factory's templates in place of a checkpoint's own: what must hold of the tokenizer, what ends an
// answer, and where the two templates differ.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "models/loader.h"

namespace hearth {

// Sets loaded.named_template by loaded.chat and adds its stop words. Throws kNotFound
// for a name that is not in the registry and kInvalidArgument for tokens that the tokenizer lacks. `place` is the
// model's, for errors; vocab_size its number of rows, beyond which no token is drawn.
void use_named_template(const std::string& place, int64_t vocab_size, LoadedModel& loaded);

// What the named template and the checkpoint's own write of a small conversation, with or without a system message,
// where that differs.
std::optional<std::string> template_difference(const LoadedModel& loaded);
// Logs it.
void warn_of_difference(const std::string& place, const LoadedModel& loaded);

}  // namespace hearth
