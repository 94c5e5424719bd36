// Short names of models that hearth runs, spelled as Ollama spells them, and where on the hub each is: smollm2:135m is
// one GGUF file of a repository. The table is here and nowhere else; `hearth pull` and the resolver ask it.
#pragma once

#include <span>
#include <string_view>

namespace hearth {

struct ShortName {
  const char* name;       // family:size[-variant]
  const char* reference;  // org/name[:selector], as parse_hub_reference takes it
  const char* note;       // what the hub asks for first, or whose terms hold; empty when the licence is a free one
};

// Sorted by name.
std::span<const ShortName> short_names();

// Null when there is no such name. Letters of either case are the same.
const ShortName* find_short_name(std::string_view name);

}  // namespace hearth
