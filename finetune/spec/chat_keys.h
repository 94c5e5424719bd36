// The keys of a configuration that choose a model's prompt template: template, default_system, tool_format,
// enable_thinking, preserve_thinking, as LLaMA-Factory names them.
#pragma once

#include <string_view>

#include "finetune/spec/yaml_file.h"
#include "models/loader.h"

namespace hearth {

// `where` is the option or the place in a file. Throws kInvalidArgument for a name that LLaMA-Factory does not have,
// with the nearest.
void check_template_name(std::string_view name, std::string_view where);

// True when the entry is one of the keys. null leaves the default, but for enable_thinking, where it is a value of its
// own. Throws kInvalidArgument.
bool read_chat_key(const YamlEntry& entry, ChatOptions& chat);

// Throws kInvalidArgument for what only a named template can do; `where` stands before the message: "train.yaml: ".
void check_chat_options(const ChatOptions& chat, std::string_view where = "");

}  // namespace hearth
