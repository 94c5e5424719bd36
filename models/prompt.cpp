#include "models/prompt.h"

#include <optional>
#include <utility>

#include "runtime/base/error.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;
using Kind = PromptSegment::Kind;

// The one token of a segment that is no text; nothing where the tokenizer has none of its kind.
std::optional<TokenId> token_of(const Tokenizer& tokenizer, const PromptSegment& segment) {
  if (segment.kind == Kind::kBos) return tokenizer.bos();
  if (segment.kind == Kind::kEos) return tokenizer.eos();
  if (segment.kind == Kind::kPicture) return kPicturePlaceholder;
  if (const auto id = tokenizer.token_id(segment.text)) return id;
  throw invalid_argument("the tokenizer lacks the template's token '{}'", segment.text);
}

bool begins_with_system(const Json& messages) {
  if (messages.empty() || !messages.front().is_object()) return false;
  const auto role = messages.front().find("role");
  return role != messages.front().end() && *role == "system";
}

}  // namespace

ChatTemplateInputs with_options(const SlotTemplateOptions& options, ChatTemplateInputs inputs) {
  const std::string system = options.default_system.value_or("");
  if (!system.empty() && inputs.messages.is_array() && !begins_with_system(inputs.messages))
    inputs.messages.insert(inputs.messages.begin(), Json{{"role", "system"}, {"content", system}});
  if (options.enable_thinking == false && (inputs.extra.is_null() || inputs.extra.is_object()) &&
      !inputs.extra.contains("enable_thinking"))
    inputs.extra["enable_thinking"] = false;
  return inputs;
}

std::vector<PromptSegment> render_prompt(const LoadedModel& loaded, const ChatTemplateInputs& inputs) {
  if (loaded.named_template) return loaded.named_template->render(inputs);
  if (!loaded.chat_template) throw failed_precondition("the model has no chat template; name one with 'template'");
  RenderedPrompt prompt = loaded.chat_template->render(with_options(loaded.chat.options, inputs));
  return {{Kind::kText, std::move(prompt.text), std::move(prompt.literal)}};
}

std::vector<TokenId> encode_segments(const Tokenizer& tokenizer, std::span<const PromptSegment> segments,
                                     ControlTokens control_tokens) {
  std::vector<TokenId> ids;
  for (const PromptSegment& segment : segments) {
    if (segment.kind != Kind::kText) {
      if (const auto id = token_of(tokenizer, segment)) ids.push_back(*id);
      continue;
    }
    EncodeOptions options;
    options.parse_special = control_tokens != ControlTokens::kNowhere;
    if (control_tokens == ControlTokens::kOutsideMessages) options.literal = segment.literal;
    const std::vector<TokenId> more = tokenizer.encode(segment.text, options);
    ids.insert(ids.end(), more.begin(), more.end());
  }
  return ids;
}

std::string segments_text(const Tokenizer& tokenizer, std::span<const PromptSegment> segments) {
  std::string text;
  for (const PromptSegment& segment : segments) {
    if (segment.kind == Kind::kText || segment.kind == Kind::kPicture)
      text += segment.text;
    else if (const auto id = token_of(tokenizer, segment))
      text += tokenizer.token_text(*id);
  }
  return text;
}

}  // namespace hearth
