// The files of a Hugging Face model beside its weights, of which each model has some.
#pragma once

#include <array>
#include <string_view>

namespace hearth {

inline constexpr std::array<std::string_view, 15> kSmallFiles = {"config.json",
                                                                 "generation_config.json",
                                                                 "tokenizer.json",
                                                                 "tokenizer.model",
                                                                 "tokenizer_config.json",
                                                                 "special_tokens_map.json",
                                                                 "added_tokens.json",
                                                                 "vocab.json",
                                                                 "merges.txt",
                                                                 "vocab.txt",
                                                                 "spiece.model",
                                                                 "chat_template.jinja",
                                                                 "chat_template.json",
                                                                 "preprocessor_config.json",
                                                                 "processor_config.json"};

}  // namespace hearth
