// A model's own chat template (Jinja, as transformers' apply_chat_template renders it), with one addition: which bytes
// of the prompt came from user and tool messages, so that control-token text in them stays text.
#pragma once

#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "runtime/base/byte_range.h"
#include "templates/jinja/limits.h"

namespace hearth {

struct ChatTemplateInputs {
  nlohmann::ordered_json messages;  // array, OpenAI's message objects
  nlohmann::ordered_json tools;     // array or null
  nlohmann::ordered_json extra;     // object or null: chat_template_kwargs
  bool add_generation_prompt = true;
  std::optional<std::time_t> now;  // for strftime_now; the clock when unset
};

struct RenderedPrompt {
  std::string text;
  // Sorted, disjoint byte ranges of `text` that user and tool messages (and tool results) supplied.
  std::vector<ByteRange> literal;
  // What the template's {% generation %} blocks wrote: the assistant's part, where a template marks it.
  std::vector<ByteRange> generated;
};

class ChatTemplate {
 public:
  // Parses; throws kInvalidArgument with line and cause. `bos_token` and `eos_token` are variables of the template;
  // `limits` bound every rendering.
  ChatTemplate(std::string source, std::string bos_token, std::string eos_token, const jinja::Limits& limits = {});
  ~ChatTemplate();
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;

  // Templates of vision models may read content only as a list of parts and show nothing of a text: such a one gets a
  // list wherever a message's content is a text.
  // Throws kInvalidArgument with the template's own raise_exception text, or what failed and where, a limit that was
  // reached among it.
  RenderedPrompt render(const ChatTemplateInputs& inputs) const;

  const std::string& source() const;
  const std::string& eos_token() const;  // empty: the tokenizer has none

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hearth
