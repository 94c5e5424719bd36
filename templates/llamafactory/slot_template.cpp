#include "templates/llamafactory/slot_template.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <utility>

#include "runtime/base/error.h"
#include "templates/llamafactory/registry.h"

namespace hearth {
namespace {

using Slots = SlotTemplate::Slots;
using Role = SlotMessage::Role;

Slots to_slots(const SlotList& list, std::string_view replaced_eos) {
  Slots slots;
  for (const Slot& slot : list) {
    PromptSegment& segment = slots.emplace_back(PromptSegment{slot.kind, std::string(slot.text)});
    if (slot.kind == PromptSegment::Kind::kEos && !replaced_eos.empty())
      segment = {PromptSegment::Kind::kToken, std::string(replaced_eos)};
  }
  return slots;
}

// The slots with `content` in them; what stands in it from byte `literal_begin` on is a user's or a tool's, but for
// `images`, which count from there.
void append_filled(const Slots& slots, const std::string& content, size_t literal_begin, Slots& out,
                   std::span<const ByteRange> images = {}) {
  for (const PromptSegment& slot : slots) {
    PromptSegment segment = slot;
    if (const size_t at = slot.text.find(kContent); at != std::string::npos) {
      segment.text.replace(at, kContent.size(), content);
      const size_t first = at + literal_begin;
      size_t begin = first;
      const auto add_literal = [&](size_t end) {
        if (begin < end) segment.literal.push_back({begin, end});
      };
      for (const ByteRange& image : images) {
        add_literal(first + image.begin);
        begin = first + image.end;
      }
      add_literal(at + content.size());
    }
    if (segment.kind != PromptSegment::Kind::kText || !segment.text.empty()) out.push_back(std::move(segment));
  }
}

void append(Slots from, Slots& to) { std::move(from.begin(), from.end(), std::back_inserter(to)); }

// The first part from `words[0]` to `words[1]`, both included; empty where there is none.
std::string_view between(std::string_view text, const std::array<std::string, 2>& words) {
  const size_t begin = text.find(words[0]);
  if (begin == std::string_view::npos) return {};
  const size_t end = text.find(words[1], begin + words[0].size());
  return end == std::string_view::npos ? std::string_view() : text.substr(begin, end + words[1].size() - begin);
}

// `text` without any occurrence of `part`, which is not empty.
std::string without(std::string_view text, std::string_view part) {
  std::string out;
  for (size_t at = text.find(part); at != std::string_view::npos; at = text.find(part)) {
    out += text.substr(0, at);
    text.remove_prefix(at + part.size());
  }
  return out.append(text);
}

std::string_view without_leading_breaks(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of('\n'), text.size()));
  return text;
}

std::string_view stripped(std::string_view text) {
  constexpr std::string_view kSpace = " \t\n\r\v\f";
  const size_t begin = text.find_first_not_of(kSpace);
  return begin == std::string_view::npos ? "" : text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
}

void check_turns(const std::string& name, const std::vector<SlotMessage>& messages) {
  for (size_t i = 0; i < messages.size(); ++i) {
    const Role role = messages[i].role;
    const bool asks = role == Role::kUser || role == Role::kObservation;
    if (asks != (i % 2 == 0))
      throw invalid_argument(
          "template '{}': user (or tool) and assistant messages must take turns, the user first; message {} does not",
          name, i);
  }
  if (messages.empty() || messages.size() % 2 != 0)
    throw invalid_argument("template '{}': a conversation must end with the assistant's message", name);
}

}  // namespace

SlotTemplate SlotTemplate::named(std::string_view name, const SlotTemplateOptions& options) {
  for (const TemplateRow& row : template_rows()) {
    if (row.name != name) continue;
    const TemplateTraits& traits = row.traits;
    const SlotList content(kContent.data()), content_and_eos = {kContent.data(), kEos};
    const SlotList& answer = traits.efficient_eos ? content : content_and_eos;
    const auto slots = [&](const SlotList& given, const SlotList& otherwise) {
      return to_slots(given.empty() ? otherwise : given, traits.replace_eos ? traits.stop_words[0] : "");
    };
    SlotTemplate out;
    out.name = row.name;
    out.kind = traits.kind;
    out.prefix = slots(row.slots.prefix, {});
    out.system = slots(row.slots.system, content);
    out.user = slots(row.slots.user, content);
    out.assistant = slots(row.slots.assistant, answer);
    out.function = row.slots.function.empty() ? out.assistant : slots(row.slots.function, {});
    out.observation = row.slots.observation.empty() ? out.user : slots(row.slots.observation, {});
    out.tool_format = row.slots.tools;
    if (options.tool_format) {
      out.function = slots(answer, {});
      out.tool_format = *options.tool_format;
    }
    out.default_system = options.default_system.value_or(std::string(traits.default_system));
    for (const std::string_view word : traits.stop_words)
      if (!word.empty()) out.stop_words.emplace_back(word);
    out.thought_words = {std::string(traits.thought_words[0]), std::string(traits.thought_words[1])};
    out.tool_call_words = {std::string(traits.tool_call_words[0]), std::string(traits.tool_call_words[1])};
    out.efficient_eos = traits.efficient_eos;
    out.replace_eos = traits.replace_eos;
    out.replace_jinja_template = traits.replace_jinja_template;
    out.media = traits.media;
    out.enable_thinking = options.enable_thinking;
    out.preserve_thinking = options.preserve_thinking;
    return out;
  }
  throw not_found("no template is named '{}'; `hearth templates` lists them", name);
}

std::string SlotTemplate::image_text() const {
  const auto or_else = [](std::string_view text, std::string_view otherwise) {
    return std::string(text.empty() ? otherwise : text);
  };
  if (media.plugin == "llava" || media.plugin == "llava_next") return std::string(media.image);
  if (media.plugin == "qwen2_vl")
    return or_else(media.vision_begin, "<|vision_start|>") + std::string(media.image) +
           or_else(media.vision_end, "<|vision_end|>");
  throw invalid_argument("template '{}' {}", name,
                         media.image.empty() ? "is not for images; llava, those of llava_next and qwen2_vl are"
                                             : "is for images of models that hearth does not have");
}

std::optional<std::string> SlotTemplate::system_content(const SlotConversation& conversation) const {
  std::string text = conversation.system.empty() ? default_system : conversation.system;
  if (conversation.tools.empty()) return text.empty() ? std::nullopt : std::optional(text);
  const std::string tools =
      tools_text(tool_format, conversation.tools, conversation.now ? *conversation.now : std::time(nullptr));
  return text.append(kind == TemplateClass::kMossVl && text.empty() ? without_leading_breaks(tools) : tools);
}

FunctionContent split_function_content(std::string_view content, const std::array<std::string, 2>& thought_words,
                                       const std::array<std::string, 2>& tool_call_words) {
  std::string before, rest;
  std::string_view calls = content;
  if (const std::string_view found = between(content, tool_call_words); !found.empty()) {
    before = without(content, found);
    calls = found.substr(tool_call_words[0].size());
    calls.remove_suffix(tool_call_words[1].size());
  } else if (const std::string_view thought = between(content, thought_words); !thought.empty()) {
    before = thought;
    rest = without(content, thought);
    calls = rest;
  }
  return {std::move(before), parse_tool_calls(calls)};
}

std::string SlotTemplate::function_content(const SlotMessage& message) const {
  const std::string& content = message.content;
  if (!message.calls.empty()) return content + calls_text(tool_format, message.calls);
  if (kind == TemplateClass::kSystemInUser)  // which looks for neither thoughts nor words
    return calls_text(tool_format, parse_tool_calls(content));
  const FunctionContent parts = split_function_content(content, thought_words, tool_call_words);
  return parts.before + calls_text(tool_format, parts.calls);
}

std::vector<Slots> SlotTemplate::encode(const SlotConversation& conversation) const {
  check_turns(name, conversation.messages);
  std::vector<Slots> out;
  for (const SlotMessage& message : conversation.messages) {
    Slots slots;
    std::string before_user;
    if (out.empty()) {
      append_filled(prefix, "", 0, slots);
      if (const auto content = system_content(conversation)) {
        Slots filled;
        append_filled(system, *content, content->size(), filled);
        if (kind != TemplateClass::kSystemInUser)
          append(std::move(filled), slots);
        else if (!filled.empty())
          before_user = filled.front().text;
      }
    }
    switch (message.role) {
      case Role::kUser:
        append_filled(user, before_user + message.content, before_user.size(), slots, message.images);
        break;
      case Role::kObservation:
        append_filled(observation, message.content, 0, slots);
        break;
      case Role::kAssistant:
        append_filled(assistant, message.content, message.content.size(), slots);
        break;
      case Role::kFunction: {
        const std::string content = function_content(message);
        append_filled(function, content, content.size(), slots);
        break;
      }
    }
    out.push_back(std::move(slots));
  }
  return out;
}

void SlotTemplate::drop_thought(SlotMessage& message) const {
  std::string kept;
  std::string_view rest = message.content;
  for (std::string_view thought = between(rest, thought_words); !thought.empty();
       thought = between(rest, thought_words)) {
    const auto begin = static_cast<size_t>(thought.data() - rest.data());
    kept += rest.substr(0, begin);
    rest.remove_prefix(begin + thought.size());
  }
  kept += rest;
  message.content = without_leading_breaks(kept);
}

// The empty thought is to be learnt only where thoughts are the model's to write.
void SlotTemplate::add_empty_thought(const SlotMessage& response, Slots& prompt_slots, Slots& response_slots) const {
  for (const std::string& word : thought_words)
    if (response.content.find(stripped(word)) != std::string::npos) return;
  const PromptSegment thought{PromptSegment::Kind::kText, kind == TemplateClass::kGlm47Reasoning
                                                              ? thought_words[1]
                                                              : thought_words[0] + thought_words[1]};
  if (enable_thinking.value_or(false))
    response_slots.insert(response_slots.begin(), thought);
  else
    prompt_slots.push_back(thought);
}

std::vector<SlotTurn> SlotTemplate::turns(const SlotConversation& conversation, bool only_last_thought) const {
  SlotConversation changed = conversation;
  const size_t size = changed.messages.size();
  for (size_t i = 1; reasons() && i < size; i += 2)
    if (enable_thinking == false || (only_last_thought && i + 1 < size)) drop_thought(changed.messages[i]);
  std::vector<Slots> encoded = encode(changed);
  std::vector<SlotTurn> out;
  for (size_t i = 0; i + 1 < encoded.size(); i += 2) {
    if (reasons() && (!only_last_thought || i + 2 == encoded.size()))
      add_empty_thought(changed.messages[i + 1], encoded[i], encoded[i + 1]);
    out.push_back({std::move(encoded[i]), std::move(encoded[i + 1])});
  }
  return out;
}

SlotTurn SlotTemplate::last_turn(const SlotConversation& conversation) const {
  SlotConversation changed = conversation;
  const size_t size = changed.messages.size();
  for (size_t i = 1; reasons() && i < size; i += 2)
    if (i + 1 < size ? !preserve_thinking : enable_thinking == false) drop_thought(changed.messages[i]);
  std::vector<Slots> encoded = encode(changed);
  SlotTurn out;
  out.response = std::move(encoded.back());
  encoded.pop_back();
  for (Slots& slots : encoded) append(std::move(slots), out.prompt);
  if (reasons()) add_empty_thought(changed.messages.back(), out.prompt, out.response);
  return out;
}

}  // namespace hearth
