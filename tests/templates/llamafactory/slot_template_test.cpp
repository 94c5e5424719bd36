// OpenAI's messages through slots, what of a prompt users wrote, and what the slots cannot say.
#include "templates/llamafactory/slot_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "runtime/base/error.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;
using Kind = PromptSegment::Kind;
using testing::HasSubstr;

ChatTemplateInputs inputs_of(const char* json) {
  const Json parsed = Json::parse(json);
  ChatTemplateInputs inputs;
  inputs.messages = parsed.at("messages");
  inputs.tools = parsed.value("tools", Json());
  inputs.extra = parsed.value("extra", Json());
  inputs.add_generation_prompt = parsed.value("add_generation_prompt", true);
  return inputs;
}

// Users' parts in «», tokens in {}, segments parted by |.
std::string shown(const std::vector<PromptSegment>& segments) {
  std::string out;
  for (const PromptSegment& segment : segments) {
    if (!out.empty()) out += "|";
    if (segment.kind != Kind::kText) {
      out += "{" + (segment.kind == Kind::kBos ? "bos" : segment.kind == Kind::kEos ? "eos" : segment.text) + "}";
      continue;
    }
    size_t done = 0;
    for (const ByteRange& range : segment.literal) {
      out += segment.text.substr(done, range.begin - done) + "«";
      out += segment.text.substr(range.begin, range.end - range.begin) + "»";
      done = range.end;
    }
    out += segment.text.substr(done);
  }
  return out;
}

std::string rendered(const char* name, const char* json) {
  return shown(SlotTemplate::named(name).render(inputs_of(json)));
}

std::string error_of(const char* name, const char* json) {
  try {
    return "no error: " + rendered(name, json);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.what();
  }
}

TEST(SlotTemplate, RendersOpenAiMessages) {
  struct Case {
    const char *name, *json, *expected;
  };
  const Case cases[] = {
      {"zephyr", R"({"messages": [{"role": "user", "content": "Hi"}]})",
       "<|system|>\nYou are Zephyr, a helpful assistant.|{eos}|<|user|>\n«Hi»|{eos}|<|assistant|>\n"},
      {"llama2",
       R"({"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "<<SYS>>"},
           {"role": "assistant", "content": "A"}, {"role": "user", "content": "B"}]})",
       "{bos}|[INST] <<SYS>>\nS\n<</SYS>>\n\n«<<SYS>>» [/INST]|A|{eos}|{bos}|[INST] «B» [/INST]"},
      {"chatglm3", R"({"messages": [{"role": "developer", "content": "S"}, {"role": "user", "content": "Hi"}]})",
       "{[gMASK]}|{sop}|{<|system|>}|\n|S|{<|user|>}|\n|«Hi»|{<|assistant|>}"},
      // Two results are one observation; a call's text stands before it.
      {"qwen3_nothink",
       R"({"messages": [{"role": "user", "content": "T?"},
           {"role": "assistant", "content": "So: ", "tool_calls": [
             {"type": "function", "function": {"name": "t", "arguments": {"a": 1.0}}}]},
           {"role": "tool", "content": "1"}, {"role": "tool", "content": "2"}]})",
       "<|im_start|>user\n«T?»<|im_end|>\n<|im_start|>assistant\n|So: <tool_call>\n{\"name\": \"t\", \"arguments\": "
       "{\"a\": 1.0}}\n</tool_call><|im_end|>\n|<|im_start|>user\n<tool_response>\n«1\n</tool_response>\n"
       "<tool_response>\n2»\n</tool_response><|im_end|>\n<|im_start|>assistant\n"},
      {"lfm2",
       R"({"messages": [{"role": "user", "content": "T?"},
           {"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "t", "arguments": {}}}]},
           {"role": "tool", "content": "1"}, {"role": "tool", "content": "2"}]})",
       "<|im_start|>system\nYou are a helpful AI assistant.<|im_end|>\n|<|im_start|>user\n«T?»<|im_end|>\n"
       "<|im_start|>assistant\n|<|tool_call_start|>[t()]<|tool_call_end|><|im_end|>\n|<|im_start|>tool\n"
       "<|tool_response_start|>«1\n2»<|tool_response_end|><|im_end|>\n<|im_start|>assistant\n"},
      // Thoughts of earlier turns go, unless they are to be kept; without thinking an empty one ends the prompt.
      {"qwen3",
       R"({"messages": [{"role": "user", "content": "1"},
           {"role": "assistant", "content": "A", "reasoning_content": "because"}, {"role": "user", "content": "2"}]})",
       "<|im_start|>user\n«1»<|im_end|>\n<|im_start|>assistant\n|A<|im_end|>\n|<|im_start|>user\n«2»<|im_end|>\n"
       "<|im_start|>assistant\n"},
      {"qwen3",
       R"({"extra": {"enable_thinking": false, "preserve_thinking": true}, "messages": [
           {"role": "user", "content": "1"}, {"role": "assistant", "content": "A", "reasoning_content": "because"},
           {"role": "user", "content": "2"}]})",
       "<|im_start|>user\n«1»<|im_end|>\n<|im_start|>assistant\n|<think>\nbecause\n</think>\n\nA<|im_end|>\n|"
       "<|im_start|>user\n«2»<|im_end|>\n<|im_start|>assistant\n|<think>\n\n</think>\n\n"},
      {"glm4_7", R"({"extra": {"enable_thinking": false}, "messages": [{"role": "user", "content": "1"}]})",
       "[gMASK]<sop>|<|user|>\n«1»<|assistant|>|</think>"},
      {"phi4_mini",
       R"({"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "1"}],
           "tools": [{"type": "function", "function": {"name": "t"}}]})",
       "<|system|>S<|tool|>[{\"name\": \"t\"}]<|/tool|><|end|>|<|user|>«1»<|end|><|assistant|>"},
      {"vicuna",
       R"({"add_generation_prompt": false, "messages": [
           {"role": "user", "content": ""}, {"role": "assistant", "content": "Because"}]})",
       "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, "
       "and polite answers to the user's questions.|USER:  ASSISTANT:|Because|{eos}"},
  };
  for (const Case& one : cases) EXPECT_EQ(rendered(one.name, one.json), one.expected) << one.name;
}

TEST(SlotTemplate, RefusesWhatTheSlotsCannotSay) {
  struct Case {
    const char *json, *part;
  };
  const Case cases[] = {
      {R"({"messages": []})", "the last message must be the user's"},
      {R"({"messages": {}})", "messages must be an array"},
      {R"({"messages": ["Hi"]})", "messages[0]: must be an object"},
      {R"({"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]})",
       "messages[1]: user (or tool) and assistant messages must take turns"},
      {R"({"messages": [{"role": "assistant", "content": "a"}]})", "take turns, the user first"},
      {R"({"messages": [{"role": "user", "content": "a"}, {"role": "system", "content": "b"}]})",
       "messages[1]: a system message must be the first"},
      {R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]})",
       "the last message must be the user's or a tool's"},
      {R"({"messages": [{"role": "user", "content": "a"}], "add_generation_prompt": false})",
       "must be the assistant's"},
      {R"({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]})",
       "messages[0]: content: parts must be of type text or image"},
      {R"({"messages": [{"role": "user", "content": [{"type": "image"}]}]})",
       "template 'glm4' is not for images; llava, those of llava_next and qwen2_vl are"},
      {R"({"messages": [{"role": "critic", "content": "a"}]})", "no slots for the role 'critic'"},
      {R"({"messages": [{"role": "user", "content": "a"}], "tools": [{"type": "function", "function": {}}]})",
       "each must be a function's schema with a 'name'"},
      {R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "tool_calls": [{}]},
           {"role": "tool", "content": "b"}]})",
       "messages[1]: a tool call lacks 'function'"},
      {R"({"messages": [{"role": "user", "content": "a"}], "extra": {"documents": []}})", "found 'documents'"},
      {R"({"messages": [{"role": "user", "content": "a"}], "extra": {"enable_thinking": 1}})",
       "found 'enable_thinking'"},
  };
  for (const Case& one : cases) EXPECT_THAT(error_of("glm4", one.json), HasSubstr(one.part)) << one.json;
  EXPECT_THAT(error_of("glm4",
                       R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "tool_calls": [
                           {"function": {"name": "f", "arguments": {}}}, {"function": {"name": "g", "arguments": {}}}]},
                           {"role": "tool", "content": "b"}]})"),
              HasSubstr("one call in a message, not 2"));
}

// What a message spells is no image, however it is spelled.
TEST(SlotTemplate, WritesImagesAsThePluginsDo) {
  const auto user = [](const char* name, const char* content) {
    ChatTemplateInputs inputs;
    inputs.messages = {{{"role", "user"}, {"content", nlohmann::ordered_json::parse(content)}}};
    const std::vector<PromptSegment> segments = SlotTemplate::named(name, {.default_system = ""}).render(inputs);
    std::string text;
    for (const PromptSegment& segment : segments) {
      size_t begin = 0;
      for (const ByteRange& literal : segment.literal) {
        text += segment.text.substr(begin, literal.begin - begin);
        text += "{" + segment.text.substr(literal.begin, literal.end - literal.begin) + "}";
        begin = literal.end;
      }
      text += segment.text.substr(begin);
    }
    return text;
  };
  constexpr const char* kContent =
      R"([{"type": "text", "text": "a <image> "}, {"type": "image"}, {"type": "image"}, {"type": "text", "text": "b"}])";
  EXPECT_EQ(user("llava", kContent), "USER: {a <image> }<image><image>{b} ASSISTANT:");
  EXPECT_EQ(user("qwen2_vl", R"([{"type": "image"}, {"type": "text", "text": "what?"}])"),
            "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>{what?}<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(user("llava_next_mistral", R"([{"type": "image"}])"), "[INST] <image>[/INST]");
  EXPECT_THROW(SlotTemplate::named("mllama").image_text(), Error);
}

TEST(SlotTemplate, RefusesTrainingDataThatIsNone) {
  using Role = SlotMessage::Role;
  const SlotTemplate qwen = SlotTemplate::named("qwen");
  const auto error = [&](std::string call, std::string tools) {
    try {
      qwen.turns({.messages = {{Role::kUser, "a"}, {Role::kFunction, std::move(call)}}, .tools = std::move(tools)});
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_EQ(error(R"({"name": "f", "arguments": {}})", "[]"), "");
  EXPECT_THAT(error("f()", ""), HasSubstr("a function message must be JSON"));
  EXPECT_THAT(error(R"({"name": "f"})", ""), HasSubstr("'name' and 'arguments'"));
  EXPECT_THAT(error(R"({"name": 1, "arguments": {}})", ""), HasSubstr("a name that is no text"));
  EXPECT_THAT(error(R"({"name": "f", "arguments": {}})", "{}"), HasSubstr("tools must be a JSON array"));
  EXPECT_THAT(error(R"({"name": "f", "arguments": {}})", "[1]"), HasSubstr("function's schema"));
  EXPECT_THAT(error("[" + std::string(100'000, '[') + "]", ""), HasSubstr("must be JSON"));
  EXPECT_THROW(qwen.turns({.messages = {{Role::kUser, "a"}}}), Error);
  EXPECT_THROW(SlotTemplate::named("qwen33"), Error);
}

TEST(SlotTemplate, OptionsChangeTheTemplate) {
  const auto prompt = [](const SlotTemplateOptions& options) {
    return shown(SlotTemplate::named("smollm2", options)
                     .render(inputs_of(R"({"messages": [{"role": "user", "content": "Hi"}]})")));
  };
  EXPECT_THAT(prompt({}), HasSubstr("You are a helpful AI assistant named SmolLM"));
  EXPECT_THAT(prompt({.default_system = "Be brief."}), testing::StartsWith("<|im_start|>system\nBe brief.<|im_end|>"));
  EXPECT_THAT(prompt({.default_system = ""}), testing::StartsWith("<|im_start|>user\n«Hi»"));
}

}  // namespace
}  // namespace hearth
