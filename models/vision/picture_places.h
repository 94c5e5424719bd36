// What families change of a prompt's text where pictures go. What a message spells is none of that.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "templates/prompt_segment.h"

namespace hearth {

// Whether it begins with neither whitespace nor '<'. `text` is UTF-8.
bool begins_word(std::string_view text);
// A space where a placeholder has a word right behind it (transformers' Idefics2Processor).
void space_words_behind(std::string_view placeholder, std::span<PromptSegment> segments);

// A kPicture for each "<image>", and what is around it by itself (LLaVA's tokenizer_image_token).
std::vector<PromptSegment> split_at_pictures(std::span<const PromptSegment> segments);

}  // namespace hearth
