// Where slots can be recovered from a chat template, they and the spans of its rendering say the same of every turn.
#include <filesystem>
#include <optional>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "templates/assistant_spans.h"
#include "templates/llamafactory/recover_slots.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;
using Role = SlotMessage::Role;

constexpr std::time_t kNow = 1753533296;  // 2025-07-26 12:34:56 UTC

std::string text_of(const std::vector<PromptSegment>& segments) {
  std::string text;
  for (const PromptSegment& segment : segments) text += segment.text;
  return text;
}

// Whether slots were recovered and compared.
bool compare(const std::string& source) {
  const ChatTemplate chat_template(source, "<s>", "</s>");
  std::optional<SlotTemplate> slots;
  for (const char* beginning : {"<s>", ""}) {
    try {
      if (!slots) slots = recover_slots(chat_template, beginning, kNow);
    } catch (const Error&) {
    }
  }
  if (!slots) return false;
  ChatTemplateInputs inputs;
  inputs.messages = Json::array();
  inputs.add_generation_prompt = false;
  inputs.now = kNow;
  SlotConversation conversation;
  for (int turn = 1; turn <= 3; ++turn) {
    const std::string question = fmt::format("Question {}?", turn), answer = fmt::format("Answer {}.", turn);
    inputs.messages.push_back({{"role", "user"}, {"content", question}});
    inputs.messages.push_back({{"role", "assistant"}, {"content", answer}});
    conversation.messages.push_back({Role::kUser, question});
    conversation.messages.push_back({Role::kAssistant, answer});
    const SlotTurn last = slots->last_turn(conversation);
    const AssistantSpans found = assistant_spans(chat_template, inputs);
    EXPECT_EQ(found.spans.size(), static_cast<size_t>(turn));
    const std::string prompt = text_of(last.prompt), response = text_of(last.response);
    EXPECT_EQ(found.prompt.text, prompt + response);
    EXPECT_EQ(found.spans.back(), (ByteRange{prompt.size(), prompt.size() + response.size()}));
  }
  return true;
}

size_t compare_all(const std::filesystem::path& folder) {
  size_t compared = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    SCOPED_TRACE(entry.path());
    if (entry.path().extension() == ".jinja") compared += compare(read_file(entry.path()));
  }
  return compared;
}

TEST(RecoveredSlots, AreTheSpans) {
  const Json golden = Json::parse(read_file("tests/golden/llamafactory/recovered.json"));
  size_t compared = 0;
  for (const Json& own : golden.at("own")) {
    SCOPED_TRACE(own.at("name").get<std::string>());
    compared += compare(own.at("template"));
  }
  EXPECT_EQ(compared, 5u);
  EXPECT_EQ(compare_all("tests/golden/templates/styles"), 5u);
}

TEST(RecoveredSlots, AreTheSpansOfPublishedTemplates) {
  if (!std::filesystem::exists("../shared/templates")) GTEST_SKIP() << "they are not ours to commit";
  EXPECT_EQ(compare_all("../shared/templates"), 6u);
}

}  // namespace
}  // namespace hearth
