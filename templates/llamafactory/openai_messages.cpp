// OpenAI's message objects, as chat templates get them, to the turns that slots can write.
#include <iterator>
#include <utility>

#include "runtime/base/error.h"
#include "templates/llamafactory/python_text.h"
#include "templates/llamafactory/slot_template.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;
using Role = SlotMessage::Role;

// Between results of tools in one turn: where the slot wraps each in a tag, the tag closes and opens again.
std::string separator_of_results(const SlotTemplate& slot_template) {
  for (const PromptSegment& slot : slot_template.observation)
    if (slot.text.find("<tool_response>\n") != std::string::npos) return "\n</tool_response>\n<tool_response>\n";
  return "\n";
}

class Reader {
 public:
  Reader(const SlotTemplate& slot_template, const ChatTemplateInputs& inputs)
      : template_(slot_template), inputs_(inputs), separator_(separator_of_results(slot_template)) {}

  SlotConversation read() {
    if (!inputs_.messages.is_array()) fail("messages must be an array");
    for (const Json& message : inputs_.messages) {
      add(message);
      ++index_;
    }
    const bool answered = !out_.messages.empty() && ends_with_answer();
    if (inputs_.add_generation_prompt) {
      if (answered || out_.messages.empty()) fail("the last message must be the user's or a tool's");
      out_.messages.push_back({Role::kAssistant});
    } else if (!answered) {
      fail(
          "its slots show a prompt only together with the assistant's beginning: the last message must be the "
          "assistant's, or add_generation_prompt true");
    }
    if (inputs_.tools.is_array() && !inputs_.tools.empty()) out_.tools = python_json(schemas());
    out_.now = inputs_.now;
    return std::move(out_);
  }

 private:
  [[noreturn]] void fail(std::string_view what) const {
    throw invalid_argument("template '{}': {}", template_.name, what);
  }
  [[noreturn]] void fail_at(std::string_view what) const {
    throw invalid_argument("template '{}': messages[{}]: {}", template_.name, index_, what);
  }

  bool ends_with_answer() const {
    const Role role = out_.messages.back().role;
    return role == Role::kAssistant || role == Role::kFunction;
  }

  // The bare schemas, as LLaMA-Factory's own server passes them on.
  Json schemas() const {
    Json out = Json::array();
    for (const Json& tool : inputs_.tools) {
      const auto function = tool.is_object() ? tool.find("function") : tool.end();
      out.push_back(tool.is_object() && function != tool.end() ? *function : tool);
    }
    return out;
  }

  std::string text(const Json& message, const char* key) const {
    const auto found = message.find(key);
    if (found == message.end() || found->is_null()) return "";
    if (!found->is_string()) fail_at(fmt::format("{} must be a text", key));
    return found->get<std::string>();
  }

  // Texts and images stand in the order of the parts.
  SlotMessage question(const Json& message) const {
    const auto content = message.find("content");
    if (content == message.end() || !content->is_array()) return {Role::kUser, text(message, "content")};
    SlotMessage question{Role::kUser};
    for (const Json& part : *content) {
      const std::string type = part.is_object() ? text(part, "type") : "";
      if (type == "text") {
        question.content += text(part, "text");
      } else if (type == "image") {
        const size_t begin = question.content.size();
        question.content += template_.image_text();
        question.images.push_back({begin, question.content.size()});
      } else {
        fail_at("content: parts must be of type text or image");
      }
    }
    return question;
  }

  void add(const Json& message) {
    if (!message.is_object()) fail_at("must be an object");
    const std::string role = text(message, "role");
    if (role == "system" || role == "developer") {
      if (index_ > 0) fail_at("a system message must be the first");
      out_.system = text(message, "content");
    } else if (role == "user") {
      add_turn(question(message));
    } else if (role == "tool") {
      add_result(text(message, "content"));
    } else if (role == "assistant") {
      add_answer(message);
    } else {
      fail_at(fmt::format("it has no slots for the role '{}'", role));
    }
  }

  void add_turn(SlotMessage message) {
    const bool answers = message.role == Role::kAssistant || message.role == Role::kFunction;
    if (answers != (out_.messages.size() % 2 == 1))
      fail_at("user (or tool) and assistant messages must take turns, the user first");
    out_.messages.push_back(std::move(message));
  }

  void add_result(const std::string& content) {
    if (!out_.messages.empty() && out_.messages.back().role == Role::kObservation)
      out_.messages.back().content += separator_ + content;
    else
      add_turn({Role::kObservation, content});
  }

  void add_answer(const Json& message) {
    SlotMessage answer{Role::kAssistant, text(message, "content")};
    const bool reasons =
        template_.kind == TemplateClass::kReasoning || template_.kind == TemplateClass::kGlm47Reasoning;
    if (const std::string thought = text(message, "reasoning_content"); reasons && !thought.empty())
      answer.content = template_.thought_words[0] + thought + template_.thought_words[1] + answer.content;
    if (const auto calls = message.find("tool_calls"); calls != message.end() && !calls->is_null()) {
      if (!calls->is_array()) fail_at("tool_calls must be an array");
      for (const Json& call : *calls) answer.calls.push_back(read_call(call));
      if (!answer.calls.empty()) answer.role = Role::kFunction;
    }
    add_turn(std::move(answer));
  }

  ToolCall read_call(const Json& call) const {
    const auto function = call.is_object() ? call.find("function") : call.end();
    if (!call.is_object() || function == call.end() || !function->is_object()) fail_at("a tool call lacks 'function'");
    const auto arguments = function->find("arguments");
    return {text(*function, "name"), arguments == function->end() ? Json::object() : *arguments};
  }

  const SlotTemplate& template_;
  const ChatTemplateInputs& inputs_;
  const std::string separator_;
  SlotConversation out_;
  size_t index_ = 0;
};

}  // namespace

std::vector<PromptSegment> SlotTemplate::render(const ChatTemplateInputs& inputs) const {
  if (!inputs.extra.is_null() && !inputs.extra.empty()) {
    SlotTemplate changed = *this;
    for (const auto& [key, value] : inputs.extra.items()) {
      const bool is_switch = value.is_boolean();
      if (key == "enable_thinking" && (is_switch || value.is_null()))
        changed.enable_thinking = is_switch ? std::optional(value.get<bool>()) : std::nullopt;
      else if (key == "preserve_thinking" && is_switch)
        changed.preserve_thinking = value.get<bool>();
      else
        throw invalid_argument(
            "template '{}': of chat_template_kwargs it knows enable_thinking and preserve_thinking, true or false; "
            "found '{}'",
            name, key);
    }
    ChatTemplateInputs plain = inputs;
    plain.extra = nullptr;
    return changed.render(plain);
  }
  SlotTurn turn = last_turn(Reader(*this, inputs).read());
  if (!inputs.add_generation_prompt)
    std::move(turn.response.begin(), turn.response.end(), std::back_inserter(turn.prompt));
  return std::move(turn.prompt);
}

}  // namespace hearth
