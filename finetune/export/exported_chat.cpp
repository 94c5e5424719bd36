#include "finetune/export/exported_chat.h"

#include <algorithm>

#include "runtime/base/error.h"
#include "templates/llamafactory/recover_slots.h"
#include "templates/llamafactory/saved_template.h"

namespace hearth {
namespace {

constexpr int kOllamaContext = 4096;  // the reference's

// The slots that the conversation is written in: the named template's, else those of the checkpoint's own.
std::optional<SlotTemplate> slots_of(const LoadedModel& model) {
  if (model.named_template) return *model.named_template;
  if (!model.chat_template) return std::nullopt;
  const std::vector<TokenId> beginning = model.tokenizer->encode("", {.add_special = true});
  try {
    SlotTemplate slots =
        recover_slots(*model.chat_template, beginning.empty() ? "" : model.tokenizer->token_text(beginning.front()));
    if (const auto& system = model.chat.options.default_system) slots.default_system = *system;
    return slots;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInvalidArgument) throw;
    return std::nullopt;
  }
}

std::string modelfile(const std::optional<SlotTemplate>& slots, const SpecialTokens& tokens,
                      const std::vector<std::string>& stop_words) {
  std::string text;
  if (slots) text += fmt::format("TEMPLATE \"\"\"{}\"\"\"\n\n", ollama_text(*slots, tokens));
  if (slots && !slots->default_system.empty()) text += fmt::format("SYSTEM \"\"\"{}\"\"\"\n\n", slots->default_system);
  if (!tokens.eos.empty()) text += fmt::format("PARAMETER stop \"{}\"\n", tokens.eos);
  for (const std::string& word : stop_words)
    if (word != tokens.eos) text += fmt::format("PARAMETER stop \"{}\"\n", word);
  return text + fmt::format("PARAMETER num_ctx {}\n", kOllamaContext);
}

// A word that the vocabulary lacks ends answers as text only: another program would make a token of it that the model
// has no row for.
void add_stop_word(const Tokenizer& tokenizer, const std::string& word, bool is_eos, ExportedChat& chat) {
  if (!tokenizer.token_id(word)) {
    chat.notes.push_back(fmt::format("'{}', which ends answers in the template, is no token of the model", word));
  } else if (is_eos) {
    chat.eos = word;
  } else {
    chat.stop_words.push_back(word);
  }
}

}  // namespace

ExportedChat exported_chat(const LoadedModel& model) {
  const Tokenizer& tokenizer = *model.tokenizer;
  const auto text = [&](std::optional<TokenId> id) { return id ? tokenizer.token_text(*id) : std::string(); };
  const std::string bos = text(tokenizer.bos());
  std::string eos = text(tokenizer.eos());
  ExportedChat chat;
  if (const SlotTemplate* named = model.named_template.get()) {
    if (named->replace_eos) eos = named->stop_words.front();
    for (const std::string& word : named->stop_words) add_stop_word(tokenizer, word, word == eos, chat);
    if (!model.chat_template || named->replace_jinja_template) chat.jinja = jinja_text(*named, {bos, eos});
    if (!chat.jinja && !model.chat_template)
      chat.notes.push_back(
          fmt::format("template '{}' cannot be written as a chat template: its slots are tokens", named->name));
  }
  const std::optional<SlotTemplate> slots = slots_of(model);
  if (!slots)
    chat.notes.emplace_back(
        model.chat_template
            ? "the Modelfile has no TEMPLATE: the checkpoint's chat template is no sequence of turns; Ollama reads the "
              "checkpoint's own"
            : "the Modelfile has no TEMPLATE: the model has no chat template; name one with the key 'template'");
  chat.modelfile = modelfile(slots, {bos, eos},
                             model.named_template ? model.named_template->stop_words : std::vector<std::string>());
  return chat;
}

}  // namespace hearth
