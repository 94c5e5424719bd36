#include "server/openai_types.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include <fmt/format.h>

#include "server/api_error.h"
#include "server/chat_messages.h"

namespace hearth {
namespace {

constexpr int64_t kMaxInt = std::numeric_limits<int32_t>::max();
constexpr size_t kMaxStopBytes = 1024, kMaxPrompts = 2048;

// Constrained output and other fields that change what an answer may be. A client that sent one must not get an answer
// that disregards it.
constexpr std::string_view kUnsupported[] = {"regex",           "audio",     "web_search_options", "chat_template",
                                             "prompt_logprobs", "documents", "logits_processors",  "use_beam_search"};

void refuse_unsupported(const JsonReader& body) {
  for (const std::string_view name : kUnsupported) {
    const JsonReader field = body[name];
    if (!field || (field.json().is_boolean() && !field.boolean())) continue;
    throw unsupported_field(field.path(), fmt::format("'{}' is not supported", field.path()));
  }
  for (const JsonReader& modality : body["modalities"].elements()) {
    if (modality.string() != "text")
      throw unsupported_field(modality.path(), fmt::format("'{}': answers are text", modality.path()));
  }
}

std::optional<float> read_float(const JsonReader& field, double min, double max) {
  if (!field) return std::nullopt;
  return static_cast<float>(field.number(min, max));
}

std::vector<std::string> read_stop(const JsonReader& stop) {
  std::vector<std::string> strings;
  const auto add = [&](const JsonReader& element) {
    std::string text = element.string();
    if (text.size() > kMaxStopBytes) element.fail(fmt::format("longer than {} bytes", kMaxStopBytes));
    if (!text.empty()) strings.push_back(std::move(text));
  };
  if (!stop) return strings;
  if (stop.is_string()) {
    add(stop);
    return strings;
  }
  if (!stop.is_array()) stop.fail_type("a string or an array of strings");
  const std::vector<JsonReader> elements = stop.elements();
  if (elements.size() > kMaxStopStrings) stop.fail(fmt::format("more than {} stop strings", kMaxStopStrings));
  for (const JsonReader& element : elements) add(element);
  return strings;
}

std::unordered_map<TokenId, float> read_logit_bias(const JsonReader& field) {
  std::unordered_map<TokenId, float> bias;
  for (const auto& [key, value] : field.members()) {
    TokenId id = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error != std::errc() || end != key.data() + key.size() || id < 0) value.fail("the key is not a token id");
    bias[id] = static_cast<float>(value.number(-100, 100));
  }
  return bias;
}

void read_sampling(const JsonReader& body, GenerationFields& out) {
  out.temperature = read_float(body["temperature"], 0, 2);
  out.top_p = read_float(body["top_p"], 0, 1);
  out.min_p = read_float(body["min_p"], 0, 1);
  out.typical_p = read_float(body["typical_p"], 0, 1);
  const JsonReader penalty = body["repetition_penalty"];
  out.repetition_penalty = read_float(penalty ? penalty : body["repeat_penalty"], 0.01, 100);
  // -1 turns it off in vLLM, 0 in llama.cpp.
  if (const JsonReader top_k = body["top_k"])
    out.top_k = static_cast<int>(std::max<int64_t>(0, top_k.integer(-1, kMaxInt)));
  out.frequency_penalty = read_float(body["frequency_penalty"], -2, 2).value_or(0);
  out.presence_penalty = read_float(body["presence_penalty"], -2, 2).value_or(0);
  out.logit_bias = read_logit_bias(body["logit_bias"]);
  if (const JsonReader seed = body["seed"])
    out.seed = seed.integer(std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max());
}

bool read_flag(const JsonReader& field, bool otherwise = false) { return field ? field.boolean() : otherwise; }

GenerationFields read_generation(const JsonReader& body) {
  GenerationFields out;
  refuse_unsupported(body);
  read_sampling(body, out);
  out.format = read_output_format(body);
  out.min_tokens = body["min_tokens"] ? static_cast<int>(body["min_tokens"].integer(0, kMaxInt)) : 0;
  out.n = body["n"] ? static_cast<int>(body["n"].integer(1, kMaxChoices)) : 1;
  out.stop = read_stop(body["stop"]);
  out.stop_token_ids = read_token_ids(body["stop_token_ids"]);
  out.ignore_eos = read_flag(body["ignore_eos"]);
  out.stream = read_flag(body["stream"]);
  const JsonReader options = body["stream_options"];
  if (options && !out.stream) options.fail("only with 'stream': true");
  out.include_usage = read_flag(options["include_usage"]);
  return out;
}

// A function that a choice names must be among the tools.
std::string read_choice_name(const JsonReader& function, const nlohmann::ordered_json& tools) {
  const JsonReader name = function.required("name");
  for (const auto& tool : tools)
    if (tool.at("function").at("name") == name.string()) return name.string();
  name.fail(fmt::format("'{}' is none of the tools", name.string()));
}

// {"mode": "auto" or "required", "tools": [{"type": "function", "function": {"name": ...}}, ...]}
void read_allowed_tools(const JsonReader& allowed, ConversationFields& out) {
  const JsonReader mode = allowed.required("mode");
  if (mode.string() != "auto" && mode.string() != "required") mode.fail("there are auto and required");
  out.tool_choice.required = mode.string() == "required";
  const std::vector<JsonReader> tools = allowed.required("tools").elements();
  if (tools.empty()) allowed["tools"].fail("at least one tool is needed");
  for (const JsonReader& tool : tools) {
    const JsonReader function = tool["function"];
    out.tool_choice.names.push_back(read_choice_name(function ? function : tool, out.tools));
  }
}

void read_tool_choice(const JsonReader& choice, ConversationFields& out) {
  if (!choice) return;
  const std::string name = choice.is_string() ? choice.string() : "";
  if (name == "none") out.tools = nullptr;
  if (name == "none" || name == "auto") return;
  if (!choice.is_object() && name != "required") choice.fail("there are none, auto, required and objects");
  if (out.tools.is_null()) choice.fail("only with 'tools'");
  if (!choice.is_object()) {
    out.tool_choice.required = true;
    return;
  }
  const JsonReader type = choice["type"];
  if (type && type.string() == "allowed_tools") {
    // OpenAI's own clients nest it, and its Responses API does not.
    const JsonReader nested = choice["allowed_tools"];
    return read_allowed_tools(nested ? nested : choice, out);
  }
  if (type && type.string() != "function") type.fail("there are function and allowed_tools");
  const JsonReader function = choice["function"];
  out.tool_choice = {.required = true, .names = {read_choice_name(function ? function : choice, out.tools)}};
}

std::string read_reasoning_effort(const JsonReader& effort) {
  if (!effort) return "";
  constexpr std::string_view kEfforts[] = {"none", "minimal", "low", "medium", "high", "xhigh", "max"};
  std::string name = effort.string();
  if (std::ranges::find(kEfforts, name) == std::end(kEfforts))
    effort.fail(fmt::format("'{}' is none of {}", name, fmt::join(kEfforts, ", ")));
  return name;
}

// {"functions": [...]}, older than tools.
nlohmann::ordered_json tools_from_functions(const JsonReader& functions) {
  nlohmann::ordered_json tools = nlohmann::ordered_json::array();
  for (const JsonReader& function : functions.elements()) {
    check_function(function);
    tools.push_back({{"type", "function"}, {"function", function.json()}});
  }
  return tools.empty() ? nlohmann::ordered_json() : tools;
}

std::optional<int> read_max_tokens(const JsonReader& field, int min) {
  if (!field) return std::nullopt;
  return static_cast<int>(field.integer(min, kMaxInt));
}

std::vector<CompletionRequest::Prompt> read_prompts(const JsonReader& prompt) {
  using Prompt = CompletionRequest::Prompt;
  if (!prompt) return {Prompt(std::string())};
  if (prompt.is_string()) return {Prompt(prompt.string())};
  if (!prompt.is_array())
    prompt.fail_type("a string, an array of strings, token ids or an array of arrays of token ids");
  const std::vector<JsonReader> elements = prompt.elements();
  if (elements.empty()) prompt.fail("at least one prompt is needed");
  if (elements.front().is_integer()) return {Prompt(read_token_ids(prompt))};
  if (elements.size() > kMaxPrompts) prompt.fail(fmt::format("more than {} prompts", kMaxPrompts));
  std::vector<Prompt> prompts;
  prompts.reserve(elements.size());
  for (const JsonReader& element : elements)
    prompts.push_back(element.is_array() ? Prompt(read_token_ids(element)) : Prompt(element.string()));
  return prompts;
}

}  // namespace

std::vector<TokenId> read_token_ids(const JsonReader& array) {
  std::vector<TokenId> ids;
  for (const JsonReader& element : array.elements()) ids.push_back(static_cast<TokenId>(element.integer(0, kMaxInt)));
  return ids;
}

ConversationFields read_conversation(const JsonReader& body) {
  ConversationFields out;
  out.messages = read_messages(body.required("messages"), out.images);
  out.tools = body["tools"] ? read_tools(body["tools"]) : tools_from_functions(body["functions"]);
  out.legacy_functions = !body["tools"] && body["functions"];
  read_tool_choice(body["tool_choice"] ? body["tool_choice"] : body["function_call"], out);
  // A function that is named is called once.
  const bool is_named = out.tool_choice.required && out.tool_choice.names.size() == 1;
  out.tool_choice.parallel = !out.legacy_functions && !is_named && read_flag(body["parallel_tool_calls"], true);
  const JsonReader arguments = body["chat_template_kwargs"];
  if (arguments && !arguments.is_object()) arguments.fail_type("an object");
  out.template_arguments = arguments.json();
  out.reasoning_effort = read_reasoning_effort(body["reasoning_effort"]);
  out.add_generation_prompt = read_flag(body["add_generation_prompt"], true);
  const JsonReader resume = body["continue_final_message"];
  out.continue_final_message = read_flag(resume);
  if (!out.continue_final_message) return out;
  if (body["add_generation_prompt"] && out.add_generation_prompt)
    resume.fail("not together with 'add_generation_prompt': true");
  if (out.messages.back()["role"] != "assistant") resume.fail("the last message must be the assistant's");
  out.add_generation_prompt = false;
  return out;
}

ChatRequest read_chat_request(const JsonReader& body) {
  if (!body.is_object()) body.fail_type("an object");
  ChatRequest out;
  out.model = body.required("model").string();
  out.conversation = read_conversation(body);
  out.generation = read_generation(body);
  const JsonReader newer = body["max_completion_tokens"];
  out.generation.max_tokens = read_max_tokens(newer ? newer : body["max_tokens"], 1);
  const bool logprobs = read_flag(body["logprobs"]);
  if (const JsonReader top = body["top_logprobs"]) {
    const auto count = static_cast<int>(top.integer(0, kMaxTopLogprobs));
    if (!logprobs && count > 0) top.fail("only with 'logprobs': true");
    out.generation.top_logprobs = logprobs ? count : -1;
  } else if (logprobs) {
    out.generation.top_logprobs = 0;
  }
  return out;
}

CompletionRequest read_completion_request(const JsonReader& body) {
  if (!body.is_object()) body.fail_type("an object");
  CompletionRequest out;
  out.model = body.required("model").string();
  out.prompts = read_prompts(body["prompt"]);
  out.echo = read_flag(body["echo"]);
  out.generation = read_generation(body);
  out.generation.max_tokens = read_max_tokens(body["max_tokens"], 0).value_or(16);
  if (const JsonReader logprobs = body["logprobs"]) {
    // Some clients send the chat route's flag.
    if (logprobs.json().is_boolean())
      out.generation.top_logprobs = logprobs.boolean() ? 0 : -1;
    else
      out.generation.top_logprobs = static_cast<int>(logprobs.integer(0, kMaxTopLogprobs));
  }
  if (const JsonReader best_of = body["best_of"]; best_of && best_of.integer(1, kMaxChoices) != out.generation.n)
    throw unsupported_field(best_of.path(), "'best_of': only a number equal to 'n' is supported");
  if (const JsonReader suffix = body["suffix"]; suffix && !suffix.string().empty())
    throw unsupported_field(suffix.path(), "'suffix': this model does not fill in the middle");
  if (out.generation.max_tokens == 0 && !out.echo) body["max_tokens"].fail("0 makes sense only with 'echo': true");
  return out;
}

}  // namespace hearth
