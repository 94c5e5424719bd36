// From a path to everything that serving a model takes. A Hugging Face directory and a GGUF file of the same model give
// exactly the same forward.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/language_model.h"
#include "runtime/tokenizer/tokenizer.h"
#include "templates/chat_template.h"
#include "templates/llamafactory/slot_template.h"

namespace hearth {

class PictureReader;

// What makes prompts of conversations, and how.
struct ChatOptions {
  std::string template_name = {};  // one of LLaMA-Factory's; empty: the checkpoint's own template
  // With the checkpoint's own, default_system and enable_thinking: false count (as a system message, and as the
  // variable that templates read).
  SlotTemplateOptions options = {};
};

struct LoadOptions {
  ComputeDtype compute_dtype = ComputeDtype::kAuto;
  ChatOptions chat = {};
};

// What generation_config.json (or the GGUF) suggests; requests override it.
struct GenerationDefaults {
  std::optional<float> temperature, top_p, min_p, typical_p, repetition_penalty;
  std::optional<int> top_k;
};

struct LoadedModel {
  std::shared_ptr<const LanguageModel> model;  // null: loaded without weights
  std::shared_ptr<const Tokenizer> tokenizer;
  std::shared_ptr<const ChatTemplate> chat_template;   // the checkpoint's own; null: it has none
  std::shared_ptr<const SlotTemplate> named_template;  // in its place; null: none is named
  ChatOptions chat;                                    // as given
  std::vector<TokenId> stop_token_ids;                 // end of sequence and end of turn
  std::vector<std::string> stop_strings;               // stop words of the named template that are no control tokens
  GenerationDefaults defaults;
  std::string architecture;  // "llama"
  std::string description;   // "llama, 134.5 M parameters, Q4_1, 8192 tokens" for logs

  std::shared_ptr<const PictureReader> pictures;  // null: it reads text only

  bool is_chat_model() const { return chat_template || named_template; }
};

// `path`: a directory with config.json, or a .gguf file. Throws kNotFound, kInvalidArgument (an architecture that
// hearth does not have, or a named template whose tokens the tokenizer lacks) or kDataCorruption (which file, which
// tensor, what was found).
LoadedModel load_model(const std::filesystem::path& path, const LoadOptions& options = {});
// The same without the model itself, which is then not read: tokenizer, templates and what ends an answer.
LoadedModel load_without_weights(const std::filesystem::path& path, const ChatOptions& chat = {});

}  // namespace hearth
