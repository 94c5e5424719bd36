// A template of LLaMA-Factory as data: the slots of every role and what goes with them. The rows of registry.cpp are of
// these types. Source: LLaMA-Factory 0.9.6.dev0, data/template.py and data/formatter.py.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "templates/prompt_segment.h"

namespace hearth {

inline constexpr std::string_view kContent = "{{content}}";

// One slot: a text, in which the first {{content}} is replaced, or one token by name.
struct Slot {
  PromptSegment::Kind kind = PromptSegment::Kind::kText;
  std::string_view text = {};

  constexpr Slot() = default;
  constexpr Slot(const char* slot_text) : text(slot_text) {}
  constexpr Slot(PromptSegment::Kind slot_kind, std::string_view slot_text) : kind(slot_kind), text(slot_text) {}
};

// The tokenizer's own token; nothing where it has none.
inline constexpr Slot kBos{PromptSegment::Kind::kBos, {}}, kEos{PromptSegment::Kind::kEos, {}};
// A token that the tokenizer must have.
constexpr Slot token(const char* text) { return {PromptSegment::Kind::kToken, text}; }

class SlotList {
 public:
  static constexpr size_t kMaxSlots = 5;

  constexpr SlotList() = default;
  constexpr SlotList(const char* text) : slots_{Slot(text)}, size_(1) {}
  constexpr SlotList(std::initializer_list<Slot> slots) : size_(slots.size()) {
    size_t i = 0;
    for (const Slot& slot : slots) slots_.at(i++) = slot;
  }

  constexpr bool empty() const { return size_ == 0; }
  constexpr const Slot* begin() const { return slots_.data(); }
  constexpr const Slot* end() const { return slots_.data() + size_; }

 private:
  std::array<Slot, kMaxSlots> slots_;
  size_t size_ = 0;
};

// How tools are described and how calls to them are written (tool_format.h).
enum class ToolFormat : uint8_t {
  kDefaultTools,
  kGemma4Tools,
  kGlm4Tools,
  kGlm4MoeTools,
  kLfm2Tools,
  kLingTools,
  kLlama3Tools,
  kMinimax1Tools,
  kMinimax2Tools,
  kMistralTools,
  kPhi4MiniTools,
  kQwenTools,
  kQwen35Tools,
  kSeedOssTools,
};

// Of what is left empty: system and user are {{content}}, assistant is {{content}} and the end-of-sequence token
// (without it with efficient_eos), function is as assistant, observation as user, prefix nothing.
struct SlotSet {
  SlotList prefix = {}, system = {}, user = {}, assistant = {}, function = {}, observation = {};
  ToolFormat tools = ToolFormat::kDefaultTools;
};

// What differs between the classes of the reference.
enum class TemplateClass : uint8_t {
  kPlain,           // Template
  kSystemInUser,    // Llama2Template: the system text stands inside the first user message
  kReasoning,       // ReasoningTemplate: thoughts are kept, dropped or put in empty
  kGlm47Reasoning,  // Glm47ReasoningTemplate: an empty thought is its end alone
  kMossVl,          // MossVLTemplate: no line breaks before tools without a system text
};

// The multimodal plugin and the tokens that stand for media; "" where there is none.
struct MediaTokens {
  std::string_view plugin = "base";
  std::string_view image = {}, video = {}, audio = {};
  std::string_view vision_begin = {}, vision_end = {}, audio_begin = {}, audio_end = {}, time_begin = {}, time_end = {};
};

struct TemplateTraits {
  TemplateClass kind = TemplateClass::kPlain;
  std::string_view default_system = {};  // where a conversation has no system text
  std::array<std::string_view, 3> stop_words = {};
  std::array<std::string_view, 2> thought_words = {"<think>\n", "\n</think>\n\n"};
  std::array<std::string_view, 2> tool_call_words = {"<tool_call>", "</tool_call>"};
  bool efficient_eos = false;           // in training one end of sequence ends the whole conversation
  bool replace_eos = false;             // the first stop word is the end of sequence
  bool replace_jinja_template = false;  // a saved tokenizer gets these slots as its chat template
  MediaTokens media = {};
};

struct TemplateRow {
  std::string_view name;
  SlotSet slots;
  TemplateTraits traits;
};

}  // namespace hearth
