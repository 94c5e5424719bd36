#include "templates/llamafactory/recover_slots.h"

#include <string>
#include <utility>

#include "runtime/base/error.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;
using Role = SlotMessage::Role;

Error not_recovered(std::string_view why) {
  return invalid_argument(
      "no slots can be recovered from the chat template: {}; name a template of `hearth templates` with 'template'",
      why);
}

Json message(const char* role, std::string_view content) { return {{"role", role}, {"content", content}}; }

class Probe {
 public:
  Probe(const ChatTemplate& chat_template, std::string_view beginning, std::time_t now)
      : template_(chat_template), beginning_(beginning), now_(now) {}

  // Without the beginning.
  std::string operator()(Json messages, bool add_generation_prompt) const {
    ChatTemplateInputs inputs;
    inputs.messages = std::move(messages);
    inputs.add_generation_prompt = add_generation_prompt;
    inputs.now = now_;
    std::string text;
    try {
      text = template_.render(inputs).text;
    } catch (const Error& error) {
      throw not_recovered(error.what());
    }
    return without_prefix(text, beginning_, "it does not begin with the tokenizer's own beginning");
  }

  static std::string without_prefix(std::string_view text, std::string_view prefix, const char* otherwise) {
    if (!text.starts_with(prefix)) throw not_recovered(otherwise);
    return std::string(text.substr(prefix.size()));
  }

 private:
  const ChatTemplate& template_;
  std::string_view beginning_;
  const std::time_t now_;
};

// What `longer` has and `shorter` has not, read in step.
std::string difference(std::string_view shorter, std::string_view longer) {
  std::string out;
  size_t i = 0, j = 0;
  for (; i < shorter.size() && j < longer.size(); ++j) {
    if (shorter[i] == longer[j])
      ++i;
    else
      out += longer[j];
  }
  return out;
}

std::string replaced_first(std::string text, std::string_view what, std::string_view by) {
  if (const size_t at = text.find(what); at != std::string::npos) text.replace(at, what.size(), by);
  return text;
}

std::string without_all(std::string text, std::string_view what) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at)) text.erase(at, what.size());
  return text;
}

SlotTemplate::Slots slot(std::string text) {
  if (text.find(kContent) == std::string::npos) throw not_recovered("a message's text does not appear where it should");
  return {{PromptSegment::Kind::kText, std::move(text)}};
}

std::string text_of(const std::vector<PromptSegment>& segments, size_t from) {
  std::string text;
  for (const PromptSegment& segment : segments) text += segment.text;
  return text.substr(from);
}

void compare(const Probe& probe, const SlotTemplate& slots, size_t beginning_size) {
  for (const bool with_system : {false, true}) {
    Json messages = Json::array();
    SlotConversation conversation;
    if (with_system) {
      messages.push_back(message("system", "Answer briefly."));
      conversation.system = "Answer briefly.";
    }
    for (const auto& [question, answer] : {std::pair("What is 1 + 1?", "It is 2."), std::pair("And 2 + 2?", "4.")}) {
      messages.push_back(message("user", question));
      conversation.messages.push_back({Role::kUser, question});
      conversation.messages.push_back({Role::kAssistant, answer});
      const SlotTurn turn = slots.last_turn(conversation);
      const std::string prompt = text_of(turn.prompt, beginning_size);
      if (prompt != probe(messages, true)) throw not_recovered("it writes a prompt otherwise than its slots would");
      messages.push_back(message("assistant", answer));
      if (prompt + text_of(turn.response, 0) != probe(messages, false))
        throw not_recovered("it writes an answer otherwise than its slots would");
    }
  }
}

}  // namespace

SlotTemplate recover_slots(const ChatTemplate& chat_template, std::string_view beginning,
                           std::optional<std::time_t> now) {
  const Probe probe(chat_template, beginning, now ? *now : std::time(nullptr));
  const std::string system = probe({message("system", kContent)}, false);
  const std::string user_without_system = probe({message("system", ""), message("user", kContent)}, true);
  std::string user = probe({message("user", kContent)}, true);
  std::string assistant =
      Probe::without_prefix(probe({message("user", kContent), message("assistant", kContent)}, false), user,
                            "an answer does not continue the prompt");
  SlotTemplate out;
  out.name = "the checkpoint's chat template";
  if (assistant.find("<think>") != std::string::npos) out.kind = TemplateClass::kReasoning;
  assistant = without_all(without_all(std::move(assistant), "<think>"), "</think>");
  assistant.erase(0, assistant.find_first_not_of('\n'));
  if (user.size() > user_without_system.size()) {
    out.default_system = difference(user_without_system, user);
    user = Probe::without_prefix(user, replaced_first(system, kContent, out.default_system),
                                 "its default system text is written otherwise than a system message");
  }
  if (!beginning.empty()) out.prefix = {{PromptSegment::Kind::kText, std::string(beginning)}};
  out.system = slot(system);
  out.user = slot(std::move(user));
  out.assistant = slot(std::move(assistant));
  out.function = out.assistant;
  out.observation = out.user;
  const TemplateTraits traits;
  out.thought_words = {std::string(traits.thought_words[0]), std::string(traits.thought_words[1])};
  out.tool_call_words = {std::string(traits.tool_call_words[0]), std::string(traits.tool_call_words[1])};
  compare(probe, out, beginning.size());
  return out;
}

}  // namespace hearth
