// Answers from a server that speaks OpenAI's /v1/chat/completions, hearth or another.
#pragma once

#include <string>
#include <vector>

#include "server/terminal_chat/chat_backend.h"

namespace hearth {

class HttpBackend : public ChatBackend {
 public:
  // `url`: the server, with or without /v1. `model` empty: the first that /v1/models lists. Throws kUnavailable,
  // kNotFound (no such model there) and what the server refuses.
  HttpBackend(std::string url, std::string api_key, const std::string& model);

  std::string model() const override { return model_; }
  std::vector<std::string> models() const override;
  void use(const std::string& model, const std::string& adapter) override;
  int max_context() const override { return 0; }
  // Reasoning that the server sends apart (reasoning_content) is shown between <think> and </think> and not kept.
  ChatAnswer answer(const nlohmann::ordered_json& messages, const ChatSettings& settings, const OnText& on_text,
                    const std::atomic<bool>& stop) override;

 private:
  nlohmann::ordered_json listed() const;  // /v1/models' objects

  std::string url_, api_key_, model_;  // url_ ends with /v1
  nlohmann::ordered_json sampling_;    // what the server suggests; null: it does not know yet
};

}  // namespace hearth
