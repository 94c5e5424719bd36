// Who answers in a terminal chat: a model in this process, or a server over HTTP.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "server/terminal_chat/chat_settings.h"

namespace hearth {

struct ChatAnswer {
  std::string text;
  std::string finish_reason;  // "stop", "length", or "cancelled" when `stop` ended it
  int prompt_tokens = 0, cached_tokens = 0, completion_tokens = 0;  // 0: not known
};

class ChatBackend {
 public:
  // A piece of the answer: whole UTF-8 characters.
  using OnText = std::function<void(std::string_view)>;

  virtual ~ChatBackend() = default;
  // The name of the model that answers, "model:adapter" with one.
  virtual std::string model() const = 0;
  // The names that use() takes, as far as they are known. Throws what asking for them throws.
  virtual std::vector<std::string> models() const = 0;
  // Another model answers from now on. `adapter`: a directory, or empty. When this throws (kNotFound with the nearest
  // name, among others), the model is the one before.
  virtual void use(const std::string& model, const std::string& adapter) = 0;
  // Tokens that prompt and answer may have together; 0: not known.
  virtual int max_context() const = 0;
  // `messages`: OpenAI's message objects, the last one the user's. Looks at `stop` several times a second. Throws
  // kResourceExhausted when the conversation does not fit the context, other codes as they come; nothing of a failed
  // answer is kept.
  virtual ChatAnswer answer(const nlohmann::ordered_json& messages, const ChatSettings& settings, const OnText& on_text,
                            const std::atomic<bool>& stop) = 0;
};

}  // namespace hearth
