#include "models/message_format.h"

#include <algorithm>
#include <ctime>

#include "templates/llamafactory/tool_format.h"
#include "templates/tool_parsers/write_calls.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

MessageFormat format_of_template(const LoadedModel& loaded) {
  MessageFormat format;
  if (loaded.named_template) {
    const SlotTemplate& slots = *loaded.named_template;
    format.calls = &call_format_of(slots.tool_format);
    if (slots.kind == TemplateClass::kReasoning || slots.kind == TemplateClass::kGlm47Reasoning)
      format.reasoning = {bare_mark(slots.thought_words[0]), bare_mark(slots.thought_words[1])};
  } else if (loaded.chat_template) {
    const std::string& source = loaded.chat_template->source();
    format.shows_tools = source.find("tools") != std::string::npos;
    format.writes_calls = source.find("tool_calls") != std::string::npos;
    format.calls = format.shows_tools ? call_format_of_template(source) : nullptr;
    if (format.calls == nullptr) format.calls = &default_call_format();
    format.reasoning = reasoning_of_template(source);
  }
  return format;
}

// What a message's text is with its calls behind it.
std::string with_calls(const CallFormat& format, const Json& message) {
  std::vector<ToolCall> calls;
  for (const Json& call : message.at("tool_calls"))
    calls.push_back({call.at("function").at("name"), call.at("function").at("arguments")});
  const std::string text = message.value("content", "");
  return text.empty() ? write_calls(format, calls) : text + "\n" + write_calls(format, calls);
}

// How LLaMA-Factory describes tools to a model that calls them so; in its default way where it has no other.
ToolFormat description_for(const CallFormat& calls) {
  for (const std::string_view name : tool_format_names())
    if (call_format_of(*find_tool_format(name)).name == calls.name) return *find_tool_format(name);
  return ToolFormat::kDefaultTools;
}

void add_to_system(const std::string& text, Json& messages) {
  if (!messages.empty() && messages.front().at("role") == "system")
    messages.front()["content"] = messages.front().value("content", "") + "\n\n" + text;
  else
    messages.insert(messages.begin(), Json{{"role", "system"}, {"content", text}});
}

}  // namespace

MessageFormat message_format(const LoadedModel& loaded, std::string_view calls) {
  MessageFormat format = format_of_template(loaded);
  if (!calls.empty()) format.calls = find_call_format(calls);
  return format;
}

std::vector<TokenId> mark_tokens(const Tokenizer& tokenizer, const MessageFormat& format) {
  std::vector<TokenId> special;
  for (TokenId id = 0; id < tokenizer.vocab_size(); ++id)
    if (tokenizer.has_token(id) && tokenizer.is_special(id)) special.push_back(id);
  return mark_tokens(tokenizer, format, special);
}

std::vector<TokenId> mark_tokens(const Tokenizer& tokenizer, const MessageFormat& format,
                                 std::span<const TokenId> candidates) {
  const std::vector<std::string> marks = format.marks();
  std::vector<TokenId> tokens;
  for (const TokenId id : candidates) {
    const std::string text = tokenizer.token_text(id);
    if (!text.empty() && std::ranges::any_of(marks, [&](const std::string& m) { return m.find(text) != m.npos; }))
      tokens.push_back(id);
  }
  return tokens;
}

ChatTemplateInputs with_tools_as_text(const MessageFormat& format, ChatTemplateInputs inputs) {
  if (format.calls == nullptr || !inputs.messages.is_array()) return inputs;
  if (!format.writes_calls) {
    for (Json& message : inputs.messages) {
      if (message.contains("tool_calls")) {
        message["content"] = with_calls(*format.calls, message);
        message.erase("tool_calls");
      }
      if (!format.shows_tools && message.at("role") == "tool") message["role"] = "user";
    }
  }
  if (format.shows_tools || !inputs.tools.is_array() || inputs.tools.empty()) return inputs;
  std::string text =
      tools_text(description_for(*format.calls), inputs.tools.dump(), inputs.now.value_or(std::time(nullptr)));
  add_to_system(std::string(bare_mark(text)), inputs.messages);
  inputs.tools = nullptr;
  return inputs;
}

}  // namespace hearth
