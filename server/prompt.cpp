#include "server/prompt.h"

#include <algorithm>

#include "models/images/decode_image.h"
#include "models/prompt.h"
#include "models/vision/picture_reader.h"
#include "server/api_error.h"
#include "server/app.h"
#include "server/images/image_sources.h"
#include "templates/tool_parsers/argument_text.h"

namespace hearth {
namespace {

// Put behind the message that is to be continued, so that the place is found whatever the template does around it.
constexpr std::string_view kContinueHere = "<<<hearth-continues-here>>>";

void cut_at_mark(std::vector<PromptSegment>& prompt) {
  while (!prompt.empty()) {
    PromptSegment& last = prompt.back();
    const size_t end = last.text.rfind(kContinueHere);
    if (end == std::string::npos) {
      prompt.pop_back();
      continue;
    }
    last.text.resize(end);
    std::erase_if(last.literal, [end](const ByteRange& range) { return range.begin >= end; });
    if (!last.literal.empty()) last.literal.back().end = std::min(last.literal.back().end, end);
    if (last.text.empty()) prompt.pop_back();
    return;
  }
  throw invalid_field("continue_final_message", "this model's chat template does not show the last message");
}

// Templates that do not know the newer role have it under its older name.
bool knows_developer(const LoadedModel& loaded) {
  return !loaded.named_template && loaded.chat_template->source().find("developer") != std::string::npos;
}

// What templates know of it: the word, and whether there is any reasoning. What the request says itself stands.
nlohmann::ordered_json template_arguments(const ConversationFields& conversation, bool is_named) {
  nlohmann::ordered_json arguments = conversation.template_arguments;
  if (conversation.reasoning_effort.empty()) return arguments;
  if (arguments.is_null()) arguments = nlohmann::ordered_json::object();
  const bool reasons = conversation.reasoning_effort != "none";
  const auto add = [&](const char* key, nlohmann::ordered_json value) {
    if (!arguments.contains(key)) arguments[key] = std::move(value);
  };
  add("enable_thinking", reasons);
  if (is_named) return arguments;
  add("thinking", reasons);
  if (reasons) add("reasoning_effort", conversation.reasoning_effort);
  return arguments;
}

// Templates differ in whether they take a call's arguments as an object or as its text.
std::vector<PromptSegment> render(const LoadedModel& loaded, ChatTemplateInputs inputs) {
  try {
    return render_prompt(loaded, inputs);
  } catch (const Error& error) {
    bool has_calls = false;
    for (auto& message : inputs.messages) {
      if (!message.contains("tool_calls")) continue;
      has_calls = true;
      for (auto& call : message["tool_calls"]) call["function"]["arguments"] = json_line(call["function"]["arguments"]);
    }
    if (error.code() != ErrorCode::kInvalidArgument || !has_calls || loaded.named_template) throw;
    try {
      return render_prompt(loaded, inputs);
    } catch (const Error&) {
      throw error;
    }
  }
}

// What else could be asked, for the message of a refusal.
std::string other_models(const App& app) {
  std::string names;
  for (const auto& model : app.models())
    if (model->loaded.pictures) names += fmt::format("{}'{}'", names.empty() ? "" : ", ", model->id);
  return names.empty() ? "no model that is loaded here reads images"
                       : "of those that are loaded, images go to " + names;
}

using Pictures = std::vector<std::shared_ptr<const PreparedPicture>>;

Pictures pictures_of(const ServedModel& model, const ConversationFields& conversation, App& app) {
  Pictures pictures;
  if (conversation.images.empty()) return pictures;
  if (!model.loaded.pictures) {
    const std::string& field = conversation.images.front().field;
    throw unsupported_field(field, fmt::format("'{}': '{}' reads text only; {}", field, model.id, other_models(app)));
  }
  for (const auto& file : app.images().read(conversation.images)) {
    try {
      pictures.push_back(model.loaded.pictures->prepare(decode_image(file.bytes, file.field)));
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kInvalidArgument) throw;
      throw invalid_field(file.field, error.what());
    }
  }
  return pictures;
}

void place(const Pictures& pictures, const PictureReader& reader, ConversationPrompt& prompt) {
  try {
    PicturedPrompt placed = place_pictures(prompt.token_ids, reader.placeholder(), pictures);
    prompt.token_ids = std::move(placed.token_ids);
    prompt.pictures = std::move(placed.pictures);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInvalidArgument) throw;
    throw invalid_field("messages", fmt::format("the model's chat template: {}", error.what()));
  }
}

}  // namespace

ConversationPrompt prompt_of(const ServedModel& model, const ConversationFields& conversation, App& app) {
  const LoadedModel& loaded = model.loaded;
  if (!loaded.is_chat_model())
    throw invalid_field("model", fmt::format("'{}' has no chat template; use /v1/completions", model.id));
  const Pictures pictures = pictures_of(model, conversation, app);
  ChatTemplateInputs inputs;
  inputs.messages = conversation.messages;
  inputs.tools = conversation.tools;
  inputs.extra = template_arguments(conversation, loaded.named_template != nullptr);
  inputs.add_generation_prompt = conversation.add_generation_prompt;
  if (!loaded.named_template)
    for (auto& message : inputs.messages)  // gpt-oss's template has another name for it
      if (message.contains("reasoning_content")) message["thinking"] = message["reasoning_content"];
  if (!knows_developer(loaded)) {
    for (auto& message : inputs.messages)
      if (message["role"] == "developer") message["role"] = "system";
  }
  if (conversation.continue_final_message) {
    auto& content = inputs.messages.back()["content"];
    content = content.get<std::string>() + std::string(kContinueHere);
  }
  std::vector<PromptSegment> segments;
  try {
    segments = render(loaded, with_tools_as_text(model.messages, std::move(inputs)));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInvalidArgument) throw;
    throw invalid_field("messages", fmt::format("the chat template of '{}': {}", model.id, error.what()));
  }
  if (conversation.continue_final_message) cut_at_mark(segments);
  if (!pictures.empty()) loaded.pictures->prepare(segments);
  ConversationPrompt prompt{segments_text(*loaded.tokenizer, segments), encode_segments(*loaded.tokenizer, segments)};
  if (!pictures.empty()) place(pictures, *loaded.pictures, prompt);
  if (prompt.token_ids.empty()) throw invalid_field("messages", "the chat template makes an empty prompt of them");
  return prompt;
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
