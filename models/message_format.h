// How a model's answers are told apart into reasoning, text and calls of tools: by the template that it answers in.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "models/loader.h"
#include "templates/tool_parsers/call_format.h"

namespace hearth {

// `calls`: the name of a format (check_call_format) in place of the one that the template shows; empty: none. Refers to
// `loaded`'s template.
MessageFormat message_format(const LoadedModel& loaded, std::string_view calls = {});

// The control tokens of which the format's marks are made.
std::vector<TokenId> mark_tokens(const Tokenizer& tokenizer, const MessageFormat& format);
// ... those among `candidates`.
std::vector<TokenId> mark_tokens(const Tokenizer& tokenizer, const MessageFormat& format,
                                 std::span<const TokenId> candidates);

// Makes a conversation such that a template that knows no tools, or no earlier calls, shows them: as text.
ChatTemplateInputs with_tools_as_text(const MessageFormat& format, ChatTemplateInputs inputs);

}  // namespace hearth
