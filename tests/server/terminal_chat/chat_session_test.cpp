#include "server/terminal_chat/chat_session.h"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/file.h"

namespace hearth {
namespace {

using nlohmann::ordered_json;
using testing::HasSubstr;

// Answers "echo: <the last message>" in two pieces, or as it is told.
class FakeBackend : public ChatBackend {
 public:
  std::string model() const override { return "fake"; }
  int max_context() const override { return 100; }
  ChatAnswer answer(const ordered_json& messages, const ChatSettings& settings, const OnText& on_text,
                    const std::atomic<bool>& stop) override {
    asked = messages;
    asked_settings = settings.to_json();
    if (failure) throw Error(*failure, "no");
    ChatAnswer answer;
    if (!silent) {
      on_text("echo: ");
      answer.text = "echo: ";
    }
    answer.prompt_tokens = 10;
    answer.completion_tokens = 4;
    answer.finish_reason = stop ? "cancelled" : "stop";
    if (stop) return answer;
    const std::string rest = messages.back()["content"];
    on_text(rest);
    answer.text += rest;
    return answer;
  }

  ordered_json asked, asked_settings;
  std::optional<ErrorCode> failure;
  bool silent = false;
};

class ChatSessionTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "hearth.XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string ask(const std::string& message) {
    std::string shown;
    session_.ask(
        message, [&](std::string_view piece) { shown += piece; }, stop_);
    return shown;
  }
  std::string run(const std::string& line) { return session_.run_command(line).text; }
  std::string error_of(const std::function<void()>& action) {
    try {
      action();
    } catch (const Error& error) {
      return error.what();
    }
    return "nothing was thrown";
  }
  std::string command_error(const std::string& line) {
    return error_of([&] { run(line); });
  }

  FakeBackend backend_;
  ChatSession session_{backend_, "Be brief."};
  std::atomic<bool> stop_{false};
  std::filesystem::path folder_;
};

TEST_F(ChatSessionTest, ConversationGrowsByMessageAndAnswer) {
  EXPECT_EQ(ask("one"), "echo: one");
  ask("two");
  EXPECT_EQ(backend_.asked.dump(), R"([{"role":"system","content":"Be brief."},{"role":"user","content":"one"},)"
                                   R"({"role":"assistant","content":"echo: one"},{"role":"user","content":"two"}])");
  EXPECT_EQ(session_.messages().size(), 4u);
}

TEST_F(ChatSessionTest, StoppedAnswerIsKeptAsFarAsItCame) {
  stop_ = true;
  ask("one");
  ASSERT_EQ(session_.messages().size(), 2u);
  EXPECT_EQ(session_.messages()[1]["content"], "echo: ");
}

TEST_F(ChatSessionTest, StoppedBeforeTheFirstWordLeavesNothing) {
  stop_ = true;
  backend_.silent = true;
  ask("one");
  EXPECT_TRUE(session_.messages().empty());
}

TEST_F(ChatSessionTest, FailedAnswerLeavesTheConversationAsItWas) {
  ask("one");
  backend_.failure = ErrorCode::kUnavailable;
  EXPECT_EQ(error_of([&] { ask("two"); }), "no");
  EXPECT_EQ(session_.messages().size(), 2u);
}

TEST_F(ChatSessionTest, FullContextNamesTheRemedy) {
  backend_.failure = ErrorCode::kResourceExhausted;
  EXPECT_EQ(error_of([&] { ask("two"); }), "no; /clear begins a new conversation");
}

TEST_F(ChatSessionTest, ClearKeepsTheSystemMessage) {
  ask("one");
  run("/clear");
  ask("two");
  EXPECT_EQ(backend_.asked.size(), 2u);
  EXPECT_EQ(backend_.asked[0]["role"], "system");
}

TEST_F(ChatSessionTest, SystemReplacesAndRemoves) {
  run("/system  Speak like a pirate. ");
  ask("one");
  EXPECT_EQ(backend_.asked[0]["content"], "Speak like a pirate.");
  run("/system");
  ask("two");
  EXPECT_EQ(backend_.asked[0]["role"], "user");
}

TEST_F(ChatSessionTest, SettingsReachTheBackendAndCanBeUnset) {
  EXPECT_THAT(run("/set"), HasSubstr("the model's defaults"));
  EXPECT_EQ(run("/set temperature 0.5"), "temperature 0.5");
  EXPECT_EQ(run("/set max_tokens 12"), "temperature 0.5, max_tokens 12");
  ask("one");
  EXPECT_EQ(backend_.asked_settings.dump(), R"({"temperature":0.5,"max_tokens":12})");
  EXPECT_EQ(run("/set temperature default"), "max_tokens 12");
}

TEST_F(ChatSessionTest, BadSettingsSayWhatIsAllowed) {
  EXPECT_EQ(command_error("/set temperature 3"), "temperature is '3', must be a number from 0 to 2, or default");
  EXPECT_EQ(command_error("/set top_k 1.5"), "top_k is '1.5', must be a whole number from 0 to 1048576, or default");
  EXPECT_EQ(command_error("/set seed x"), "seed is 'x', must be a whole number from 0 to 9000000000000000, or default");
  EXPECT_EQ(command_error("/set temperature nan"), "temperature is 'nan', must be a number from 0 to 2, or default");
  EXPECT_THAT(command_error("/set temprature 1"), HasSubstr("no setting 'temprature' (did you mean 'temperature'?)"));
  EXPECT_EQ(command_error("/set seed"), "/set seed needs a value");
}

TEST_F(ChatSessionTest, UnknownCommandsNameTheNearest) {
  EXPECT_EQ(command_error("/claer"), "no command /claer (did you mean '/clear'?); /help lists them");
  EXPECT_EQ(command_error("/stats now"), "/stats takes no arguments, found 'now'");
  EXPECT_TRUE(session_.run_command("/exit").exit);
  for (const std::string_view name : ChatSession::command_names())
    EXPECT_THAT(run("/help"), HasSubstr(std::string(name)));
}

TEST_F(ChatSessionTest, PathsAreNoCommands) {
  EXPECT_TRUE(ChatSession::is_command("/help"));
  EXPECT_TRUE(ChatSession::is_command("  /set a b"));
  EXPECT_FALSE(ChatSession::is_command("/usr/bin is a folder"));
  EXPECT_FALSE(ChatSession::is_command("a /help"));
}

TEST_F(ChatSessionTest, SaveAndLoadGiveTheSameConversation) {
  const std::string file = (folder_ / "chat.json").string();
  ask("größe \"x\"\n🙂");
  EXPECT_THAT(run("/save " + file), HasSubstr("3 messages saved"));
  FakeBackend other_backend;
  ChatSession other(other_backend, "");
  EXPECT_THAT(other.run_command("/load " + file).text, HasSubstr("3 messages loaded"));
  EXPECT_EQ(other.messages(), session_.messages());
  other.ask(
      "two", [](std::string_view) {}, stop_);
  EXPECT_EQ(other_backend.asked[0]["content"], "Be brief.");
}

TEST_F(ChatSessionTest, LoadTakesARequestAndRefusesOtherThings) {
  const std::string file = (folder_ / "chat.json").string();
  const auto load = [&](const std::string& content) {
    write_file_atomic(file, content);
    return command_error("/load " + file);
  };
  ask("one");
  EXPECT_THAT(load("{}"), HasSubstr("must be a JSON array of messages"));
  EXPECT_THAT(load("not json"), HasSubstr("must be a JSON array of messages"));
  EXPECT_THAT(load(R"([{"role":"user","content":"a"},{"role":"system","content":"b"}])"),
              HasSubstr("message 1 must have 'role'"));
  EXPECT_THAT(load(R"([{"role":"user","content":[]}])"), HasSubstr("message 0"));
  EXPECT_THAT(load(R"([1])"), HasSubstr("message 0"));
  EXPECT_THAT(command_error("/load " + file + ".none"), HasSubstr("cannot open"));
  EXPECT_EQ(command_error("/load"), "/load needs a file: /load chat.json");
  EXPECT_EQ(session_.messages().size(), 2u);  // as before
  EXPECT_EQ(load(R"({"model":"x","messages":[{"role":"user","content":"a"}]})"), "nothing was thrown");
  EXPECT_EQ(session_.messages().size(), 1u);
}

TEST_F(ChatSessionTest, StatsCountTheSession) {
  EXPECT_EQ(run("/stats"), "no answer yet");
  ask("one");
  ask("two");
  EXPECT_THAT(run("/stats"), HasSubstr("last answer: 10 prompt tokens (0 from the cache), 4 generated"));
  EXPECT_THAT(run("/stats"), HasSubstr("session: 2 answers, 20 prompt tokens (0 from the cache), 8 generated"));
  EXPECT_THAT(run("/stats"), HasSubstr("context: 14 of 100 tokens"));
}

}  // namespace
}  // namespace hearth
