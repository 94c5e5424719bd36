#include "templates/llamafactory/saved_template.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "templates/llamafactory/slots.h"

namespace hearth {
namespace {

using Kind = PromptSegment::Kind;
using Slots = SlotTemplate::Slots;

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

// The token of a slot that is one; empty: the tokenizer has none.
std::string_view token_text(const PromptSegment& slot, const SpecialTokens& tokens) {
  if (slot.kind == Kind::kBos) return tokens.bos;
  return slot.kind == Kind::kEos ? tokens.eos : std::string_view(slot.text);
}

std::string jinja_string(std::string_view text) { return "'" + replaced(std::string(text), "'", "\\'") + "'"; }

// The slots as a sum of Jinja's strings, with `content` for what a message says.
std::string jinja_sum(const Slots& slots, const SpecialTokens& tokens, std::string_view content) {
  std::vector<std::string> items;
  const auto add = [&](std::string_view text) {
    if (!text.empty()) items.push_back(jinja_string(text));
  };
  for (const PromptSegment& slot : slots) {
    if (slot.kind != Kind::kText) {
      add(token_text(slot, tokens));
      continue;
    }
    const std::string_view text = slot.text;
    const size_t at = text.find(kContent);
    add(text.substr(0, at));
    if (at == std::string_view::npos) continue;
    items.emplace_back(content);
    add(text.substr(at + kContent.size()));
  }
  return fmt::format("{}", fmt::join(items, " + "));
}

std::string ollama_sum(const Slots& slots, const SpecialTokens& tokens, std::string_view content) {
  std::string text;
  for (const PromptSegment& slot : slots)
    text += slot.kind == Kind::kText ? replaced(slot.text, kContent, content) : token_text(slot, tokens);
  return text;
}

// A named token, other than the stop word that stands for the end of sequence.
bool has_single_tokens(const SlotTemplate& slots) {
  for (const Slots* list : {&slots.prefix, &slots.system, &slots.user, &slots.assistant})
    for (const PromptSegment& slot : *list)
      if (slot.kind == Kind::kToken && !(slots.replace_eos && slot.text == slots.stop_words.front())) return true;
  return false;
}

}  // namespace

std::optional<std::string> jinja_text(const SlotTemplate& slots, const SpecialTokens& tokens) {
  if (has_single_tokens(slots)) return std::nullopt;
  const std::string prefix = jinja_sum(slots.prefix, tokens, "content");
  const std::string system = jinja_sum(slots.system, tokens, "system_message");
  const std::string user = jinja_sum(slots.user, tokens, "content");
  const std::string assistant = jinja_sum(slots.assistant, tokens, "content");
  std::string text;
  if (!prefix.empty()) text += "{{ " + prefix + " }}";
  if (!slots.default_system.empty()) text += "{% set system_message = " + jinja_string(slots.default_system) + " %}";
  text +=
      "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}"
      "{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% endif %}";
  if (slots.kind == TemplateClass::kSystemInUser) {
    text +=
        "{% for message in loop_messages %}{% if loop.index0 == 0 and system_message is defined %}{% set content = " +
        system + " + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}";
  } else {
    text += "{% if system_message is defined %}{{ " + system +
            " }}{% endif %}{% for message in loop_messages %}{% set content = message['content'] %}";
  }
  text += "{% if message['role'] == 'user' %}{{ " + user + " }}{% elif message['role'] == 'assistant' %}{{ " +
          assistant + " }}{% endif %}{% endfor %}";
  return text;
}

std::string ollama_text(const SlotTemplate& slots, const SpecialTokens& tokens) {
  return ollama_sum(slots.prefix, tokens, "") + "{{ if .System }}" + ollama_sum(slots.system, tokens, "{{ .System }}") +
         "{{ end }}{{ range .Messages }}{{ if eq .Role \"user\" }}" + ollama_sum(slots.user, tokens, "{{ .Content }}") +
         "{{ else if eq .Role \"assistant\" }}" + ollama_sum(slots.assistant, tokens, "{{ .Content }}") +
         "{{ end }}{{ end }}";
}

}  // namespace hearth
