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

namespace hearth {

struct LoadOptions {
  ComputeDtype compute_dtype = ComputeDtype::kAuto;
};

// What generation_config.json (or the GGUF) suggests; requests override it.
struct GenerationDefaults {
  std::optional<float> temperature, top_p, min_p, typical_p, repetition_penalty;
  std::optional<int> top_k;
};

struct LoadedModel {
  std::shared_ptr<const LanguageModel> model;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::shared_ptr<const ChatTemplate> chat_template;  // null: the checkpoint has none
  std::vector<TokenId> stop_token_ids;                // end of sequence and end of turn
  GenerationDefaults defaults;
  std::string architecture;  // "llama"
  std::string description;   // "llama, 134.5 M parameters, Q4_1, 8192 tokens" for logs
};

// `path`: a directory with config.json, or a .gguf file. Throws kNotFound, kInvalidArgument (an architecture that
// hearth does not have, by name) or kDataCorruption (which file, which tensor, what was found).
LoadedModel load_model(const std::filesystem::path& path, const LoadOptions& options = {});

}  // namespace hearth
