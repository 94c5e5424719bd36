#include "finetune/encoding/turn_encoder.h"

#include <algorithm>
#include <array>
#include <utility>

#include "models/prompt.h"
#include "models/vision/vision_family.h"
#include "runtime/base/error.h"
#include "runtime/tokenizer/replace_all.h"
#include "templates/assistant_spans.h"
#include "templates/llamafactory/recover_slots.h"

namespace hearth {
namespace {

using Role = SlotMessage::Role;

bool is_plain_text(const Example& example) {
  const auto says = [](const SlotMessage& message) {
    return message.role == Role::kUser || message.role == Role::kAssistant;
  };
  return example.tools.empty() && example.images.empty() &&
         std::all_of(example.prompt.begin(), example.prompt.end(), says) &&
         std::all_of(example.response.begin(), example.response.end(), says);
}

// A template that cannot be asked marks nothing.
bool marks_answers(const ChatTemplate& chat_template) {
  ChatTemplateInputs inputs;
  inputs.messages = nlohmann::ordered_json::parse(
      R"([{"role": "user", "content": "What is 1 + 1?"}, {"role": "assistant", "content": "2."}])");
  inputs.add_generation_prompt = false;
  try {
    return !chat_template.render(inputs).generated.empty();
  } catch (const Error&) {
    return false;
  }
}

std::optional<SlotTemplate> first_slots(const LoadedModel& model) {
  if (model.named_template) return *model.named_template;
  if (!model.chat_template) return SlotTemplate::named("empty", model.chat.options);
  return std::nullopt;
}

}  // namespace

TurnEncoder::TurnEncoder(const LoadedModel& model, const DataSpec& data, std::optional<std::time_t> now)
    : chat_template_(model.chat_template),
      options_(model.chat.options),
      slots_(first_slots(model)),
      pictures_(model.pictures ? std::make_shared<PictureFiles>(model.pictures, data.pixel_limits) : nullptr),
      tokenizer_(model.tokenizer, slots_ ? &*slots_ : nullptr, data.split_special_tokens),
      drop_earlier_thoughts_(data.mask_history && !options_.preserve_thinking),
      now_(now) {
  if (slots_)
    source_ = fmt::format("template '{}'", slots_->name);
  else if (marks_answers(*chat_template_))
    source_ = "the marks in the checkpoint's chat template";
  else
    look_for_slots();
  if (data.train_on_prompt && slots_ && slots_->efficient_eos)
    throw invalid_argument("train_on_prompt: template '{}' does not support it (its answers have no end of their own)",
                           slots_->name);
}

void TurnEncoder::look_for_slots() {
  const auto beginning = tokenizer_.beginning();
  try {
    slots_ = recover_slots(*chat_template_, beginning ? tokenizer_.tokenizer().token_text(*beginning) : "", now_);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInvalidArgument) throw;
    source_ = "what the checkpoint's chat template writes for the assistant";
    return;
  }
  if (options_.default_system) slots_->default_system = *options_.default_system;
  slots_->enable_thinking = options_.enable_thinking;
  slots_->preserve_thinking = options_.preserve_thinking;
  slots_need_plain_text_ = true;
  source_ = "slots recovered from the checkpoint's chat template";
}

std::optional<TokenId> TurnEncoder::final_eos() const {
  return slots_ && slots_->efficient_eos ? std::optional(tokenizer_.eos()) : std::nullopt;
}

bool TurnEncoder::spaces_words() const {
  return pictures_ && find_vision_family(pictures_->reader().config().family)->place == PicturePlace::kSpacedToken;
}

bool TurnEncoder::goes_by_slots(const Example& example) const {
  if (!example.videos.empty() || !example.audios.empty())
    throw invalid_argument("it has videos or audios, which the model does not read");
  return slots_ && (!slots_need_plain_text_ || is_plain_text(example));
}

std::vector<std::shared_ptr<const FilePicture>> TurnEncoder::pictures_of(const Example& example) const {
  std::vector<std::shared_ptr<const FilePicture>> pictures;
  if (example.images.empty()) return pictures;
  if (!pictures_) throw invalid_argument("it has images, and the model reads text only");
  for (const std::string& path : example.images) pictures.push_back(pictures_->describe(path));
  return pictures;
}

void TurnEncoder::place_pictures(const Example& example, std::span<EncodedText* const> texts) const {
  const std::vector<std::shared_ptr<const FilePicture>> pictures = pictures_of(example);
  if (!pictures_) return;
  size_t next = 0;
  for (EncodedText* text : texts) text->place(pictures, pictures_->reader().placeholder(), next);
  if (next != pictures.size())
    throw invalid_argument("it has {} images, and what the template writes of it has places for {}", pictures.size(),
                           next);
}

SlotConversation TurnEncoder::conversation_of(const Example& example) const {
  SlotConversation conversation{example.prompt, example.system, example.tools, now_};
  conversation.messages.insert(conversation.messages.end(), example.response.begin(), example.response.end());
  if (example.images.empty() || !pictures_) return conversation;
  const std::string image = slots_->image_text();
  if (tokenizer_.tokenizer().token_id(slots_->media.image) != pictures_->reader().placeholder())
    throw invalid_argument("template '{}' writes an image as {}, which is not what the model reads for one",
                           slots_->name, slots_->media.image);
  for (SlotMessage& message : conversation.messages)
    message.content = replace_all(message.content, kImagePlaceholder, image);
  return conversation;
}

std::vector<EncodedTurn> TurnEncoder::turns(const Example& example) const {
  std::vector<EncodedTurn> turns = goes_by_slots(example) ? turns_of_slots(example) : turns_of_spans(example);
  std::vector<EncodedText*> texts;
  for (EncodedTurn& turn : turns) texts.insert(texts.end(), {&turn.source, &turn.target});
  place_pictures(example, texts);
  return turns;
}

EncodedTurn TurnEncoder::last_turn(const Example& example) const {
  EncodedTurn last;
  if (goes_by_slots(example)) {
    const SlotTurn turn = slots_->last_turn(conversation_of(example));
    last = {{tokenizer_.encode(turn.prompt)}, {tokenizer_.encode(turn.response)}};
  } else {
    for (EncodedTurn& turn : turns_of_spans(example)) {
      last.source.append(last.target);
      last.source.append(turn.source);
      last.target = std::move(turn.target);
    }
  }
  place_pictures(example, std::array{&last.source, &last.target});
  return last;
}

std::vector<EncodedTurn> TurnEncoder::turns_of_slots(const Example& example) const {
  std::vector<EncodedTurn> turns;
  for (const SlotTurn& turn : slots_->turns(conversation_of(example), drop_earlier_thoughts_))
    turns.push_back({{tokenizer_.encode(turn.prompt)}, {tokenizer_.encode(turn.response)}});
  return turns;
}

std::vector<EncodedTurn> TurnEncoder::turns_of_spans(const Example& example) const {
  ChatTemplateInputs inputs = with_options(options_, example_inputs(example, spaces_words()));
  inputs.now = now_;
  const AssistantSpans found = assistant_spans(*chat_template_, inputs);
  const std::string_view text = found.prompt.text;
  size_t begin = 0;
  std::vector<TokenId> before;  // tokens of text up to `begin`
  const auto tokens_until = [&](size_t end) {
    std::vector<TokenId> whole = tokenizer_.encode(text.substr(0, end)), ids;
    if (whole.size() >= before.size() && std::equal(before.begin(), before.end(), whole.begin()))
      ids.assign(whole.begin() + static_cast<ptrdiff_t>(before.size()), whole.end());
    else
      ids = tokenizer_.encode(text.substr(begin, end - begin));
    before = std::move(whole);
    begin = end;
    return ids;
  };
  std::vector<EncodedTurn> turns;
  for (const ByteRange& span : found.spans) {
    EncodedTurn& turn = turns.emplace_back();
    turn.source.ids = tokens_until(span.begin);
    turn.target.ids = tokens_until(span.end);
  }
  return turns;
}

}  // namespace hearth
