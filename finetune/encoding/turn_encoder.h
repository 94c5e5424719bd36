// A conversation as turns of tokens: what is asked, and the answer that is learnt. Which template writes it, in this
// order: the one that the job names; the {% generation %} marks of the checkpoint's own; for plain texts the slots
// recovered from it, with which LLaMA-Factory trains; assistant_spans; and `empty` for a checkpoint without a template.
//
// Slots are tokenised one by one, as LLaMA-Factory does. Marks and spans cut the text that the template renders: its
// tokens are those of the whole text, as serving and apply_chat_template make them, but a border between prompt and
// answer is always one between tokens, because serving tokenises the prompt alone. What a template writes behind the
// last answer teaches nothing and is left out.
//
// Each <image> of a conversation is one of its images, in order. A named template writes it as LLaMA-Factory's plugin
// of that template does, any other as its part of type image.
#pragma once

#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "finetune/datasets/example.h"
#include "finetune/encoding/encoded_text.h"
#include "finetune/encoding/training_tokenizer.h"
#include "finetune/spec/train_spec.h"
#include "models/loader.h"

namespace hearth {

struct EncodedTurn {
  EncodedText source, target;
  bool learnt = true;  // false: the target is context alone
};

class TurnEncoder {
 public:
  // Of `model`: tokenizer, templates and chat options. `now` is the date that templates may write; the clock when
  // unset. Throws kInvalidArgument for a template that the tokenizer or `data` does not go with.
  TurnEncoder(const LoadedModel& model, const DataSpec& data, std::optional<std::time_t> now = {});

  // Throws kInvalidArgument for a conversation that the template refuses. Safe to call from many threads.
  std::vector<EncodedTurn> turns(const Example& example) const;

  // All before the last answer, and that answer alone: LLaMA-Factory's encode_oneturn, which leaves the thoughts of
  // earlier answers out. Throws likewise.
  EncodedTurn last_turn(const Example& example) const;

  // Of templates with efficient_eos: the end of sequence that is put behind the whole conversation, and learnt.
  std::optional<TokenId> final_eos() const;
  const TrainingTokenizer& tokenizer() const { return tokenizer_; }
  // "template 'qwen'", "the marks in the checkpoint's chat template"
  const std::string& source() const { return source_; }

 private:
  bool goes_by_slots(const Example& example) const;
  bool spaces_words() const;  // PicturePlace::kSpacedToken
  // What stands for its images. Throws kInvalidArgument where the model reads none.
  std::vector<std::shared_ptr<const FilePicture>> pictures_of(const Example& example) const;
  // ... in the place of the placeholders in all of `texts`.
  void place_pictures(const Example& example, std::span<EncodedText* const> texts) const;
  SlotConversation conversation_of(const Example& example) const;
  std::vector<EncodedTurn> turns_of_slots(const Example& example) const;
  std::vector<EncodedTurn> turns_of_spans(const Example& example) const;
  void look_for_slots();

  std::shared_ptr<const ChatTemplate> chat_template_;
  SlotTemplateOptions options_;
  std::optional<SlotTemplate> slots_;       // named, recovered or empty
  std::shared_ptr<PictureFiles> pictures_;  // null: the model reads text only
  bool slots_need_plain_text_ = false;
  TrainingTokenizer tokenizer_;
  bool drop_earlier_thoughts_;
  std::optional<std::time_t> now_;
  std::string source_;
};

// Example as OpenAI's messages and tools, for Jinja templates. With `spaces_words` a word right behind an image gets a
// space before it. Throws kInvalidArgument for calls or tools that are no JSON.
ChatTemplateInputs example_inputs(const Example& example, bool spaces_words = false);

}  // namespace hearth
