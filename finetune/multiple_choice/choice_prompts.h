// Multiple-choice questions as prompts: answered ones of the same subject before, all through the model's chat
// template. Source: LLaMA-Factory's eval/template.py and eval/evaluator.py, equal to the id.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "finetune/datasets/example.h"
#include "finetune/multiple_choice/questions.h"
#include "finetune/spec/multiple_choice_spec.h"
#include "models/loader.h"
#include "runtime/tokenizer/tokenizer.h"

namespace hearth {

// `question` behind `shots`: a user's turn for each with the options and "Answer:", and the letter as the assistant's.
// What is said of the subject stands before the first.
Example as_conversation(const ChoiceQuestion& question, std::span<const ChoiceQuestion> shots,
                        const std::string& subject_name, QuestionLanguage language);

struct ChoicePrompts {
  std::vector<std::vector<TokenId>> prompts;  // of all questions, subject after subject
  int64_t shortened = 0;                      // of them have fewer shots, so that the model's context holds them
  int64_t longest = 0;                        // tokens
  std::string source;                         // which template wrote them, for logs
};

// Throws kInvalidArgument naming the question that does not fit even alone.
ChoicePrompts make_prompts(const LoadedModel& model, std::span<const ChoiceSubject> subjects,
                           QuestionLanguage language);

// The tokens of A, B, C and D, as LLaMA-Factory takes them: the last one of each letter by itself, though a prompt may
// lead to another (" A"). Throws kInvalidArgument for a tokenizer to which a letter is no token.
std::array<TokenId, kLetters.size()> letter_tokens(const Tokenizer& tokenizer);

}  // namespace hearth
