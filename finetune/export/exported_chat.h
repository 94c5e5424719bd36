// How an exported model chats: the chat template that it was trained with, the tokens that end its answers, and
// Ollama's Modelfile, all as LLaMA-Factory writes them (data/template.py: fix_special_tokens, fix_jinja_template,
// get_ollama_modelfile). Beyond it, the tokens that end answers go into generation_config.json and GGUF metadata too,
// so that programs that know no template stop there.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "models/loader.h"

namespace hearth {

struct ExportedChat {
  std::optional<std::string> jinja;     // in place of the checkpoint's own; nothing: that stays
  std::optional<std::string> eos;       // likewise; a token of the model
  std::vector<std::string> stop_words;  // tokens of the model besides eos
  std::string modelfile;                // after its FROM line
  std::vector<std::string> notes;       // what could not be had
};

// `model` is loaded with the spec's template.
ExportedChat exported_chat(const LoadedModel& model);

}  // namespace hearth
