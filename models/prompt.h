// From a conversation to the token ids that a model reads: by the template that a configuration names, else by the
// checkpoint's own.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "models/loader.h"
#include "templates/prompt_segment.h"

namespace hearth {

// Throws kInvalidArgument for what the template refuses, kFailedPrecondition for a model that has none.
std::vector<PromptSegment> render_prompt(const LoadedModel& loaded, const ChatTemplateInputs& inputs);

// What a configuration changes of a conversation for the checkpoint's own template: default_system becomes a system
// message, enable_thinking: false the variable that templates read; what the inputs say themselves stands.
ChatTemplateInputs with_options(const SlotTemplateOptions& options, ChatTemplateInputs inputs);

// Where text that spells a control token becomes that token. Serving: not in what users and tools wrote. Training as
// LLaMA-Factory does it: everywhere; with split_special_tokens: nowhere, in the template's own text neither.
enum class ControlTokens { kOutsideMessages, kEverywhere, kNowhere };

// What a kPicture becomes: no token has it. LLaVA's own code calls it IMAGE_TOKEN_INDEX.
inline constexpr TokenId kPicturePlaceholder = -200;

// Each segment is tokenised by itself. A kToken that the tokenizer lacks throws kInvalidArgument; kBos and kEos add
// nothing where it has none.
std::vector<TokenId> encode_segments(const Tokenizer& tokenizer, std::span<const PromptSegment> segments,
                                     ControlTokens control_tokens = ControlTokens::kOutsideMessages);

// The segments as one text, tokens as the vocabulary spells them.
std::string segments_text(const Tokenizer& tokenizer, std::span<const PromptSegment> segments);

}  // namespace hearth
