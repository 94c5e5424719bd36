// What an answer in a conversation may be, as a grammar: reasoning, then text, or what a format says, or calls of tools
// whose arguments follow their schemas. So a tool that must be called is called, and no call is malformed.
#pragma once

#include <memory>
#include <string_view>

#include "server/openai_types.h"
#include "server/served_model.h"

namespace hearth {

// Null where any text may come. `prompt`: what the model goes on from. Throws a 400 for what cannot be enforced: a
// format, or the parameters of a tool with "strict": true; its param is a JSON pointer into the body. Other tools whose
// parameters cannot be enforced may be called with any JSON object.
std::shared_ptr<TokenGrammar> answer_grammar(const ServedModel& model, const ChatRequest& request,
                                             std::string_view prompt);

}  // namespace hearth
