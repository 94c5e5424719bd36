// A conversation as the slots of one of LLaMA-Factory's templates write it: for serving one prompt, for training pairs
// of prompt and response, of which only the response is learnt. Each slot stays a segment of its own, because the
// reference tokenises slot by slot. Source: LLaMA-Factory's data/template.py (encode_oneturn, encode_multiturn).
#pragma once

#include <array>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "templates/chat_template.h"
#include "templates/llamafactory/slots.h"
#include "templates/llamafactory/tool_format.h"
#include "templates/prompt_segment.h"

namespace hearth {

struct SlotMessage {
  enum class Role { kUser, kAssistant, kFunction, kObservation };

  Role role = Role::kUser;
  // kFunction: calls as JSON, {"name", "arguments"} or an array of them, perhaps behind a thought or between the
  // template's words for calls; with `calls` only what stands before them.
  std::string content = {};
  std::vector<ToolCall> calls = {};    // kFunction
  std::vector<ByteRange> images = {};  // parts of `content` that are SlotTemplate::image_text, in order
};

// user or observation, then assistant or function, and so on.
struct SlotConversation {
  std::vector<SlotMessage> messages = {};
  std::string system = {};              // empty: the template's default
  std::string tools = {};               // a JSON array of function schemas; empty: none
  std::optional<std::time_t> now = {};  // for the date that llama3's tools name; the clock when unset
};

// Stands for an image in the text of a message.
inline constexpr std::string_view kImagePlaceholder = "<image>";

struct SlotTurn {
  std::vector<PromptSegment> prompt, response;
};

// What a configuration may change of a template.
struct SlotTemplateOptions {
  std::optional<std::string> default_system = {};
  std::optional<ToolFormat> tool_format = {};
  // Of reasoning templates. true: thoughts are the model's to write; false: they are dropped, and an empty one stands
  // in the prompt; nothing (null in YAML): kept where they are, an empty one in the prompt where there is none.
  std::optional<bool> enable_thinking = true;
  bool preserve_thinking = false;  // thoughts of earlier turns stay in a prompt
};

// The content of a kFunction message, taken apart.
struct FunctionContent {
  std::string before;  // the thought, or what stands around the words for calls
  std::vector<ToolCall> calls;
};
// Throws kInvalidArgument as parse_tool_calls.
FunctionContent split_function_content(std::string_view content, const std::array<std::string, 2>& thought_words,
                                       const std::array<std::string, 2>& tool_call_words);

class SlotTemplate {
 public:
  using Slots = std::vector<PromptSegment>;  // texts with {{content}} in them

  // Throws kNotFound for a name that is not in the registry.
  static SlotTemplate named(std::string_view name, const SlotTemplateOptions& options = {});

  // As encode_multiturn: a turn for each pair of messages. With `only_last_thought` (mask_history) thoughts of earlier
  // turns are dropped. Throws kInvalidArgument for a conversation that the slots cannot hold.
  std::vector<SlotTurn> turns(const SlotConversation& conversation, bool only_last_thought = false) const;
  // As encode_oneturn: the last message is the response, everything before it the prompt.
  SlotTurn last_turn(const SlotConversation& conversation) const;
  // A prompt of OpenAI's messages and tools (openai_messages.cpp). Results of tools that follow each other are one
  // observation. Of `extra`, enable_thinking and preserve_thinking count. Without add_generation_prompt the last
  // message is the assistant's and is part of the prompt. Throws kInvalidArgument for what the slots cannot say: roles
  // out of turn, a system message that is not the first, images.
  std::vector<PromptSegment> render(const ChatTemplateInputs& inputs) const;

  // What its plugin writes for an image, with one token for all of its features. Throws kInvalidArgument where it is
  // not for images, or for those of models that hearth does not have.
  std::string image_text() const;

  std::string name;
  TemplateClass kind = TemplateClass::kPlain;
  Slots prefix, system, user, assistant, function, observation;
  ToolFormat tool_format = ToolFormat::kDefaultTools;
  std::string default_system;
  std::vector<std::string> stop_words;
  std::array<std::string, 2> thought_words, tool_call_words;
  bool efficient_eos = false, replace_eos = false, replace_jinja_template = false;
  MediaTokens media;
  std::optional<bool> enable_thinking = true;
  bool preserve_thinking = false;

 private:
  bool reasons() const { return kind == TemplateClass::kReasoning || kind == TemplateClass::kGlm47Reasoning; }
  // One list a message.
  std::vector<Slots> encode(const SlotConversation& conversation) const;
  // Nothing where there is neither a system text nor tools.
  std::optional<std::string> system_content(const SlotConversation& conversation) const;
  std::string function_content(const SlotMessage& message) const;
  void drop_thought(SlotMessage& message) const;
  void add_empty_thought(const SlotMessage& response, Slots& prompt_slots, Slots& response_slots) const;
};

}  // namespace hearth
