#include "server/prompt.h"

#include "server/api_error.h"

namespace hearth {
namespace {

// Put behind the message that is to be continued, so that the place is found whatever the template does around it.
constexpr std::string_view kContinueHere = "<<<hearth-continues-here>>>";

void cut_at_mark(RenderedPrompt& prompt) {
  const size_t end = prompt.text.rfind(kContinueHere);
  if (end == std::string::npos)
    throw invalid_field("continue_final_message", "this model's chat template does not show the last message");
  prompt.text.resize(end);
  std::erase_if(prompt.literal, [end](const ByteRange& range) { return range.begin >= end; });
  if (!prompt.literal.empty()) prompt.literal.back().end = std::min(prompt.literal.back().end, end);
}

}  // namespace

RenderedPrompt render_conversation(const ServedModel& model, const ConversationFields& conversation) {
  const ChatTemplate* chat_template = model.loaded.chat_template.get();
  if (!chat_template)
    throw invalid_field("model", fmt::format("'{}' has no chat template; use /v1/completions", model.id));
  ChatTemplateInputs inputs;
  inputs.messages = conversation.messages;
  inputs.tools = conversation.tools;
  inputs.extra = conversation.template_arguments;
  inputs.add_generation_prompt = conversation.add_generation_prompt;
  if (chat_template->source().find("developer") == std::string::npos) {  // it knows the role by its older name
    for (auto& message : inputs.messages)
      if (message["role"] == "developer") message["role"] = "system";
  }
  if (conversation.continue_final_message) {
    auto& content = inputs.messages.back()["content"];
    content = content.get<std::string>() + std::string(kContinueHere);
  }
  RenderedPrompt prompt;
  try {
    prompt = chat_template->render(inputs);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInvalidArgument) throw;
    throw invalid_field("messages", fmt::format("the chat template of '{}': {}", model.id, error.what()));
  }
  if (conversation.continue_final_message) cut_at_mark(prompt);
  return prompt;
}

std::vector<TokenId> encode_conversation(const ServedModel& model, const ConversationFields& conversation) {
  const RenderedPrompt prompt = render_conversation(model, conversation);
  std::vector<TokenId> ids = model.loaded.tokenizer->encode(
      prompt.text, {.add_special = false, .parse_special = true, .literal = prompt.literal});
  if (ids.empty()) throw invalid_field("messages", "the chat template makes an empty prompt of them");
  return ids;
}

std::vector<TokenId> encode_completion_prompt(const ServedModel& model, const std::string& text) {
  const Tokenizer& tokenizer = *model.loaded.tokenizer;
  std::vector<TokenId> ids = tokenizer.encode(text, {.add_special = true, .parse_special = true, .literal = {}});
  if (!ids.empty()) return ids;
  if (tokenizer.bos()) return {*tokenizer.bos()};
  if (tokenizer.eos()) return {*tokenizer.eos()};  // what separates documents in training
  throw invalid_field("prompt", "the prompt is empty, and the model has no token that begins a document");
}

}  // namespace hearth
