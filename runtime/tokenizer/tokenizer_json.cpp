#include "runtime/tokenizer/tokenizer_json.h"

#include "runtime/io/json_file.h"

namespace hearth {
namespace {

// Adds the tokens that the model's vocabulary lacks to it; one that it has keeps the model's id, as in the reference.
std::vector<AddedToken> read_added_tokens(const JsonField& section, Vocabulary& vocabulary) {
  std::vector<AddedToken> tokens;
  if (section.is_null()) return tokens;
  for (const JsonField& field : section.elements()) {
    AddedToken token{.content = field["content"].string(),
                     .id = 0,
                     .special = field.boolean("special", false),
                     .lstrip = field.boolean("lstrip", false),
                     .rstrip = field.boolean("rstrip", false),
                     .single_word = field.boolean("single_word", false),
                     .normalized = field.boolean("normalized", !field.boolean("special", false))};
    if (token.content.empty()) continue;
    if (!vocabulary.find(token.content)) {
      try {
        vocabulary.set(field["id"].integer(), token.content);
      } catch (const Error& error) {
        throw data_corruption("{}: {}", field.place(), error.what());
      }
    }
    token.id = *vocabulary.find(token.content);
    tokens.push_back(std::move(token));
  }
  return tokens;
}

}  // namespace

PipelineParts read_tokenizer_json(const std::filesystem::path& file) {
  const nlohmann::json json = read_json_file(file, kMaxTokenizerJsonBytes);
  const JsonField root(json, file.string() + ": ");
  PipelineParts parts;
  parts.name = file.string();
  ModelSection model = read_model(root["model"]);
  parts.vocabulary = std::move(model.vocabulary);
  parts.added_tokens = read_added_tokens(root["added_tokens"], *parts.vocabulary);
  std::vector<bool> is_control(static_cast<size_t>(parts.vocabulary->size()));
  for (const AddedToken& token : parts.added_tokens) is_control[static_cast<size_t>(token.id)] = token.special;

  parts.normalizer = read_normalizer(root["normalizer"]);
  PreTokenizerSection pre = read_pre_tokenizer(root["pre_tokenizer"], model.reads_bytes);
  parts.pre_tokenizer = std::move(pre.pre_tokenizer);
  parts.model = model.make(*parts.vocabulary, is_control, pre.byte_level);
  PostProcessorSection post = read_post_processor(root["post_processor"], *parts.vocabulary);
  parts.prefix = std::move(post.prefix);
  parts.suffix = std::move(post.suffix);
  parts.decode_rules = read_decoder(root["decoder"]);
  return parts;
}

}  // namespace hearth
