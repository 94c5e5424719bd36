#include "finetune/multiple_choice/choice_prompts.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include <fmt/format.h>

#include "finetune/encoding/encode_each.h"
#include "finetune/encoding/turn_encoder.h"
#include "finetune/spec/train_spec.h"
#include "runtime/base/error.h"

namespace hearth {
namespace {

using Role = SlotMessage::Role;

struct Words {
  const char *before, *after;  // the subject's name
  const char* answer;
};
constexpr Words kEnglish = {"The following are multiple choice questions (with answers) about ", ".\n\n", "\nAnswer:"};
constexpr Words kChinese = {"以下是中国关于", "考试的单项选择题，请选出其中的正确答案。\n\n", "\n答案："};

std::string asked(const ChoiceQuestion& question, const Words& words) {
  std::string text = question.text;
  for (size_t i = 0; i < kLetters.size(); ++i) text += fmt::format("\n{}. {}", kLetters[i], question.options[i]);
  return text + words.answer;
}

SlotMessage letter_of(const ChoiceQuestion& question) {
  return {.role = Role::kAssistant, .content = std::string(1, kLetters[question.answer])};
}

struct Encoded {
  std::vector<TokenId> ids;
  bool shortened = false;
};

// With as many of the shots as there is room for.
Encoded encode(const TurnEncoder& encoder, const ChoiceSubject& subject, const ChoiceQuestion& question,
               QuestionLanguage language, int64_t room) {
  Encoded out;
  for (size_t shots = subject.shots.size();; --shots) {
    out.ids =
        encoder.last_turn(as_conversation(question, std::span(subject.shots).first(shots), subject.name, language))
            .source.ids;
    if (static_cast<int64_t>(out.ids.size()) <= room) return out;
    if (shots == 0)
      throw invalid_argument("a prompt of {} tokens, and the model has room for {}: it needs a longer context",
                             out.ids.size(), room);
    out.shortened = true;
  }
}

}  // namespace

Example as_conversation(const ChoiceQuestion& question, std::span<const ChoiceQuestion> shots,
                        const std::string& subject_name, QuestionLanguage language) {
  const Words& words = language == QuestionLanguage::kChinese ? kChinese : kEnglish;
  Example example;
  for (const ChoiceQuestion& shot : shots) {
    example.prompt.push_back({.content = asked(shot, words)});
    example.prompt.push_back(letter_of(shot));
  }
  example.prompt.push_back({.content = asked(question, words)});
  example.prompt.front().content.insert(0, words.before + subject_name + words.after);
  example.response = {letter_of(question)};
  example.place = question.place;
  return example;
}

ChoicePrompts make_prompts(const LoadedModel& model, std::span<const ChoiceSubject> subjects,
                           QuestionLanguage language) {
  std::vector<std::pair<const ChoiceSubject*, const ChoiceQuestion*>> asked_of;
  for (const ChoiceSubject& subject : subjects)
    for (const ChoiceQuestion& question : subject.questions) asked_of.emplace_back(&subject, &question);
  const TurnEncoder encoder(model, DataSpec());
  const int64_t room = model.model->dims().max_positions - 1;  // the answer takes one
  std::vector<Encoded> encoded(asked_of.size());
  const std::vector<std::string> refused = encode_each(asked_of.size(), [&](size_t i) {
    encoded[i] = encode(encoder, *asked_of[i].first, *asked_of[i].second, language, room);
  });
  ChoicePrompts out;
  out.source = encoder.source();
  for (size_t i = 0; i < encoded.size(); ++i) {
    if (!refused[i].empty()) throw invalid_argument("{}: {}", asked_of[i].second->place, refused[i]);
    out.shortened += encoded[i].shortened;
    out.longest = std::max(out.longest, static_cast<int64_t>(encoded[i].ids.size()));
    out.prompts.push_back(std::move(encoded[i].ids));
  }
  return out;
}

std::array<TokenId, kLetters.size()> letter_tokens(const Tokenizer& tokenizer) {
  std::array<TokenId, kLetters.size()> ids{};
  for (size_t i = 0; i < kLetters.size(); ++i) {
    const std::string letter(1, kLetters[i]);
    const std::vector<TokenId> tokens = tokenizer.encode(letter);
    std::string spelled = tokens.empty() ? "" : tokenizer.token_bytes(tokens.back());
    std::erase(spelled, ' ');
    if (spelled != letter)
      throw invalid_argument(
          "to the model's tokenizer the letter {} is no token ('{}'): multiple choice compares the letters' "
          "log-probabilities and cannot be done with it",
          letter, spelled);
    ids[i] = tokens.back();
  }
  return ids;
}

}  // namespace hearth
