// Tokenizers of checkpoint directories: tokenizer.json, else tokenizer.model, with what tokenizer_config.json and its
// like add to them.
#include <algorithm>

#include "runtime/base/error.h"
#include "runtime/tokenizer/directory_config.h"
#include "runtime/tokenizer/sentencepiece_tokenizer.h"
#include "runtime/tokenizer/tokenizer_json.h"

namespace hearth {
namespace {

std::optional<TokenId> find_token(const Vocabulary& vocabulary, const std::optional<std::string>& text) {
  return text ? vocabulary.find(*text) : std::nullopt;
}

// Tokens that tokenizer.json lacks, and the control tokens that only the other files call so.
void add_tokens(const DirectoryConfig& config, PipelineParts& parts) {
  const auto find = [&](const std::string& content) {
    return std::find_if(parts.added_tokens.begin(), parts.added_tokens.end(),
                        [&](const AddedToken& token) { return token.content == content; });
  };
  for (AddedToken token : config.added_tokens) {
    if (const auto known = find(token.content); known != parts.added_tokens.end()) {
      known->special |= token.special;
      continue;
    }
    if (!parts.vocabulary->find(token.content)) parts.vocabulary->set(token.id, token.content);
    token.id = *parts.vocabulary->find(token.content);
    parts.added_tokens.push_back(std::move(token));
  }
  for (const std::string& content : config.special_tokens) {
    if (const auto known = find(content); known != parts.added_tokens.end()) {
      known->special = true;
    } else if (const std::optional<TokenId> id = parts.vocabulary->find(content)) {
      parts.added_tokens.push_back({.content = content, .id = *id, .special = true});
    }
  }
}

}  // namespace

PipelineParts read_tokenizer_directory(const std::filesystem::path& directory) {
  const DirectoryConfig config(directory);
  PipelineParts parts = read_tokenizer_json(directory / "tokenizer.json");
  add_tokens(config, parts);
  parts.bos = find_token(*parts.vocabulary, config.bos_token);
  parts.eos = find_token(*parts.vocabulary, config.eos_token);
  parts.pad = find_token(*parts.vocabulary, config.pad_token);
  if (config.add_bos_token ||
      config.add_eos_token) {  // said explicitly, they take the place of the file's post-processor
    parts.prefix.clear();
    parts.suffix.clear();
    if (config.add_bos_token.value_or(false) && parts.bos) parts.prefix = {*parts.bos};
    if (config.add_eos_token.value_or(false) && parts.eos) parts.suffix = {*parts.eos};
  }
  return parts;
}

std::shared_ptr<const Tokenizer> load_tokenizer(const std::filesystem::path& directory) {
  const std::filesystem::path model = directory / "tokenizer.model";
  if (std::filesystem::exists(directory / "tokenizer.json"))
    return std::make_shared<PipelineTokenizer>(read_tokenizer_directory(directory));
  if (std::filesystem::exists(model)) return load_sentencepiece(model, DirectoryConfig(directory));
  throw not_found("{}: has neither tokenizer.json nor tokenizer.model", directory.string());
}

}  // namespace hearth
