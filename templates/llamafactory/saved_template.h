// A slot template as other programs take it: a Jinja chat template for tokenizer_config.json, and Ollama's. Both know
// system, user and assistant messages, no tools. Source: LLaMA-Factory's data/template.py (_get_jinja_template,
// _get_ollama_template).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "templates/llamafactory/slot_template.h"

namespace hearth {

struct SpecialTokens {
  std::string_view bos, eos;  // as the vocabulary spells them; empty: none
};

// Nothing for templates with slots that are single tokens, of which the reference makes none either.
std::optional<std::string> jinja_text(const SlotTemplate& slots, const SpecialTokens& tokens);
std::string ollama_text(const SlotTemplate& slots, const SpecialTokens& tokens);

}  // namespace hearth
