#include "server/openai_types.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/api_error.h"

namespace hearth {
namespace {

using nlohmann::ordered_json;
using testing::ElementsAre;

ChatRequest chat(const ordered_json& body) { return read_chat_request(JsonReader(body)); }
CompletionRequest completion(const ordered_json& body) { return read_completion_request(JsonReader(body)); }

ordered_json chat_body(const ordered_json& fields = ordered_json::object()) {
  ordered_json body = {{"model", "m"}, {"messages", ordered_json::parse(R"([{"role": "user", "content": "hi"}])")}};
  body.update(fields);
  return body;
}

// The field and the code of the refusal; "accepted" for none.
template <class Read>
std::string refusal(Read read, const std::string& body) {
  try {
    read(ordered_json::parse(body));
  } catch (const ApiError& error) {
    return error.details().param + " " + error.details().code;
  }
  return "accepted";
}

std::string chat_refusal(const std::string& fields) {
  return refusal([](const ordered_json& f) { chat(chat_body(f)); }, fields);
}

std::string message_refusal(const std::string& messages) {
  return refusal([](const ordered_json& m) { chat(chat_body({{"messages", m}})); }, messages);
}

std::string completion_refusal(const std::string& fields) {
  return refusal(
      [](const ordered_json& f) {
        ordered_json body = {{"model", "m"}, {"prompt", "hi"}};
        body.update(f);
        completion(body);
      },
      fields);
}

TEST(ChatRequest, EveryBadFieldIsRefusedByItsPath) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"model": null})", "model missing_required_parameter"},
      {R"({"model": 3})", "model invalid_value"},
      {R"({"messages": null})", "messages missing_required_parameter"},
      {R"({"messages": []})", "messages invalid_value"},
      {R"({"messages": "hi"})", "messages invalid_value"},
      {R"({"temperature": 2.1})", "temperature invalid_value"},
      {R"({"temperature": "hot"})", "temperature invalid_value"},
      {R"({"top_p": -0.1})", "top_p invalid_value"},
      {R"({"top_k": -2})", "top_k invalid_value"},
      {R"({"min_p": 2})", "min_p invalid_value"},
      {R"({"repetition_penalty": 0})", "repetition_penalty invalid_value"},
      {R"({"repeat_penalty": -1})", "repeat_penalty invalid_value"},
      {R"({"frequency_penalty": 3})", "frequency_penalty invalid_value"},
      {R"({"presence_penalty": -2.5})", "presence_penalty invalid_value"},
      {R"({"logit_bias": {"7": 101}})", "logit_bias.7 invalid_value"},
      {R"({"logit_bias": {"seven": 1}})", "logit_bias.seven invalid_value"},
      {R"({"logit_bias": [1]})", "logit_bias invalid_value"},
      {R"({"max_tokens": 0})", "max_tokens invalid_value"},
      {R"({"max_tokens": 1e30})", "max_tokens invalid_value"},
      {R"({"max_completion_tokens": -5, "max_tokens": 5})", "max_completion_tokens invalid_value"},
      {R"({"min_tokens": -1})", "min_tokens invalid_value"},
      {R"({"n": 0})", "n invalid_value"},
      {R"({"n": 129})", "n invalid_value"},
      {R"({"n": 1.5})", "n invalid_value"},
      {R"({"seed": 1e300})", "seed invalid_value"},
      {R"({"stop": 3})", "stop invalid_value"},
      {R"({"stop": ["a", 3]})", "stop[1] invalid_value"},
      {R"({"stop": ["1","2","3","4","5","6","7","8","9","10","11","12","13","14","15","16","17"]})",
       "stop invalid_value"},
      {R"({"stop_token_ids": [-1]})", "stop_token_ids[0] invalid_value"},
      {R"({"logprobs": 5})", "logprobs invalid_value"},
      {R"({"top_logprobs": 2})", "top_logprobs invalid_value"},
      {R"({"logprobs": true, "top_logprobs": 21})", "top_logprobs invalid_value"},
      {R"({"stream": "yes"})", "stream invalid_value"},
      {R"({"stream_options": {"include_usage": true}})", "stream_options invalid_value"},
      {R"({"stream": true, "stream_options": {"include_usage": 1}})", "stream_options.include_usage invalid_value"},
      {R"({"stream": true, "stream_options": []})", "stream_options invalid_value"},
      {R"({"ignore_eos": 1})", "ignore_eos invalid_value"},
      {R"({"chat_template_kwargs": []})", "chat_template_kwargs invalid_value"},
      {R"({"continue_final_message": true})", "continue_final_message invalid_value"},
      {R"({"tools": {}})", "tools invalid_value"},
      {R"({"tools": [{"type": "custom"}]})", "tools[0].type unsupported_parameter"},
      {R"({"tools": [{"type": "function", "function": {"name": "a b"}}]})", "tools[0].function.name invalid_value"},
      {R"({"tools": [{"type": "function", "function": {"name": "a", "parameters": 3}}]})",
       "tools[0].function.parameters invalid_value"},
  };
  for (const auto& [fields, expected] : cases) EXPECT_EQ(chat_refusal(fields), expected) << fields;
}

TEST(ChatRequest, WhatCannotBeHonouredIsNeverIgnored) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"response_format": {"type": "xml"}})", "response_format.type unsupported_parameter"},
      {R"({"response_format": {"type": "json_schema", "json_schema": {}}})",
       "response_format.json_schema.name missing_required_parameter"},
      {R"({"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": 3}}})",
       "response_format.json_schema.schema invalid_value"},
      {R"({"response_format": {"type": "json_object"}, "guided_regex": "a"})", "guided_regex invalid_value"},
      {R"({"structured_outputs": {"structural_tag": {}}})", "structured_outputs.structural_tag unsupported_parameter"},
      {R"({"guided_choice": []})", "guided_choice invalid_value"},
      {R"({"guided_json": "{"})", " invalid_json"},
      {R"({"response_format": {}})", "response_format.type missing_required_parameter"},
      {R"({"tool_choice": "required"})", "tool_choice invalid_value"},
      {R"({"tool_choice": {"type": "function", "function": {"name": "a"}}})", "tool_choice invalid_value"},
      {R"({"function_call": {"name": "a"}})", "function_call invalid_value"},
      {R"({"tool_choice": "any"})", "tool_choice invalid_value"},
      {R"({"grammar": {}})", "grammar invalid_value"},
      {R"({"audio": {"voice": "x"}})", "audio unsupported_parameter"},
      {R"({"modalities": ["text", "audio"]})", "modalities[1] unsupported_parameter"},
      {R"({"response_format": {"type": "text"}, "tool_choice": "auto", "grammar": null, "modalities": ["text"]})",
       "accepted"},
  };
  for (const auto& [fields, expected] : cases) EXPECT_EQ(chat_refusal(fields), expected) << fields;
}

TEST(ChatRequest, EveryBadMessageIsRefusedByItsPath) {
  const std::pair<const char*, const char*> cases[] = {
      {R"([7])", "messages[0] invalid_value"},
      {R"([{"content": "hi"}])", "messages[0].role missing_required_parameter"},
      {R"([{"role": "robot", "content": "hi"}])", "messages[0].role invalid_value"},
      {R"([{"role": "user"}])", "messages[0].content missing_required_parameter"},
      {R"([{"role": "user", "content": null}])", "messages[0].content missing_required_parameter"},
      {R"([{"role": "user", "content": 7}])", "messages[0].content invalid_value"},
      {R"([{"role": "user", "content": [{"type": "text"}]}])",
       "messages[0].content[0].text missing_required_parameter"},
      {R"([{"role": "user", "content": [{"text": "a"}]}])", "messages[0].content[0].type missing_required_parameter"},
      {R"([{"role": "user", "content": [{"type": "image_url"}]}])",
       "messages[0].content[0].image_url missing_required_parameter"},
      {R"([{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}])",
       "messages[0].content[0].image_url.url missing_required_parameter"},
      {R"([{"role": "user", "content": [{"type": "image_url", "image_url": "aGk="}]}])",
       "messages[0].content[0].image_url invalid_value"},
      {R"([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}]}])",
       "messages[0].content[0].image_url.url invalid_value"},
      {R"([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,a", "detail": "huge"}}]}])",
       "messages[0].content[0].image_url.detail invalid_value"},
      {R"([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,a", "file_id": "f"}}]}])",
       "messages[0].content[0].image_url.file_id invalid_value"},
      {R"([{"role": "assistant", "content": [{"type": "image_url", "image_url": {"url": "data:,a"}}]}])",
       "messages[0].content[0].type unsupported_parameter"},
      {R"([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "input_audio"}]}])",
       "messages[0].content[1].type unsupported_parameter"},
      {R"([{"role": "user", "content": [{"type": "hologram"}]}])", "messages[0].content[0].type invalid_value"},
      {R"([{"role": "assistant", "content": null}])", "messages[0].content missing_required_parameter"},
      {R"([{"role": "assistant", "tool_calls": [{"type": "function"}]}])",
       "messages[0].tool_calls[0].function missing_required_parameter"},
      {R"([{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}])",
       "messages[0].tool_calls[0].function.arguments invalid_value"},
      {R"([{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "[1]"}}]}])",
       "messages[0].tool_calls[0].function.arguments invalid_value"},
      {R"([{"role": "user", "content": "a"}, {"role": "user", "content": "b", "name": 3}])",
       "messages[1].name invalid_value"},
  };
  for (const auto& [messages, expected] : cases) EXPECT_EQ(message_refusal(messages), expected) << messages;
}

TEST(ChatRequest, ImagesHaveTheirPlacesAmongTheParts) {
  const ConversationFields read = chat(chat_body({{"messages", ordered_json::parse(R"([
    {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": "DATA:,x"}, "b"]},
    {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
    {"role": "tool", "content": [{"type": "image_url", "image_url": {"file_id": "file-1", "detail": "high"}}]}])")}}))
                                      .conversation;
  EXPECT_EQ(read.messages, ordered_json::parse(R"([
    {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}]},
    {"role": "user", "content": "a\nb"},
    {"role": "tool", "content": [{"type": "image"}]}])"));
  ASSERT_EQ(read.images.size(), 2u);
  EXPECT_EQ(read.images[0].field, "messages[0].content[1].image_url");
  EXPECT_EQ(std::get<ImageReference::Url>(read.images[0].source).text, "DATA:,x");
  EXPECT_EQ(read.images[1].field, "messages[2].content[0].image_url.file_id");
  EXPECT_EQ(std::get<ImageReference::UploadedFile>(read.images[1].source).id, "file-1");
  EXPECT_EQ(read.images[1].detail, ImageDetail::kHigh);
}

TEST(ChatRequest, AConversationHasSoManyImages) {
  ordered_json content = ordered_json::array();
  for (size_t i = 0; i <= kMaxImages; ++i) content.push_back({{"type", "image_url"}, {"image_url", "data:,x"}});
  const ordered_json messages = ordered_json::array({{{"role", "user"}, {"content", content}}});
  EXPECT_EQ(message_refusal(messages.dump()), "messages[0].content[64] invalid_value");
}

TEST(ChatRequest, MessagesOfEveryShapeBecomePlain) {
  const ChatRequest request = chat(chat_body({{"messages", ordered_json::parse(R"([
    {"role": "system", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
    {"role": "developer", "content": "d"},
    {"role": "user", "content": ""},
    {"role": "user", "content": []},
    {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1}"}}]},
    {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "42"}]},
    {"role": "assistant", "content": [{"type": "text", "text": "e"}, {"type": "refusal", "refusal": "no"}], "reasoning": "r"},
    {"role": "assistant", "refusal": "never"},
    {"role": "assistant", "function_call": {"name": "g", "arguments": ""}},
    {"role": "function", "name": "g", "content": "done"}])")}}));
  EXPECT_EQ(request.conversation.messages, ordered_json::parse(R"([
    {"role": "system", "content": "a\nb"},
    {"role": "developer", "content": "d"},
    {"role": "user", "content": ""},
    {"role": "user", "content": ""},
    {"role": "assistant", "content": "", "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": {"x": 1}}}]},
    {"role": "tool", "content": "42", "tool_call_id": "c1"},
    {"role": "assistant", "content": "e\nno", "reasoning_content": "r"},
    {"role": "assistant", "content": "never"},
    {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": {"name": "g", "arguments": {}}}]},
    {"role": "tool", "content": "done", "name": "g"}])"));
}

TEST(ChatRequest, ReadsWhatIsThereAndTakesNullForAbsent) {
  const ChatRequest request = chat(chat_body(ordered_json::parse(R"({
    "max_tokens": 3, "max_completion_tokens": 5.0, "n": 2, "seed": -1, "stop": "x", "temperature": 0, "top_k": -1, "repeat_penalty": 1.5,
    "logit_bias": {"7": -100}, "logprobs": true, "stream": true, "stream_options": {"include_usage": true, "include_obfuscation": false},
    "top_p": null, "tools": null, "user": "u", "prompt_cache_key": "k", "store": true, "unknown": {"a": []}})")));
  const GenerationFields& fields = request.generation;
  EXPECT_EQ(fields.max_tokens, 5);
  EXPECT_EQ(fields.n, 2);
  EXPECT_EQ(fields.seed, -1);
  EXPECT_THAT(fields.stop, ElementsAre("x"));
  EXPECT_EQ(fields.temperature, 0.0f);
  EXPECT_EQ(fields.top_k, 0);
  EXPECT_EQ(fields.repetition_penalty, 1.5f);
  EXPECT_EQ(fields.logit_bias.at(7), -100.0f);
  EXPECT_EQ(fields.top_logprobs, 0);
  EXPECT_TRUE(fields.stream && fields.include_usage);
  EXPECT_FALSE(fields.top_p.has_value());
  EXPECT_TRUE(request.conversation.tools.is_null());
}

TEST(ChatRequest, ToolsOfBothFormsReachTheTemplateUnlessTheyAreSwitchedOff) {
  const ordered_json tools =
      ordered_json::parse(R"([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}])");
  EXPECT_EQ(chat(chat_body({{"tools", tools}})).conversation.tools, tools);
  EXPECT_TRUE(chat(chat_body({{"tools", tools}, {"tool_choice", "none"}})).conversation.tools.is_null());
  EXPECT_EQ(chat(chat_body({{"functions", {{{"name", "f"}}}}})).conversation.tools,
            ordered_json::parse(R"([{"type": "function", "function": {"name": "f"}}])"));
}

TEST(CompletionRequest, EveryBadFieldIsRefusedByItsPath) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"prompt": 3})", "prompt invalid_value"},
      {R"({"prompt": []})", "prompt invalid_value"},
      {R"({"prompt": [1, "a"]})", "prompt[1] invalid_value"},
      {R"({"prompt": ["a", 1]})", "prompt[1] invalid_value"},
      {R"({"prompt": [[1], [-1]]})", "prompt[1][0] invalid_value"},
      {R"({"prompt": [99999999999]})", "prompt[0] invalid_value"},
      {R"({"max_tokens": -1})", "max_tokens invalid_value"},
      {R"({"max_tokens": 0})", "max_tokens invalid_value"},
      {R"({"max_tokens": 0, "echo": true})", "accepted"},
      {R"({"logprobs": 21})", "logprobs invalid_value"},
      {R"({"logprobs": true})", "accepted"},
      {R"({"best_of": 2})", "best_of unsupported_parameter"},
      {R"({"best_of": 2, "n": 2})", "accepted"},
      {R"({"suffix": "end"})", "suffix unsupported_parameter"},
      {R"({"suffix": ""})", "accepted"},
      {R"({"echo": "yes"})", "echo invalid_value"},
  };
  for (const auto& [fields, expected] : cases) EXPECT_EQ(completion_refusal(fields), expected) << fields;
}

TEST(CompletionRequest, TakesPromptsOfEveryShape) {
  using Prompt = CompletionRequest::Prompt;
  using Ids = std::vector<TokenId>;
  const auto prompts = [](const char* prompt) {
    return completion({{"model", "m"}, {"prompt", ordered_json::parse(prompt)}}).prompts;
  };
  EXPECT_THAT(prompts(R"("a")"), ElementsAre(Prompt("a")));
  EXPECT_THAT(prompts(R"(["a", "b"])"), ElementsAre(Prompt("a"), Prompt("b")));
  EXPECT_THAT(prompts("[1, 2.0]"), ElementsAre(Prompt(Ids{1, 2})));
  EXPECT_THAT(prompts("[[1], [2, 3]]"), ElementsAre(Prompt(Ids{1}), Prompt(Ids{2, 3})));
  EXPECT_THAT(prompts("null"), ElementsAre(Prompt("")));
  EXPECT_EQ(completion({{"model", "m"}, {"prompt", "a"}}).generation.max_tokens, 16);
}

}  // namespace
}  // namespace hearth
