// What the assistant wrote is found in every template and conversation of the golden tests, or refused: exact texts
// where a reference or the eye can say them, and everywhere that the spans hold the assistant's words and nobody
// else's.
#include "templates/assistant_spans.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "tests/templates/template_cases.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using testing::ElementsAre;
using testing::HasSubstr;

const fs::path kStyles = "tests/golden/templates/styles";

ChatTemplate read_template(const fs::path& path) { return {read_file(path), kBosToken, kEosToken}; }

std::vector<std::string> texts(const AssistantSpans& found) {
  std::vector<std::string> out;
  for (const ByteRange& span : found.spans) out.push_back(found.prompt.text.substr(span.begin, span.end - span.begin));
  return out;
}

std::vector<std::string> texts(const ChatTemplate& chat_template, const char* messages, bool prompt = false) {
  ChatTemplateInputs inputs;
  inputs.messages = Json::parse(messages);
  inputs.add_generation_prompt = prompt;
  return texts(assistant_spans(chat_template, inputs));
}

std::string failure(const std::string& source, const char* messages) {
  try {
    texts(ChatTemplate(source, kBosToken, kEosToken), messages);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.what();
  }
  return "";
}

constexpr const char* kTwoTurns = R"([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"},
                                      {"role": "user", "content": "And?"}, {"role": "assistant", "content": "Bye"}])";

TEST(AssistantSpans, EndWithTheTemplatesEndOfTurn) {
  const auto two_turns = [](const char* style) { return texts(read_template(kStyles / style), kTwoTurns); };
  EXPECT_THAT(two_turns("chatml.jinja"), ElementsAre("Hello<|im_end|>\n", "Bye<|im_end|>\n"));
  EXPECT_THAT(two_turns("gemma.jinja"), ElementsAre("Hello<end_of_turn>\n", "Bye<end_of_turn>\n"));
  EXPECT_THAT(two_turns("llama3_tools.jinja"), ElementsAre("Hello<|eot_id|>", "Bye<|eot_id|>"));
  EXPECT_THAT(two_turns("mistral_instruct.jinja"), ElementsAre(" Hello</s>", " Bye</s>"));
  // It puts </s> behind any conversation, also behind a user's last message: that is not the assistant's.
  EXPECT_THAT(two_turns("phi.jinja"), ElementsAre("Hello<|end|>\n", "Bye<|end|>\n"));
  // The last answer ends otherwise, or is left open.
  EXPECT_THAT(two_turns("harmony.jinja"),
              ElementsAre("<|channel|>final<|message|>Hello<|end|>", "<|channel|>final<|message|>Bye<|return|>"));
  EXPECT_THAT(two_turns("granite.jinja"), ElementsAre("Hello<|end_of_text|>\n", "Bye"));
  // Answers end where the next header begins.
  EXPECT_THAT(two_turns("glm.jinja"), ElementsAre("<think></think>Hello", "<think></think>Bye"));
}

TEST(AssistantSpans, EndAlikeBeforeAGenerationPrompt) {
  for (const char* style : {"chatml.jinja", "phi.jinja", "llama3_tools.jinja", "mistral_instruct.jinja"}) {
    const ChatTemplate chat_template = read_template(kStyles / style);
    EXPECT_EQ(texts(chat_template, kTwoTurns, true), texts(chat_template, kTwoTurns)) << style;
  }
  const char* begun = R"([{"role": "user", "content": "Count"}, {"role": "assistant", "content": "1"},
                          {"role": "assistant", "content": "2"}])";
  EXPECT_THAT(texts(read_template(kStyles / "granite.jinja"), begun, true),
              ElementsAre("1<|end_of_text|>\n", "2<|end_of_text|>\n"));
  EXPECT_THAT(texts(read_template(kStyles / "harmony.jinja"), begun),
              ElementsAre("<|channel|>final<|message|>1<|end|>", "<|channel|>final<|message|>2<|return|>"));
}

TEST(AssistantSpans, HoldThoughtsWhereTheTemplateKeepsThem) {
  const char* messages = R"([{"role": "user", "content": "1 + 1"},
    {"role": "assistant", "content": "2", "reasoning_content": "easy"}, {"role": "user", "content": "2 + 2"},
    {"role": "assistant", "content": "4", "reasoning_content": "hard"}])";
  EXPECT_THAT(texts(read_template(kStyles / "chatml_tools_thinking.jinja"), messages),
              ElementsAre("2<|im_end|>\n", "<think>\nhard\n</think>\n\n4<|im_end|>\n"));
}

TEST(AssistantSpans, BeginAfterWhatTheGenerationPromptWritesOfThem) {
  const std::string turns = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</>{% endfor %}";
  const auto with_prompt = [&](const std::string& prompt) {
    return ChatTemplate(turns + "{% if add_generation_prompt %}" + prompt + "{% endif %}", "", "");
  };
  // No header, a header, a header and more than answers have, a header and the beginning of what this answer has.
  EXPECT_THAT(texts(with_prompt(""), kTwoTurns), ElementsAre("<assistant>Hello</>", "<assistant>Bye</>"));
  EXPECT_THAT(texts(with_prompt("<assistant>"), kTwoTurns), ElementsAre("Hello</>", "Bye</>"));
  EXPECT_THAT(texts(with_prompt("<assistant><think>"), kTwoTurns), ElementsAre("Hello</>", "Bye</>"));
  const ChatTemplate counting("{{ messages | length }}" + turns + "{{ '<assistant><think>' if add_generation_prompt }}",
                              "", "");
  EXPECT_THAT(texts(counting, kTwoTurns), ElementsAre("Hello</>", "Bye</>"));
  EXPECT_THAT(texts(with_prompt("<assistant><think>"),
                    R"([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "<think>.</think>Yes"}])"),
              ElementsAre(".</think>Yes</>"));
}

TEST(AssistantSpans, AreFoundWhereTheTextBeforeDependsOnWhatFollows) {
  // The system text goes to the last user's message.
  const ChatTemplate chat_template = read_template(kStyles / "mistral_instruct.jinja");
  const char* messages = R"([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello"}, {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello"}])";
  EXPECT_THAT(texts(chat_template, messages), ElementsAre(" Hello</s>", " Hello</s>"));
}

TEST(AssistantSpans, NoneWithoutAnAssistant) {
  EXPECT_THAT(texts(read_template(kStyles / "chatml.jinja"), R"([{"role": "user", "content": "assistant"}])"),
              ElementsAre());
}

TEST(AssistantSpans, TheTemplatesMarksAreTheReferences) {
  const Json golden = read_template_cases("generated.json");
  size_t compared = 0;
  for (Json conversation : read_template_cases("conversations.json")) {
    for (const auto& [style, expected] : golden.items()) {
      const std::string name = conversation.at("name");
      // It has an answer that the template leaves out.
      if (!expected.contains(name) || name == "content_parts") continue;
      conversation["add_generation_prompt"] = false;
      Json got = Json::array();
      for (const ByteRange& span : assistant_spans(read_template(kStyles / style), case_inputs(conversation)).spans)
        got.push_back({span.begin, span.end});
      EXPECT_EQ(got, expected.at(name)) << style << ", " << name;
      ++compared;
    }
  }
  EXPECT_GT(compared, 15u);
}

TEST(AssistantSpans, MarksThatLeaveOutATurnDoNotCount) {
  const ChatTemplate chat_template(
      "{% for m in messages %}<{{ m.role }}>{% if m.content == 'Bye' %}{% generation %}{{ m.content }}{% endgeneration "
      "%}{% else %}{{ m.content }}{% endif %}</>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}",
      "", "");
  EXPECT_THAT(texts(chat_template, kTwoTurns), ElementsAre("Hello</>", "Bye</>"));
}

TEST(AssistantSpans, SaysWhichMessageCannotBeToldAndTheRemedy) {
  const std::string turns = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</>{% endfor %}";
  const auto refused = [](const std::string& source, const char* why, const char* messages = kTwoTurns) {
    EXPECT_THAT(failure(source, messages),
                testing::AllOf(HasSubstr("messages["), HasSubstr(why), HasSubstr("'template'")))
        << source;
  };
  // The header of an answer that nobody asked for would be learnt as the end of one.
  refused(turns + "<assistant>", "messages[1]");
  refused(turns + "<assistant>", "it ends otherwise",
          R"([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}])");
  refused(turns + "<assistant>", "it ends otherwise",
          R"([{"role": "user", "content": "1"}, {"role": "assistant", "content": "2"},
              {"role": "assistant", "content": "3"}])");
  refused("{% for m in messages %}<{{ m.role }}>{{ m.content if m.role == 'user' }}{% endfor %}",
          "leaves out the text");
  refused(turns, "leaves out the arguments", R"([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "",
          "tool_calls": [{"function": {"name": "f", "arguments": {"x": 1}}}]}])");
  refused("{{ messages | length }}" + turns + "{{ messages[-1].content | length }}", "messages[1]");
  refused(
      "{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' %}{{ m.content }}{{ messages[0].content }}"
      "{% else %}{{ m.content }}{% endif %}</>{% endfor %}",
      "messages[1]: the chat template does not show which part of its text the assistant wrote: a user's");
  // What stands behind, or before, depends on the answer.
  refused(
      turns + "{{ messages[1].content | length if messages | length > 2 }}{{ '<assistant>' if add_generation_prompt }}",
      "messages[1]: the chat template does not show which part of its text the assistant wrote: what it says",
      R"([{"role": "user", "content": "1"}, {"role": "assistant", "content": "2"}, {"role": "user", "content": "3"}])");
  refused(
      "{% for m in messages if m.tool_calls %}T{% endfor %}{% for m in messages %}<{{ m.role }}>{{ m.content }}{{ "
      "m.tool_calls }}</>{% endfor %}{{ '<assistant>' if add_generation_prompt }}",
      "it begins otherwise", R"([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello",
          "tool_calls": [{"function": {"name": "f", "arguments": {"x": 1}}}]}])");
  refused("{{ raise_exception('alone') if messages | length < 4 }}" + turns, "alone");
}

// The words that a template must have written of a message: behind a thought, without white space at the ends.
std::string words_of(const Json& message) {
  const auto content = message.find("content");
  std::string text;
  if (content != message.end() && content->is_string()) text = *content;
  if (const size_t thought = text.rfind("</think>"); thought != std::string::npos) text.erase(0, thought + 8);
  const size_t first = text.find_first_not_of(" \n\u3000"), last = text.find_last_not_of(" \n");
  return first == std::string::npos ? "" : text.substr(first, last + 1 - first);
}

void expect_only_the_assistants_words(const AssistantSpans& found, const RenderedPrompt& whole, const Json& messages) {
  EXPECT_EQ(found.prompt.text, whole.text);
  size_t at = 0;
  for (const ByteRange& span : found.spans) {
    EXPECT_LE(at, span.begin);
    EXPECT_LT(span.begin, span.end);
    at = span.end;
    for (const ByteRange& other : whole.literal) EXPECT_TRUE(other.end <= span.begin || span.end <= other.begin);
  }
  EXPECT_LE(at, whole.text.size());
  const std::vector<std::string> spans = texts(found);
  size_t answers = 0;
  for (const Json& message : messages) {
    if (message.at("role") != "assistant") continue;
    const bool only_calls = message.contains("tool_calls");  // some templates leave the text beside them out
    ASSERT_LT(answers, spans.size());
    EXPECT_THAT(spans[answers++], HasSubstr(only_calls ? "" : words_of(message)));
  }
  EXPECT_EQ(answers, spans.size());
}

// What is left of a rendering without its spans.
std::string without_spans(const AssistantSpans& found) {
  std::string text = found.prompt.text;
  for (auto span = found.spans.rbegin(); span != found.spans.rend(); ++span)
    text.erase(span->begin, span->end - span->begin);
  return text;
}

// All answers at once.
ChatTemplateInputs with_other_answers(ChatTemplateInputs inputs) {
  for (Json& message : inputs.messages)
    if (message.at("role") == "assistant" && words_of(message) != "") message["content"] = "Other words.";
  return inputs;
}

// How many conversations were told, and for each template how many were refused.
struct Outcome {
  size_t found = 0;
  std::map<std::string, size_t> refused = {};
};

void count(const fs::path& path, const Json& conversation, Outcome& outcome) {
  SCOPED_TRACE(path.filename().string() + ", " + conversation.at("name").get<std::string>());
  const ChatTemplate chat_template = read_template(path);
  const ChatTemplateInputs inputs = case_inputs(conversation);
  RenderedPrompt whole;
  try {
    whole = chat_template.render(inputs);
  } catch (const Error&) {
    return;
  }
  try {
    const AssistantSpans found = assistant_spans(chat_template, inputs);
    ++outcome.found;
    expect_only_the_assistants_words(found, whole, inputs.messages);
    EXPECT_EQ(without_spans(found), without_spans(assistant_spans(chat_template, with_other_answers(inputs))));
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("name a template"));
    ++outcome.refused[path.stem()];
  }
}

// Over the conversations with answers.
Outcome over_all(const fs::path& folder, bool prompt) {
  Outcome outcome;
  const Json conversations = read_template_cases("conversations.json");
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".jinja") continue;
    for (Json conversation : conversations) {
      if (conversation.at("name") == "long_chat") continue;  // it takes as long as all others
      conversation["add_generation_prompt"] = prompt;
      const Json& messages = conversation.at("messages");
      if (std::any_of(messages.begin(), messages.end(), [](const Json& m) { return m.at("role") == "assistant"; }))
        count(entry.path(), conversation, outcome);
    }
  }
  return outcome;
}

using Counts = std::map<std::string, size_t>;

TEST(AssistantSpans, OurStylesAreToldOrRefused) {
  const Outcome without = over_all(kStyles, false);
  EXPECT_EQ(without.refused,
            (Counts{
                {"chatml", 7},
                {"gemma", 1},
                {"phi", 6},             // they write no tool calls: all of those with some
                {"command_r", 1},       // results are written again behind each round, with all calls so far
                {"granite", 10},        // with tools, the generation prompt's header is not the answers'
                {"xml_parameters", 1},  // an answer in parts is left out
            }));
  EXPECT_EQ(without.found, 303u);
  EXPECT_EQ(over_all(kStyles, true).refused, without.refused);
}

TEST(AssistantSpans, PublishedTemplatesAreToldOrRefused) {
  const fs::path folder = "../shared/templates";
  if (!fs::exists(folder)) GTEST_SKIP() << "they are not ours to commit";
  const Outcome outcome = over_all(folder, false);
  EXPECT_EQ(
      outcome.refused,
      (Counts{
          // They write a generation prompt behind everything, asked or not: an end of turn cannot be told from it.
          {"CohereForAI-c4ai-command-r7b-12-2024-tool_use", 23},
          {"fireworks-ai-llama-3-firefunction-v2", 23},
          // They leave out calls, some only where there is a content, be it empty.
          {"HuggingFaceTB-SmolLM3-3B", 7},
          {"LFM2.5-Instruct", 6},
          {"deepseek-ai-DeepSeek-R1-Distill-Llama-8B", 5},
          {"google-gemma-2-2b-it", 1},
          {"ibm-granite-granite-3.3-2B-Instruct", 5},
          {"microsoft-Phi-3.5-mini-instruct", 6},
          {"google-gemma-4-31B-it", 2},            // the text beside calls stands behind their results
          {"meetkai-functionary-medium-v3.2", 1},  // an empty answer is left out
      }));
  EXPECT_EQ(outcome.found, 357u);
}

}  // namespace
}  // namespace hearth
