#include "server/legacy_logprobs.h"

#include <fmt/format.h>

#include "runtime/tokenizer/utf8.h"
#include "server/generation.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

// As OpenAI spells tokens that are no text on their own; keys of top_logprobs must tell them apart.
std::string name_of(const TokenText& token) {
  if (utf8::find_invalid(token.bytes) == std::string_view::npos) return token.bytes;
  std::string name = "bytes:";
  for (const char byte : token.bytes) name += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
  return name;
}

}  // namespace

void LegacyLogprobs::add(const TokenText& token, std::span<const TokenText> top, size_t text_offset) {
  const std::string name = name_of(token);
  Json likeliest = Json::object();
  for (const TokenText& other : top) likeliest.emplace(name_of(other), json_logprob(other.logprob));
  likeliest[name] = json_logprob(token.logprob);
  tokens_.push_back(name);
  token_logprobs_.push_back(json_logprob(token.logprob));
  top_logprobs_.push_back(std::move(likeliest));
  text_offsets_.push_back(text_offset);
}

void LegacyLogprobs::add_first(const TokenText& token, size_t text_offset) {
  tokens_.push_back(name_of(token));
  token_logprobs_.push_back(nullptr);
  top_logprobs_.push_back(nullptr);
  text_offsets_.push_back(text_offset);
}

Json LegacyLogprobs::json() const {
  return {{"tokens", tokens_},
          {"token_logprobs", token_logprobs_},
          {"top_logprobs", top_logprobs_},
          {"text_offset", text_offsets_}};
}

EchoedPrompt echo_prompt(const std::shared_ptr<const Tokenizer>& tokenizer, std::span<const TokenId> ids,
                         const std::string* text) {
  EchoedPrompt echo;
  StreamDecoder decoder(tokenizer, /*skip_special=*/false);
  std::string decoded;
  size_t characters = 0;
  // A token that the tokenizer put before a text is no part of it.
  const bool begins_with_bos =
      text && !ids.empty() && ids.front() == tokenizer->bos() && !text->starts_with(tokenizer->token_text(ids.front()));
  for (size_t i = 0; i < ids.size(); ++i) {
    echo.tokens.push_back(describe_token(*tokenizer, ids[i], 0));
    echo.text_offsets.push_back(characters);
    if (i == 0 && begins_with_bos) continue;
    const std::string piece = decoder.push(ids[i]);
    characters += count_characters(piece);
    decoded += piece;
  }
  decoded += decoder.finish();
  echo.text = text ? *text : decoded;
  echo.characters = count_characters(echo.text);
  return echo;
}

}  // namespace hearth
