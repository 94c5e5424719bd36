// What a checkpoint directory says about its tokenizer beside tokenizer.json or tokenizer.model: tokenizer_config.json,
// special_tokens_map.json and added_tokens.json, as transformers reads them.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "runtime/tokenizer/added_tokens.h"

namespace hearth {

struct DirectoryConfig {
  explicit DirectoryConfig(const std::filesystem::path& directory);

  std::string tokenizer_class;  // without "Fast" at the end; empty when absent
  std::optional<std::string> bos_token, eos_token, pad_token;
  std::optional<bool> add_bos_token, add_eos_token;  // present when the key is
  bool legacy = false;
  bool add_prefix_space = true;
  std::vector<AddedToken> added_tokens;     // by id
  std::vector<std::string> special_tokens;  // bos, eos, unk, pad ...: control tokens, whatever else is said of them
};

}  // namespace hearth
