// Every template of LLaMA-Factory makes of every conversation the slots that LLaMA-Factory makes of it, and tokenises
// the same pieces.
#include <algorithm>
#include <cstdlib>
#include <ctime>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "templates/llamafactory/registry.h"
#include "templates/llamafactory/slot_template.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;
using Kind = PromptSegment::Kind;
using Role = SlotMessage::Role;

constexpr std::time_t kNow = 1753533296;  // 2025-07-26 12:34:56 UTC

Json golden(const std::string& name) { return Json::parse(read_file("tests/golden/llamafactory/" + name)); }

std::string replaced(std::string text, std::string_view mark, const std::string& word) {
  for (size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + word.size()))
    text.replace(at, mark.size(), word);
  return text;
}

SlotConversation conversation_of(const Json& json, const SlotTemplate& slot_template) {
  SlotConversation out;
  out.system = json.value("system", "");
  out.tools = json.value("tools", "");
  out.now = kNow;
  for (const Json& message : json["messages"]) {
    const std::string role = message["role"];
    std::string content = message["content"];
    for (const size_t i : {0, 1}) {
      content = replaced(content, "%t" + std::to_string(i), slot_template.thought_words[i]);
      content = replaced(content, "%c" + std::to_string(i), slot_template.tool_call_words[i]);
    }
    out.messages.push_back({role == "user"        ? Role::kUser
                            : role == "assistant" ? Role::kAssistant
                            : role == "function"  ? Role::kFunction
                                                  : Role::kObservation,
                            content});
  }
  return out;
}

Json to_json(const PromptSegment& segment) {
  switch (segment.kind) {
    case Kind::kText:
      return segment.text;
    case Kind::kToken:
      return {{"token", segment.text}};
    case Kind::kBos:
      return {{"bos", true}};
    case Kind::kEos:
      return {{"eos", true}};
    case Kind::kPicture:  // which its templates do not write
      break;
  }
  return {};
}

Json to_json(const std::vector<SlotTurn>& turns) {
  Json out = Json::array();
  for (const SlotTurn& turn : turns) {
    Json prompt = Json::array(), response = Json::array();
    for (const PromptSegment& segment : turn.prompt) prompt.push_back(to_json(segment));
    for (const PromptSegment& segment : turn.response) response.push_back(to_json(segment));
    out.push_back(Json::array({prompt, response}));
  }
  return out;
}

// The expected turns of a result's number; null where the reference fails.
Json expanded(const Json& turns, int number) {
  if (number < 0) return nullptr;
  Json out = turns["results"][static_cast<size_t>(number)];
  for (Json& turn : out)
    for (Json& side : turn)
      for (Json& segment : side) segment = turns["segments"][segment.get<size_t>()];
  return out;
}

template <class Turns>
Json turns_or_null(const Turns& turns) {
  try {
    return to_json(turns());
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument) << error.what();
    return nullptr;
  }
}

void expect_turns(const Json& turns, const std::string& name, const Json& numbers, std::optional<ToolFormat> format) {
  size_t next = 0;
  const bool reasons = SlotTemplate::named(name).kind == TemplateClass::kReasoning ||
                       SlotTemplate::named(name).kind == TemplateClass::kGlm47Reasoning;
  for (const Json& json : turns["conversations"]) {
    for (const Json& thinking : turns["thinking"]) {
      SlotTemplateOptions options;
      options.tool_format = format;
      options.enable_thinking = thinking[0].is_null() ? std::nullopt : std::optional(thinking[0].get<bool>());
      options.preserve_thinking = thinking[1];
      const SlotTemplate slot_template = SlotTemplate::named(name, options);
      const SlotConversation conversation = conversation_of(json, slot_template);
      const auto expect = [&](const char* what, const Json& got) {
        EXPECT_EQ(got, expanded(turns, numbers.at(next++).get<int>()))
            << name << ", " << json["name"] << ", thinking " << thinking << ", " << what;
      };
      expect("last turn", turns_or_null([&] { return std::vector{slot_template.last_turn(conversation)}; }));
      expect("turns", turns_or_null([&] { return slot_template.turns(conversation); }));
      if (!reasons) break;
      expect("last thought", turns_or_null([&] { return slot_template.turns(conversation, true); }));
    }
  }
  EXPECT_EQ(next, numbers.size()) << name;
}

class LlamaFactory : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    setenv("TZ", "UTC", 1);
    tzset();
  }
};

TEST_F(LlamaFactory, TemplatesMakeTheReferencesTurns) {
  const Json turns = golden("turns.json");
  ASSERT_EQ(turns["templates"].size(), 121);
  for (const auto& [name, numbers] : turns["templates"].items()) expect_turns(turns, name, numbers, std::nullopt);
}

TEST_F(LlamaFactory, ToolFormatReplacesTheTemplatesOwn) {
  const Json turns = golden("turns.json");
  for (const auto& [name, entry] : turns["tool_formats"].items())
    expect_turns(turns, name, entry["results"], find_tool_format(entry["tool_format"].get<std::string>()));
}

std::string_view class_name(TemplateClass kind) {
  switch (kind) {
    case TemplateClass::kPlain:
      return "Template";
    case TemplateClass::kSystemInUser:
      return "Llama2Template";
    case TemplateClass::kReasoning:
      return "ReasoningTemplate";
    case TemplateClass::kGlm47Reasoning:
      return "Glm47ReasoningTemplate";
    case TemplateClass::kMossVl:
      return "MossVLTemplate";
  }
  return "";
}

Json media_json(const MediaTokens& media) {
  Json out = {{"name", media.plugin}};
  const std::pair<const char*, std::string_view> tokens[] = {
      {"image_token", media.image},           {"video_token", media.video},
      {"audio_token", media.audio},           {"vision_bos_token", media.vision_begin},
      {"vision_eos_token", media.vision_end}, {"audio_bos_token", media.audio_begin},
      {"audio_eos_token", media.audio_end}};
  for (const auto& [key, token] : tokens)
    if (!token.empty()) out[key] = token;
  return out;
}

TEST_F(LlamaFactory, RegistryHasTheReferencesTraits) {
  const Json rows = golden("templates.json");
  for (const auto& [name, expected] : rows.items()) {
    const SlotTemplate t = SlotTemplate::named(name);
    const Json got = {{"class", class_name(t.kind)},          {"default_system", t.default_system},
                      {"stop_words", t.stop_words},           {"thought_words", t.thought_words},
                      {"tool_call_words", t.tool_call_words}, {"efficient_eos", t.efficient_eos},
                      {"replace_eos", t.replace_eos},         {"replace_jinja_template", t.replace_jinja_template},
                      {"mm_plugin", media_json(t.media)}};
    EXPECT_EQ(got, expected) << name;
  }
}

std::string text_of(const std::vector<PromptSegment>& segments) {
  std::string text;
  for (const PromptSegment& segment : segments)
    text += segment.kind == Kind::kText    ? segment.text
            : segment.kind == Kind::kToken ? "{" + segment.text + "}"
            : segment.kind == Kind::kBos   ? "{bos}"
                                           : "{eos}";
  return text;
}

// What is in 0.9.6.dev0 and not in the release that the golden values are of.
TEST_F(LlamaFactory, HasAllNamesAndThoseTheReleaseLacks) {
  EXPECT_EQ(template_rows().size(), 124);
  const SlotConversation conversation{.messages = {{Role::kUser, "Q"}, {Role::kAssistant, "A"}}, .system = "S"};
  const auto text = [&](const char* name) {
    const SlotTurn turn = SlotTemplate::named(name).last_turn(conversation);
    return text_of(turn.prompt) + "|" + text_of(turn.response);
  };
  EXPECT_EQ(text("hy_dense_1_8b"), "{bos}S<｜hy_place▁holder▁no▁3｜><｜hy_User｜>Q|<｜hy_Assistant｜>A");
  EXPECT_EQ(text("hy_dense_7b"), "{bos}S<|extra_4|>Q<|extra_0|>|A");
  EXPECT_EQ(text("moss_vl"),
            "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n|A<|im_end|>\n");
  EXPECT_THAT(SlotTemplate::named("hy_dense_1_8b").stop_words, testing::ElementsAre("<｜hy_place▁holder▁no▁2｜>"));
  EXPECT_THAT(SlotTemplate::named("hy_dense_7b").stop_words, testing::ElementsAre("<|eos|>"));
  EXPECT_TRUE(SlotTemplate::named("moss_vl").replace_eos);
}

TEST_F(LlamaFactory, MossVlPutsNoBreaksBeforeToolsWithoutASystemText) {
  SlotConversation conversation{.messages = {{Role::kUser, "Q"}, {Role::kAssistant, "A"}},
                                .tools = R"([{"name": "f"}])"};
  const SlotTemplate moss = SlotTemplate::named("moss_vl"), qwen = SlotTemplate::named("qwen3_nothink");
  EXPECT_THAT(text_of(moss.last_turn(conversation).prompt), testing::StartsWith("<|im_start|>system\n# Tools\n\nYou"));
  EXPECT_THAT(text_of(qwen.last_turn(conversation).prompt), testing::StartsWith("<|im_start|>system\n\n\n# Tools\n"));
  conversation.system = "S";
  EXPECT_EQ(text_of(moss.last_turn(conversation).prompt), text_of(qwen.last_turn(conversation).prompt));
}

TEST(Readme, ListsEveryTemplate) {
  std::string names;
  for (const TemplateRow& row : template_rows()) names += (names.empty() ? "" : ", ") + std::string(row.name);
  std::string readme = read_file("README.md");
  std::replace(readme.begin(), readme.end(), '\n', ' ');
  EXPECT_NE(readme.find(": " + names + " "), std::string::npos) << names;
}

}  // namespace
}  // namespace hearth
