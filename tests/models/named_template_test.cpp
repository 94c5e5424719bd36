// A named template on a loaded model: its prompt slot by slot, its stop words, and where it differs from the
// checkpoint's own.
#include "models/named_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/prompt.h"
#include "runtime/base/error.h"
#include "tests/models/tiny_models.h"

namespace hearth {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// Its tokenizer knows <|endoftext|>, <|im_start|> (beginning) and <|im_end|> (end); its template is plain ChatML.
class NamedTemplate : public ::testing::Test {
 protected:
  void SetUp() override { test::make_directory(test::tiny_model("none"), directory_.path()); }

  LoadedModel load(const std::string& name, const SlotTemplateOptions& options = {}) {
    return load_model(directory_.path(), {.chat = {.template_name = name, .options = options}});
  }
  std::string refusal(const std::string& name) {
    try {
      load(name);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  void write_template(const std::string& text) { write_file_atomic(directory_.path() / "chat_template.jinja", text); }

  static ChatTemplateInputs conversation(const std::string& content) {
    ChatTemplateInputs inputs;
    inputs.messages = {{{"role", "user"}, {"content", content}}};
    return inputs;
  }

  test::TemporaryDirectory directory_;
};

TEST_F(NamedTemplate, IsRenderedInPlaceOfTheCheckpointsOwn) {
  const LoadedModel loaded = load("zephyr");
  EXPECT_EQ(segments_text(*loaded.tokenizer, render_prompt(loaded, conversation("Hi"))),
            "<|system|>\nYou are Zephyr, a helpful assistant.<|im_end|><|user|>\nHi<|im_end|><|assistant|>\n");
}

TEST_F(NamedTemplate, TokenisesSlotBySlot) {
  const LoadedModel loaded = load("seed_coder", {.default_system = ""});
  const Tokenizer& tokenizer = *loaded.tokenizer;
  const std::vector<PromptSegment> segments = render_prompt(loaded, conversation("a<|im_end|>b"));
  std::vector<TokenId> expected = {*tokenizer.bos()};
  const auto add = [&](std::string_view text, bool parse_special) {
    const std::vector<TokenId> ids = tokenizer.encode(text, {.parse_special = parse_special});
    expected.insert(expected.end(), ids.begin(), ids.end());
  };
  add("user\na<|im_end|>b", /*parse_special=*/false);
  expected.push_back(*tokenizer.eos());
  expected.push_back(*tokenizer.bos());
  add("assistant\n", true);
  EXPECT_EQ(encode_segments(tokenizer, segments), expected);
  // As the reference trains: what users spell counts.
  EXPECT_THAT(encode_segments(tokenizer, std::span(segments).subspan(1, 1), ControlTokens::kEverywhere),
              Contains(*tokenizer.eos()));
  EXPECT_THAT(encode_segments(tokenizer, std::span(segments).subspan(1, 1)), Not(Contains(*tokenizer.eos())));
}

TEST_F(NamedTemplate, StopWordsAreTokensOrTexts) {
  const LoadedModel chatml = load("chatml");
  EXPECT_THAT(chatml.stop_token_ids, Contains(*chatml.tokenizer->token_id("<|im_end|>")));
  EXPECT_THAT(chatml.stop_token_ids, Contains(*chatml.tokenizer->token_id("<|im_start|>")));
  EXPECT_THAT(chatml.stop_strings, IsEmpty());
  EXPECT_THAT(load("yi_vl").stop_strings, ElementsAre("###"));
}

TEST_F(NamedTemplate, RefusesNamesAndTokensThatDoNotExist) {
  EXPECT_THAT(refusal("chatglm3"),
              HasSubstr("template 'chatglm3' needs the token '[gMASK]', which the tokenizer lacks"));
  EXPECT_THAT(refusal("zephyrr"), HasSubstr("no template is named 'zephyrr'"));
}

TEST_F(NamedTemplate, DiffersFromTheCheckpointsOwn) {
  EXPECT_EQ(template_difference(load("chatml")), std::nullopt);
  EXPECT_EQ(template_difference(load("qwen3", {.enable_thinking = true})), std::nullopt);
  // The default system message is part of it, unless one is configured.
  EXPECT_THAT(template_difference(load("smollm2")).value_or(""), HasSubstr("named SmolLM"));
  EXPECT_EQ(template_difference(load("smollm2", {.default_system = "S"})), std::nullopt);
  EXPECT_EQ(template_difference(load("falcon")).value_or(""),
            "template 'falcon' writes \"Be brief.User: What is 1 + 1?\\nFalcon:2.\\nUser: And 2 + 2?\\nFalcon:\", but "
            "the checkpoint's own chat template writes \"<|im_start|>system\\nBe brief.<|im_end|>\\n<|im_start|>user\\n"
            "What is 1 + 1?<|im_end|>\\n<|im_start|>assistant\\n2.<|im_end|>\\n<|im_start|>user\\nAnd 2 + 2?<|im_end|>"
            "\\n<|im_start|>assistant\\n\"");
  write_template("{{ raise_exception('never') }}");
  EXPECT_THAT(template_difference(load("falcon")).value_or(""), HasSubstr("refuses such a conversation"));
  // A template that knows no system message is compared without one.
  write_template(
      "{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}{% for m in messages %}"
      "{{ ('User: ' ~ m.content ~ '\\nFalcon:') if m.role == 'user' else m.content ~ '\\n' }}{% endfor %}");
  EXPECT_EQ(template_difference(load("falcon")), std::nullopt);
}

TEST_F(NamedTemplate, ConfiguredChatOptionsReachTheCheckpointsOwnTemplateToo) {
  write_template("{% for m in messages %}{{ m.role ~ ':' ~ m.content ~ ';' }}{% endfor %}{{ enable_thinking }}");
  const LoadedModel loaded = load("", {.default_system = "S", .enable_thinking = false});
  const auto text = [&](const ChatTemplateInputs& inputs) {
    return segments_text(*loaded.tokenizer, render_prompt(loaded, inputs));
  };
  EXPECT_EQ(text(conversation("Hi")), "system:S;user:Hi;False");
  ChatTemplateInputs inputs = conversation("Hi");
  inputs.messages =
      nlohmann::ordered_json::parse(R"([{"role": "system", "content": "own"}, {"role": "user", "content": "Hi"}])");
  inputs.extra["enable_thinking"] = true;
  EXPECT_EQ(text(inputs), "system:own;user:Hi;True");
}

}  // namespace
}  // namespace hearth
