#include "server/terminal_chat/chat_session.h"

#include <filesystem>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "server/terminal_chat/command_completion.h"
#include "server/terminal_chat/conversation_file.h"

namespace hearth {
namespace {

using nlohmann::ordered_json;
using testing::HasSubstr;

// Answers "echo: <the last message>" in two pieces, or as it is told.
class FakeBackend : public ChatBackend {
 public:
  std::string model() const override { return name; }
  std::vector<std::string> models() const override { return {"fake", "other"}; }
  void use(const std::string& model, const std::string& adapter) override {
    if (model == "none") throw Error(ErrorCode::kNotFound, "no");
    name = adapter.empty() ? model : model + ":" + adapter;
  }
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
  std::string name = "fake";
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

  std::string ask(const std::string& message, ChatSession::Place place = ChatSession::Place::kNext) {
    std::string shown;
    session_.ask(
        message, [&](std::string_view piece) { shown += piece; }, stop_, place);
    return shown;
  }
  void ask_again(const ChatSession::Reply& reply) { ask(reply.ask.value(), ChatSession::Place::kLast); }
  // The contents of the messages, by bars.
  std::string talk() const {
    std::string all;
    for (const ordered_json& message : session_.messages())
      all += (all.empty() ? "" : "|") + message["content"].get<std::string>();
    return all;
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
  EXPECT_EQ(run("/mod"), run("/model"));  // the beginning of one command only
  EXPECT_EQ(command_error("/s"), "/s may be /system, /set, /save, /stats");
  for (const std::string_view name : ChatSession::command_names())
    EXPECT_THAT(run("/help"), HasSubstr(std::string(name)));
}

TEST_F(ChatSessionTest, PathsAreNoCommands) {
  EXPECT_TRUE(ChatSession::is_command("/help"));
  EXPECT_TRUE(ChatSession::is_command("  /set a b"));
  EXPECT_FALSE(ChatSession::is_command("/usr/bin is a folder"));
  EXPECT_FALSE(ChatSession::is_command("a /help"));
}

TEST_F(ChatSessionTest, HelpFitsOneScreen) {
  const std::string help = run("/help");
  size_t lines = 1, begin = 0;
  for (size_t end = 0; (end = help.find('\n', begin)) != std::string::npos; begin = end + 1, ++lines)
    EXPECT_LE(end - begin, 80u) << help.substr(begin, end - begin);
  EXPECT_LE(lines, 22u);
}

TEST_F(ChatSessionTest, RegenerateAndEditReplaceTheLastAnswer) {
  for (const char* command : {"/regenerate", "/edit", "/edit x", "/undo"})
    EXPECT_EQ(command_error(command), "there is no message yet") << command;
  ask("one");
  ask("two");
  ask_again(session_.run_command("/regenerate"));
  EXPECT_EQ(backend_.asked.size(), 4u);  // system, one, its answer, two
  EXPECT_EQ(talk(), "one|echo: one|two|echo: two");
  EXPECT_EQ(session_.run_command("/edit").edit, "two");
  EXPECT_EQ(talk(), "one|echo: one|two|echo: two");  // until it is asked
  ask_again(session_.run_command("/edit  three or  four"));
  EXPECT_EQ(talk(), "one|echo: one|three or  four|echo: three or  four");
  EXPECT_THAT(run("/undo"), HasSubstr("2 messages are left"));
  EXPECT_EQ(talk(), "one|echo: one");
  run("/undo");
  EXPECT_EQ(talk(), "");
}

TEST_F(ChatSessionTest, FailedOrEmptyRegenerationKeepsTheAnswerBefore) {
  ask("one");
  backend_.failure = ErrorCode::kUnavailable;
  EXPECT_EQ(error_of([&] { ask("one", ChatSession::Place::kLast); }), "no");
  EXPECT_EQ(talk(), "one|echo: one");
  backend_.failure.reset();
  stop_ = backend_.silent = true;
  ask("one", ChatSession::Place::kLast);
  EXPECT_EQ(talk(), "one|echo: one");
}

TEST_F(ChatSessionTest, ModelsAreListedAndSwitched) {
  EXPECT_EQ(run("/model"), "* fake\n  other");
  EXPECT_EQ(run("/model other"), "other answers from now on");
  EXPECT_EQ(run("/model"), "  fake\n* other");
  EXPECT_EQ(command_error("/model none"), "no");
  EXPECT_EQ(run("/model other saves/my lora"), "other:saves/my lora answers from now on");
  EXPECT_EQ(run("/model"), "* other:saves/my lora\n  fake\n  other");
}

TEST_F(ChatSessionTest, SaveAndLoadGiveTheSameConversation) {
  const std::string file = (folder_ / "chat.json").string();
  ask("größe \"x\"\n🙂");
  EXPECT_THAT(run("/save " + file), HasSubstr("2 messages saved"));
  EXPECT_EQ(ordered_json::parse(read_file(file)).dump(),
            R"({"format":"hearth.conversation","version":1,"title":"größe \"x\"","model":"fake","system":"Be brief.",)"
            R"("messages":[{"role":"user","content":"größe \"x\"\n🙂"},)"
            R"({"role":"assistant","content":"echo: größe \"x\"\n🙂"}]})");
  FakeBackend other_backend;
  other_backend.name = "other";
  ChatSession other(other_backend, "");
  EXPECT_EQ(other.run_command("/load " + file).text,
            "2 messages loaded from " + file + " (größe \"x\"); fake answered them");
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
  EXPECT_THAT(load("{}"), HasSubstr("must be a conversation that /save or the web page wrote"));
  EXPECT_THAT(load("not json"), HasSubstr("must be a conversation"));
  EXPECT_THAT(load(R"({"messages":3})"), HasSubstr("must be a conversation"));
  EXPECT_THAT(load(R"({"format":"x","messages":[]})"), HasSubstr("format is \"x\", must be \"hearth.conversation\""));
  EXPECT_THAT(load(R"({"format":"hearth.conversation","version":2,"messages":[]})"),
              HasSubstr("version is 2, and this hearth reads version 1"));
  EXPECT_THAT(load(R"([{"role":"user","content":"a"},{"role":"system","content":"b"}])"),
              HasSubstr("message 1 must have 'role'"));
  EXPECT_THAT(load(R"([{"role":"user","content":[]}])"), HasSubstr("message 0"));
  EXPECT_THAT(load(R"([1])"), HasSubstr("message 0"));
  EXPECT_THAT(command_error("/load " + file + ".none"), HasSubstr("cannot open"));
  EXPECT_EQ(command_error("/load"), "/load needs a file: /load chat.json");
  EXPECT_EQ(session_.messages().size(), 2u);  // as before
  EXPECT_EQ(load(R"({"model":"x","messages":[{"role":"system","content":"s"},{"role":"user","content":"a"}]})"),
            "nothing was thrown");
  EXPECT_EQ(talk(), "a");
  ask("b");
  EXPECT_EQ(backend_.asked[0].dump(), R"({"role":"system","content":"s"})");
}

TEST_F(ChatSessionTest, SaveOverwritesConversationsOnly) {
  const std::string file = (folder_ / "chat.json").string();
  ask("one");
  run("/save " + file);
  ask("two");
  EXPECT_THAT(run("/save " + file), HasSubstr("4 messages saved"));
  write_file_atomic(file, "my notes");
  EXPECT_THAT(command_error("/save " + file), HasSubstr("is there and is not overwritten: it is no conversation"));
  EXPECT_EQ(read_file(file), "my notes");
}

TEST(ConversationFile, TitleIsTheFirstLineOfTheFirstMessage) {
  Conversation talk;
  EXPECT_EQ(talk.title_or_beginning(), "");
  const std::string long_line = std::string(59, 'x') + "漢字";
  talk.messages.push_back({{"role", "user"}, {"content", long_line + "\nmore"}});
  EXPECT_EQ(talk.title_or_beginning(), std::string(59, 'x'));  // no half character
  talk.messages[0]["content"] = "Write " + std::string(20, 'x') + " " + long_line;
  EXPECT_EQ(talk.title_or_beginning(), "Write " + std::string(20, 'x'));  // nor a half word
  talk.title = "Mine";
  EXPECT_EQ(talk.title_or_beginning(), "Mine");
}

TEST_F(ChatSessionTest, TabOffersWhatMayStandThere) {
  using testing::ElementsAre;
  using testing::IsEmpty;
  const auto complete = [&](const std::string& typed) { return complete_command(typed, backend_); };
  EXPECT_THAT(complete("/s"), ElementsAre("/save", "/set", "/stats", "/system"));
  EXPECT_THAT(complete("/set t"), ElementsAre("temperature", "top_k", "top_p", "typical_p"));
  EXPECT_THAT(complete("/set temperature "), IsEmpty());
  EXPECT_THAT(complete("/model "), ElementsAre("fake", "other"));
  EXPECT_THAT(complete("hello /s"), IsEmpty());
  std::filesystem::create_directory(folder_ / "lora");
  write_file_atomic(folder_ / "chat.json", "[]");
  write_file_atomic(folder_ / "evil\x1b[2J", "");  // a name that a terminal should not see
  const std::string root = folder_.string() + "/";
  EXPECT_THAT(complete("/load " + root), ElementsAre(root + "chat.json", root + "lora/"));
  EXPECT_THAT(complete("/model fake " + root + "l"), ElementsAre(root + "lora/"));
  EXPECT_THAT(complete("/load " + root + "nowhere/"), IsEmpty());
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
