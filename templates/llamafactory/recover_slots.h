// The slots that a checkpoint's own chat template writes, found by rendering probe conversations: how training knows
// which part of a conversation is the assistant's where no template is named, the checkpoint's own does not mark it and
// nobody calls tools (templates/assistant_spans.h has the order). Source: LLaMA-Factory's parse_template.
#pragma once

#include <ctime>
#include <optional>
#include <string_view>

#include "templates/chat_template.h"
#include "templates/llamafactory/slot_template.h"

namespace hearth {

// `beginning`: what the tokenizer puts before every text ("<s>" or nothing). Throws kInvalidArgument where the slots
// would write another text than the template does: they are compared on a conversation of several turns, which the
// reference does not do. `now`: for templates that write the date, which stays in the slots; the clock when unset.
SlotTemplate recover_slots(const ChatTemplate& chat_template, std::string_view beginning,
                           std::optional<std::time_t> now = {});

}  // namespace hearth
