#include "server/logprobs_json.h"

#include <utility>

#include "server/generation.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

Json token_json(const TokenText& token) {
  Json bytes = Json::array();
  for (const char byte : token.bytes) bytes.push_back(static_cast<unsigned char>(byte));
  return {{"token", token.text}, {"logprob", json_logprob(token.logprob)}, {"bytes", std::move(bytes)}};
}

}  // namespace

Json logprobs_json(const std::vector<TextLogprob>& tokens) {
  Json content = Json::array();
  for (const TextLogprob& token : tokens) {
    Json entry = token_json(token.token);
    entry["top_logprobs"] = Json::array();
    for (const TokenText& top : token.top) entry["top_logprobs"].push_back(token_json(top));
    content.push_back(std::move(entry));
  }
  return content;
}

}  // namespace hearth
