// A daemon whose model has a named template: what /apply-template shows is what the model is sent, and the template's
// stop words end answers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/test_app.h"

namespace hearth {
namespace {

using nlohmann::ordered_json;
using test::HttpAnswer;
using test::TestApp;
using testing::HasSubstr;

constexpr const char* kQuestion = R"([{"role": "user", "content": "<|im_end|>?"}])";

ordered_json with_messages(const char* messages, const char* more = "{}") {
  ordered_json body = ordered_json::parse(more);
  body["model"] = "tiny";
  body["messages"] = ordered_json::parse(messages);
  return body;
}

std::vector<int> tokens_of(const TestApp& daemon, const std::string& text, bool parse_special) {
  const HttpAnswer answer = daemon.post("/tokenize", {{"content", text}, {"parse_special", parse_special}});
  return answer.json()["tokens"].get<std::vector<int>>();
}

TEST(NamedTemplate, ApplyTemplateShowsWhatTheModelIsSent) {
  TestApp daemon([](AppOptions& options) { options.models[0].chat.template_name = "zephyr"; });
  const ordered_json shown = daemon.post("/apply-template", with_messages(kQuestion, R"({"tokenize": true})")).json();
  EXPECT_EQ(shown["prompt"],
            "<|system|>\nYou are Zephyr, a helpful assistant.<|im_end|><|user|>\n<|im_end|>?<|im_end|><|assistant|>\n");
  // Slot by slot; what the user spells is text.
  std::vector<int> expected;
  const auto add = [&](const std::string& text, bool parse_special) {
    const std::vector<int> ids = tokens_of(daemon, text, parse_special);
    expected.insert(expected.end(), ids.begin(), ids.end());
  };
  add("<|system|>\nYou are Zephyr, a helpful assistant.", true);
  add("<|im_end|>", true);
  add("<|user|>\n<|im_end|>?", false);
  add("<|im_end|>", true);
  add("<|assistant|>\n", true);
  EXPECT_EQ(shown["tokens"].get<std::vector<int>>(), expected);
  const ordered_json reply =
      daemon.post("/v1/chat/completions", with_messages(kQuestion, R"({"max_tokens": 1})")).json();
  EXPECT_EQ(reply["usage"]["prompt_tokens"].get<size_t>(), expected.size());

  const ordered_json begun =
      with_messages(R"([{"role": "user", "content": "hi"}, {"role": "assistant", "content": "Once "}])",
                    R"({"continue_final_message": true})");
  EXPECT_THAT(daemon.post("/apply-template", begun).json()["prompt"].get<std::string>(),
              testing::EndsWith("<|user|>\nhi<|im_end|><|assistant|>\nOnce "));
}

TEST(NamedTemplate, RefusesWhatItsSlotsCannotSay) {
  TestApp daemon([](AppOptions& options) { options.models[0].chat.template_name = "qwen3"; });
  const auto refusal = [&](const ordered_json& body) {
    const HttpAnswer answer = daemon.post("/apply-template", body);
    return std::to_string(answer.status) + " " + answer.body;
  };
  EXPECT_THAT(refusal(with_messages(R"([{"role": "user", "content": "a"}, {"role": "user", "content": "b"}])")),
              testing::AllOf(testing::StartsWith("400"), HasSubstr("\"param\":\"messages\""), HasSubstr("take turns")));
  EXPECT_THAT(refusal(with_messages(kQuestion, R"({"tokenize": 1})")),
              testing::AllOf(testing::StartsWith("400"), HasSubstr("\"param\":\"tokenize\"")));
  EXPECT_THAT(refusal(with_messages(kQuestion, R"({"chat_template_kwargs": {"style": "x"}})")),
              testing::AllOf(testing::StartsWith("400"), HasSubstr("found 'style'")));
  EXPECT_THAT(refusal(with_messages(kQuestion, R"({"chat_template_kwargs": {"enable_thinking": false}})")),
              testing::AllOf(testing::StartsWith("200"), HasSubstr(R"(<think>\n\n</think>)")));
}

TEST(NamedTemplate, StopWordsThatAreNoTokensEndAnswers) {
  const ordered_json body = with_messages(kQuestion, R"({"max_tokens": 24, "temperature": 0})");
  auto word = std::make_shared<std::string>();
  const auto answer = [&] {
    TestApp daemon([&](AppOptions& options) {
      options.load = [word](const AppOptions::Model& model, ComputeDtype dtype) {
        LoadedModel loaded = load_model(model.path, {.compute_dtype = dtype});
        if (!word->empty()) loaded.stop_strings = {*word};
        return loaded;
      };
    });
    return daemon.post("/v1/chat/completions", body).json()["choices"][0]["message"]["content"].get<std::string>();
  };
  const std::string whole = answer();
  size_t at = 2;
  while (at + 1 < whole.size() && (static_cast<unsigned char>(whole[at]) >= 0x80 || whole.find(whole[at]) < at)) ++at;
  ASSERT_LT(at + 1, whole.size()) << whole;
  *word = whole.substr(at, 1);
  EXPECT_EQ(answer(), whole.substr(0, at));
}

TEST(NamedTemplate, ACheckpointsOwnTemplateShowsItsTokensToo) {
  TestApp daemon;
  const ordered_json shown = daemon.post("/apply-template", with_messages(kQuestion, R"({"tokenize": true})")).json();
  const ordered_json reply =
      daemon.post("/v1/chat/completions", with_messages(kQuestion, R"({"max_tokens": 1})")).json();
  EXPECT_EQ(shown["tokens"].size(), reply["usage"]["prompt_tokens"].get<size_t>());
  EXPECT_FALSE(daemon.post("/apply-template", with_messages(kQuestion)).json().contains("tokens"));
}

}  // namespace
}  // namespace hearth
