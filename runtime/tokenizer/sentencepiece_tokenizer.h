// tokenizer.model through libsentencepiece, with the added tokens and prefix rules that transformers puts around it.
#pragma once

#include <filesystem>
#include <memory>

#include "runtime/tokenizer/directory_config.h"

namespace hearth {

std::shared_ptr<const Tokenizer> load_sentencepiece(const std::filesystem::path& model, const DirectoryConfig& config);

}  // namespace hearth
