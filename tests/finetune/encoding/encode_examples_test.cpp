// Which template writes an example, what of it is learnt, and what becomes of examples that a template refuses. (Ids
// are compared with LLaMA-Factory's in golden_test.cpp.)
#include "finetune/encoding/encode_examples.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "finetune/encoding/join_turns.h"
#include "finetune/encoding/packing.h"
#include "finetune/encoding/turn_encoder.h"
#include "runtime/base/error.h"

namespace hearth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Role = SlotMessage::Role;

constexpr TokenId kNone = kIgnoredLabel;

std::shared_ptr<const Tokenizer> small_tokenizer() {
  static const std::shared_ptr<const Tokenizer> tokenizer = load_tokenizer("tests/golden/tokenizers/llama3");
  return tokenizer;
}

// <|begin_of_text|>, then of each message <|im_start|>role, a line break, the text and <|im_end|>, as the default
// model's template writes it.
std::string chatml(const std::string& before_answer, const std::string& behind_answer) {
  return "<|begin_of_text|>{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{% if m.role == 'assistant' %}" +
         before_answer +
         "{{ m.content }}{% for c in m.tool_calls or [] %}{{ '<tool_call>' + c.function | tojson }}{% endfor %}{{ "
         "'<|im_end|>' }}" +
         behind_answer +
         "{{ '\n' }}{% else %}{{ m.content + '<|im_end|>\n' }}{% endif %}{% endfor %}{% if add_generation_prompt "
         "%}{{ '<|im_start|>assistant\n' }}{% endif %}";
}

LoadedModel model_with(const std::string& chat_template) {
  LoadedModel model;
  model.tokenizer = small_tokenizer();
  if (!chat_template.empty()) model.chat_template = std::make_shared<ChatTemplate>(chat_template, "", "<|eot_id|>");
  return model;
}

LoadedModel model_named(const std::string& name) {
  LoadedModel model = model_with("");
  model.chat.template_name = name;
  model.named_template = std::make_shared<SlotTemplate>(SlotTemplate::named(name));
  return model;
}

Example two_turns() {
  Example example;
  example.prompt = {{Role::kUser, "Hi"}, {Role::kAssistant, "Hello!"}, {Role::kUser, "Bye"}};
  example.response = {{Role::kAssistant, "See you"}};
  example.place = "own.json, row 1";
  return example;
}

Example with_call() {
  Example example;
  example.prompt = {{Role::kUser, "Time?"},
                    {Role::kFunction, R"({"name": "clock", "arguments": {}})"},
                    {Role::kObservation, "12:34"}};
  example.response = {{Role::kAssistant, "It is 12:34."}};
  example.tools = R"([{"name": "clock", "description": "", "parameters": {}}])";
  return example;
}

// The pieces of text that are learnt, in order.
std::vector<std::string> learnt(const Tokenizer& tokenizer, const TokenizedExample& example) {
  std::vector<std::string> out;
  bool inside = false;
  for (size_t i = 0; i < example.input_ids.size(); ++i) {
    const bool counts = example.labels.at(i) != kNone;
    if (counts && !inside) out.emplace_back();
    if (counts) out.back() += tokenizer.token_bytes(example.input_ids[i]);
    inside = counts;
  }
  return out;
}

std::string text_of(const Tokenizer& tokenizer, const TokenizedExample& example) {
  std::string out;
  for (const TokenId id : example.input_ids) out += tokenizer.token_bytes(id);
  return out;
}

EncodedData encode(const LoadedModel& model, const std::vector<Example>& examples, const DataSpec& data = {}) {
  return encode_examples(model, examples, data, Stage::kSft);
}

TEST(EncodeExamples, TheTemplateIsNamedMarkedRecoveredWrittenOrEmpty) {
  const struct {
    LoadedModel model;
    Example example;
    const char* source;
    std::vector<std::string> learnt;
  } cases[] = {
      {model_named("default"), two_turns(), "template 'default'", {"Hello!<|eot_id|>\n", "See you<|eot_id|>\n"}},
      {model_with(chatml("{% generation %}", "{% endgeneration %}")),
       two_turns(),
       "the marks in the checkpoint's chat template",
       {"Hello!<|im_end|>", "See you<|im_end|>"}},
      {model_with(chatml("", "")),
       two_turns(),
       "slots recovered from the checkpoint's chat template",
       {"Hello!<|im_end|>\n", "See you<|im_end|>\n"}},
      {model_with(chatml("", "")),
       with_call(),
       "slots recovered from the checkpoint's chat template",
       {"<tool_call>{\"name\": \"clock\", \"arguments\": {}}<|im_end|>\n", "It is 12:34.<|im_end|>\n"}},
      {model_with(chatml("{{ loop.index }}", "")),  // a number that no slot holds
       two_turns(),
       "what the checkpoint's chat template writes for the assistant",
       {"2Hello!<|im_end|>\n", "4See you<|im_end|>\n"}},
      {model_with(""), two_turns(), "template 'empty'", {"Hello!", "See you"}},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.source);
    const EncodedData encoded = encode(c.model, {c.example});
    ASSERT_EQ(encoded.examples.size(), 1) << (encoded.dropped.empty() ? "" : encoded.dropped.front().reason);
    EXPECT_EQ(encoded.source, c.source);
    EXPECT_EQ(learnt(*small_tokenizer(), encoded.examples.front()), c.learnt);
  }
}

TEST(EncodeExamples, AnswersOfWeightZeroAreThereButNotLearnt) {
  Example example = two_turns();
  example.unlearnt = {0};
  // Its end, which the next turn's first label would teach, is not learnt either.
  for (const LoadedModel& model :
       {model_named("default"), model_with(chatml("{% generation %}", "{% endgeneration %}")),
        model_with(chatml("", "")), model_with(chatml("{{ loop.index }}", ""))}) {
    const EncodedData with = encode(model, {two_turns()}), without = encode(model, {example});
    SCOPED_TRACE(with.source);
    ASSERT_EQ(without.examples.size(), 1) << without.dropped.front().reason;
    EXPECT_EQ(without.examples[0].input_ids, with.examples[0].input_ids);
    EXPECT_EQ(learnt(*small_tokenizer(), without.examples[0]),
              std::vector{learnt(*small_tokenizer(), with.examples[0])[1]});
  }
  // With two pairs of marks an answer they are not told apart.
  const EncodedData one =
      encode(model_with(chatml("{% generation %}I say{% endgeneration %}: {% generation %}", "{% endgeneration %}")),
             {example});
  ASSERT_EQ(one.dropped.size(), 1);
  EXPECT_THAT(one.dropped[0].reason, HasSubstr("weight 0"));
}

// As serving makes them of the same text; a border between prompt and answer is one between tokens all the same.
TEST(EncodeExamples, SpansHaveTheTokensOfTheWholeTextCutAtTheirBorders) {
  const LoadedModel model = model_with(chatml("{{ loop.index }}", ""));
  Example example = two_turns();
  const TokenizedExample whole = encode(model, {example}).examples.at(0);
  EXPECT_EQ(whole.input_ids, small_tokenizer()->encode(text_of(*small_tokenizer(), whole)));

  // "\n" + "\n\n" would be one token in the whole text.
  const LoadedModel marked = model_with(chatml("{% generation %}", "{% endgeneration %}"));
  example.response.front().content = "\n\nSee you";
  EXPECT_THAT(learnt(*small_tokenizer(), encode(marked, {example}).examples.at(0)),
              ElementsAre("Hello!<|im_end|>", "\n\nSee you<|im_end|>"));
}

TEST(EncodeExamples, OptionsChangeTheCheckpointsOwnTemplateToo) {
  LoadedModel model = model_with(chatml("", ""));
  model.chat.options.default_system = "Be kind.";
  const std::string text = text_of(*small_tokenizer(), encode(model, {two_turns()}).examples.at(0));
  EXPECT_TRUE(text.starts_with("<|begin_of_text|><|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi"))
      << text;
}

TEST(EncodeExamples, ExamplesThatCannotBeEncodedAreDroppedWithTheirPlace) {
  std::vector<Example> examples(40, two_turns());
  examples[3].prompt.pop_back();
  examples[3].place = "row 3";
  examples[17].response.front().content = "\xff";
  examples[17].place = "row 17";
  examples[20].images = {"a.png"};
  examples[20].place = "row 20";
  examples[39].prompt[1] = {Role::kFunction, "no JSON"};
  examples[39].place = "row 39";
  const EncodedData encoded = encode(model_named("default"), examples);
  EXPECT_EQ(encoded.examples.size(), 36);
  ASSERT_EQ(encoded.dropped.size(), 4);
  const std::pair<const char*, const char*> expected[] = {
      {"row 3", "odd number"}, {"row 17", "UTF-8"}, {"row 20", "images"}, {"row 39", ""}};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(encoded.dropped[i].place, expected[i].first);
    EXPECT_THAT(encoded.dropped[i].reason, HasSubstr(expected[i].second));
  }
}

TEST(EncodeExamples, WhatCannotBeIsRefused) {
  const auto error_of = [](const LoadedModel& model, const DataSpec& data, Stage stage = Stage::kSft) {
    try {
      encode_examples(model, {}, data, stage);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  DataSpec on_prompt;
  on_prompt.train_on_prompt = true;
  EXPECT_THAT(error_of(model_named("falcon"), on_prompt), HasSubstr("template 'falcon' does not support"));
  EXPECT_THAT(error_of(model_named("gemma"), {}), HasSubstr("template 'gemma' writes the stop word '<end_of_turn>'"));
  DataSpec packed;
  packed.neat_packing = true;
  packed.cutoff_len = 1;
  EXPECT_EQ(error_of(model_named("default"), packed), "cutoff_len is 1, must be at least 2");
  EXPECT_THAT(error_of(model_named("default"), {}, Stage::kPpo), HasSubstr("stage ppo is not encoded"));
}

TEST(EncodeExamples, AMissingStopWordIsInTheWayOnlyOfTextsThatSpellIt) {
  const LoadedModel model = model_named("llama3");  // the small tokenizer has <|eot_id|>, but not <|eom_id|>
  Example example = two_turns();
  example.response.front().content = "a <|eom_id|> b";
  const EncodedData encoded = encode(model, {two_turns(), example});
  EXPECT_EQ(encoded.examples.size(), 1);
  ASSERT_EQ(encoded.dropped.size(), 1);
  EXPECT_THAT(encoded.dropped[0].reason, HasSubstr("the text has the stop word '<|eom_id|>'"));
  DataSpec split;
  split.split_special_tokens = true;  // no text becomes a control token then
  EXPECT_EQ(encode(model, {two_turns(), example}, split).examples.size(), 2);
}

TEST(EncodeExamples, PretrainingBlocksBeginAsTheTokenizerDoes) {
  LoadedModel model = model_named("default");
  ASSERT_EQ(small_tokenizer()->encode("", {.add_special = true}), std::vector<TokenId>{*small_tokenizer()->bos()});
  Example text;
  text.prompt = {{Role::kUser, "the quick brown fox jumps over the lazy dog"}};
  DataSpec data;
  data.cutoff_len = 8;
  const TokenId bos = *small_tokenizer()->bos(), eos = *small_tokenizer()->eos();
  const EncodedData blocks = encode_examples(model, std::vector<Example>(3, text), data, Stage::kPretraining);
  ASSERT_GE(blocks.examples.size(), 2);
  for (const TokenizedExample& block : blocks.examples) {
    EXPECT_EQ(block.input_ids.size(), 8);
    EXPECT_EQ(block.input_ids.front(), bos);
    for (size_t i = 0; i < 8; ++i)  // without a padding token of its own, the end of sequence is it
      EXPECT_EQ(block.labels[i], block.input_ids[i] == eos ? kNone : block.input_ids[i]);
  }
  data.packing = false;
  data.cutoff_len = 2048;
  const EncodedData texts = encode_examples(model, std::vector<Example>(3, text), data, Stage::kPretraining);
  ASSERT_EQ(texts.examples.size(), 3);
  EXPECT_EQ(texts.examples[0].input_ids.front(), bos);
  EXPECT_EQ(texts.examples[0].input_ids.back(), eos);
}

// "3?" answered "3!"; the answers of rows that are multiples of 4 are undesirable.
Example numbered(size_t i) {
  Example example;
  example.prompt = {{Role::kUser, std::to_string(i) + "?"}};
  example.response = {{Role::kAssistant, std::to_string(i) + "!"}, {Role::kAssistant, ""}};
  if (i % 4 == 0) std::swap(example.response[0], example.response[1]);
  return example;
}

TEST(EncodeExamples, KlAnswersAreShiftedByOneInGroupsOfAThousand) {
  std::vector<Example> examples;
  for (size_t i = 0; i < 1003; ++i) examples.push_back(numbered(i));
  const EncodedData encoded = encode_examples(model_named("default"), examples, {}, Stage::kKto);
  ASSERT_EQ(encoded.examples.size(), 1003);
  const std::pair<size_t, const char*> cases[] = {
      {0, "999!"}, {1, "0!"}, {999, "998!"}, {1000, "1002!"}, {1002, "1001!"}};
  for (const auto& [i, other] : cases) {
    const TokenizedExample& example = encoded.examples[i];
    EXPECT_THAT(learnt(*small_tokenizer(), example),
                ElementsAre(std::to_string(i) + "!<|eot_id|>\n", std::string(other) + "<|eot_id|>\n"));
    EXPECT_EQ(example.desirable, i % 4 != 0);
    const std::string text = text_of(*small_tokenizer(), example), question = "Human: " + std::to_string(i) + "?";
    EXPECT_NE(text.find(question), text.rfind(question)) << text;  // before both
    ASSERT_EQ(example.packed_lengths.size(), 2);
  }
}

TEST(EncodeExamples, AnExampleWhoseKlAnswerCannotBeEncodedIsDroppedToo) {
  std::vector<Example> examples = {numbered(1), numbered(2), numbered(3), numbered(5)};
  examples[1].response.front().content = "\xff";
  const EncodedData encoded = encode_examples(model_named("default"), examples, {}, Stage::kKto);
  EXPECT_EQ(encoded.examples.size(), 2);
  EXPECT_EQ(encoded.dropped.size(), 2);
}

TEST(EncodeExamples, RewardModelsLearnFromTheSamePairsAsDpo) {
  Example pair = two_turns();
  pair.response.push_back({Role::kAssistant, "Go"});
  const auto encoded = [&](Stage stage) { return encode_examples(model_named("default"), {{pair}}, {}, stage); };
  const TokenizedExample reward = encoded(Stage::kRewardModel).examples.at(0),
                         dpo = encoded(Stage::kDpo).examples.at(0);
  EXPECT_EQ(reward.input_ids, dpo.input_ids);
  EXPECT_EQ(reward.labels, dpo.labels);
  EXPECT_EQ(reward.packed_lengths, dpo.packed_lengths);
  EXPECT_THAT(learnt(*small_tokenizer(), reward), ElementsAre("See you<|eot_id|>\n", "Go<|eot_id|>\n"));
  EXPECT_FALSE(reward.desirable);
}

TEST(JoinTurns, BudgetsLabelsAndTheFinalEndOfSequence) {
  const std::vector<EncodedTurn> turns = {{{{1, 2, 3}}, {{4, 5}}}, {{{6, 7}}, {{8, 9}}}};
  const auto labels = [&](const JoinOptions& options) { return join_turns(turns, options).example.labels; };
  EXPECT_THAT(labels({}), ElementsAre(kNone, kNone, kNone, 4, 5, kNone, kNone, 8, 9));
  EXPECT_THAT(labels({.train_on_prompt = true}), ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9));
  EXPECT_THAT(labels({.mask_history = true}), ElementsAre(kNone, kNone, kNone, kNone, kNone, kNone, kNone, 8, 9));
  EXPECT_THAT(labels({.final_eos = 50}), ElementsAre(kNone, kNone, kNone, 4, 5, 50, kNone, 8, 9, 50));
  EXPECT_THAT(labels({.cutoff_len = 7}), ElementsAre(kNone, kNone, kNone, 4, 5, kNone, 8));
  EXPECT_THAT(labels({.cutoff_len = 5}), ElementsAre(kNone, kNone, kNone, 4, 5));
  EXPECT_THAT(labels({.cutoff_len = 4, .mask_history = true}), ElementsAre(kNone, kNone, 8, 9));
  std::vector<EncodedTurn> first = turns, last = turns;
  first[0].learnt = last[1].learnt = false;
  const auto kept = [](const std::vector<EncodedTurn>& some, const JoinOptions& options) {
    return join_turns(some, options).example.labels;
  };
  EXPECT_THAT(kept(first, {}), ElementsAre(kNone, kNone, kNone, kNone, kNone, kNone, kNone, 8, 9));
  EXPECT_THAT(kept(first, {.final_eos = 50}), ElementsAre(kNone, kNone, kNone, kNone, kNone, kNone, kNone, 8, 9, 50));
  EXPECT_THAT(kept(last, {.final_eos = 50}), ElementsAre(kNone, kNone, kNone, 4, 5, 50, kNone, kNone, kNone, kNone));
  EXPECT_THAT(kept(first, {.train_on_prompt = true}), ElementsAre(1, 2, 3, kNone, kNone, 6, 7, 8, 9));
  EXPECT_FALSE(join_turns(turns, {.cutoff_len = 9}).truncated);
  EXPECT_TRUE(join_turns(turns, {.cutoff_len = 8}).truncated);
  EXPECT_TRUE(join_turns(turns, {.cutoff_len = 5}).truncated);
}

TEST(Packing, TheLongestThatFitsComesNext) {
  const std::vector<int> lengths = {3, 7, 3, 5, 1};
  EXPECT_THAT(greedy_knapsack(lengths, 10), ElementsAre(std::vector<size_t>{1, 2}, std::vector<size_t>{3, 0, 4}));
  const std::vector<TokenizedExample> examples = {
      {{1, 2}, {kNone, 2}, {}}, {{3}, {3}, {}}, {{4, 5, 6}, {kNone, 5, 6}, {}}};
  const std::vector<TokenizedExample> packed = pack_examples(examples, 4, true);
  ASSERT_EQ(packed.size(), 2);
  EXPECT_THAT(packed[0].input_ids, ElementsAre(4, 5, 6, 3));
  EXPECT_THAT(packed[0].packed_lengths, ElementsAre(3, 1));
  EXPECT_TRUE(packed[0].attends_across);
  EXPECT_TRUE(packed[1].packed_lengths.empty());
  EXPECT_FALSE(packed[1].attends_across);
  EXPECT_FALSE(pack_examples(examples, 4, false)[0].attends_across);
}

}  // namespace
}  // namespace hearth
