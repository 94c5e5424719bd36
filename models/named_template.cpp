#include "models/named_template.h"

#include <algorithm>
#include <memory>

#include "models/prompt.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

void check_tokens(const SlotTemplate& slots, const Tokenizer& tokenizer, const std::string& place) {
  for (const SlotTemplate::Slots* list :
       {&slots.prefix, &slots.system, &slots.user, &slots.assistant, &slots.function, &slots.observation})
    for (const PromptSegment& slot : *list)
      if (slot.kind == PromptSegment::Kind::kToken && !tokenizer.token_id(slot.text))
        throw invalid_argument(
            "{}: template '{}' needs the token '{}', which the tokenizer lacks: is it another model's?", place,
            slots.name, slot.text);
}

// A control token is drawn as such. Other words may come in several tokens, or as part of one.
void add_stop_words(const SlotTemplate& slots, int64_t vocab_size, LoadedModel& loaded) {
  for (const std::string& word : slots.stop_words) {
    const std::optional<TokenId> id = loaded.tokenizer->token_id(word);
    std::vector<TokenId>& ids = loaded.stop_token_ids;
    if (!id || !loaded.tokenizer->is_special(*id))
      loaded.stop_strings.push_back(word);
    else if (std::find(ids.begin(), ids.end(), *id) == ids.end() && *id < vocab_size)
      ids.push_back(*id);
  }
}

Json probe(bool with_system) {
  Json messages = Json::array();
  if (with_system) messages.push_back({{"role", "system"}, {"content", "Be brief."}});
  messages.push_back({{"role", "user"}, {"content", "What is 1 + 1?"}});
  messages.push_back({{"role", "assistant"}, {"content", "2."}});
  messages.push_back({{"role", "user"}, {"content", "And 2 + 2?"}});
  return messages;
}

// Nothing where the template refuses the conversation.
std::optional<std::string> own_prompt(const ChatTemplate& chat_template, const ChatTemplateInputs& inputs) {
  try {
    return chat_template.render(inputs).text;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInvalidArgument) throw;
    return std::nullopt;
  }
}

}  // namespace

std::optional<std::string> template_difference(const LoadedModel& loaded) {
  if (!loaded.chat_template || !loaded.named_template) return std::nullopt;
  ChatTemplateInputs inputs;
  if (loaded.chat.options.enable_thinking == false) inputs.extra["enable_thinking"] = false;
  std::string named;
  bool compared = false;
  for (const bool with_system : {true, false}) {
    // Without a system message the default ones show, unless both are as configured.
    if (!with_system && loaded.chat.options.default_system) break;
    inputs.messages = probe(with_system);
    named = segments_text(*loaded.tokenizer, loaded.named_template->render(inputs));
    const std::optional<std::string> own = own_prompt(*loaded.chat_template, inputs);
    if (own && *own != named)
      return fmt::format("template '{}' writes {:?}, but the checkpoint's own chat template writes {:?}",
                         loaded.named_template->name, named, *own);
    compared |= own.has_value();
  }
  if (compared) return std::nullopt;
  return fmt::format("template '{}' writes {:?}, but the checkpoint's own chat template refuses such a conversation",
                     loaded.named_template->name, named);
}

void use_named_template(const std::string& place, int64_t vocab_size, LoadedModel& loaded) {
  const auto slots =
      std::make_shared<SlotTemplate>(SlotTemplate::named(loaded.chat.template_name, loaded.chat.options));
  check_tokens(*slots, *loaded.tokenizer, place);
  add_stop_words(*slots, vocab_size, loaded);
  loaded.named_template = slots;
}

void warn_of_difference(const std::string& place, const LoadedModel& loaded) {
  if (const auto difference = template_difference(loaded)) log::warn("{}: {}", place, *difference);
}

}  // namespace hearth
