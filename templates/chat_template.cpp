#include "templates/chat_template.h"

#include <algorithm>
#include <ctime>
#include <unordered_map>
#include <utility>

#include "runtime/base/error.h"
#include "templates/jinja/from_json.h"
#include "templates/jinja/interpreter.h"
#include "templates/jinja/parser.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kProbe = "a text of the user";

// Messages and other inputs as a template's values.
class Converter {
 public:
  Converter(jinja::RenderState& state, bool texts_as_parts) : state_(state), texts_as_parts_(texts_as_parts) {}

  jinja::Value messages(const Json& json) {
    if (!json.is_array()) throw invalid_argument("messages must be an array, not {}", json.type_name());
    std::vector<jinja::Value> items;
    items.reserve(json.size());
    for (const Json& message : json) {
      if (!message.is_object())
        throw invalid_argument("messages[{}] must be an object, not {}", items.size(), message.type_name());
      items.push_back(this->message(message));
    }
    return state_.list(std::move(items));
  }

 private:
  // As transformers prepares a message: keys whose value is null are dropped, and reasoning is found under the two
  // names that templates read.
  jinja::Value message(const Json& json) {
    const auto role = json.find("role");
    const std::string_view name =
        role != json.end() && role->is_string() ? std::string_view(role->get_ref<const std::string&>()) : "";
    const bool literal = name != "system" && name != "developer" && name != "assistant";
    const bool known = name == "user" || name == "tool";
    const Json* reasoning = nullptr;
    for (const char* key : {"reasoning_content", "thinking", "reasoning"}) {
      const auto it = json.find(key);
      if (!reasoning && it != json.end() && !it->is_null()) reasoning = &*it;
    }
    std::vector<jinja::Dict::Entry> entries;
    const auto add = [&](const std::string& key, const Json& given) {
      Json parts;
      if (texts_as_parts_ && key == "content" && given.is_string())
        parts = Json::array({{{"type", "text"}, {"text", given}}});
      const Json& value = parts.is_null() ? given : parts;
      // A key of letters is one of the API's; any other is as much the user's as the value.
      const bool plain = std::all_of(key.begin(), key.end(), [](char c) { return c == '_' || (c >= 'a' && c <= 'z'); });
      entries.emplace_back(jinja::from_text(state_, key, literal && !plain),
                           jinja::from_json(state_, value, literal && !(known && key == "role"), 1));
    };
    if (reasoning) {
      const auto thinking = json.find("thinking");
      add("thinking", thinking != json.end() && !thinking->is_null() ? *thinking : *reasoning);
    }
    bool placed = false;
    for (const auto& [key, value] : json.items()) {
      if (value.is_null() || (reasoning && key == "thinking")) continue;
      if (key == "reasoning_content") placed = true;
      add(key, value);
    }
    if (reasoning && !placed) add("reasoning_content", *reasoning);
    return state_.dict(std::move(entries));
  }

  jinja::RenderState& state_;
  const bool texts_as_parts_;
};

void define_inputs(jinja::Interpreter& interpreter, const ChatTemplateInputs& inputs, const std::string& bos,
                   const std::string& eos, bool texts_as_parts) {
  Converter converter(interpreter.state(), texts_as_parts);
  const auto define = [&](const char* name, const Json& json) {
    if (interpreter.mentions(name)) interpreter.define(name, jinja::from_json(interpreter.state(), json, false));
  };
  // A token that the tokenizer lacks is undefined, as in the reference.
  if (!bos.empty()) interpreter.define("bos_token", jinja::Value::text(bos));
  if (!eos.empty()) interpreter.define("eos_token", jinja::Value::text(eos));
  interpreter.define("messages", converter.messages(inputs.messages));
  define("tools", inputs.tools);
  define("documents", nullptr);
  interpreter.define("add_generation_prompt", inputs.add_generation_prompt);
  if (inputs.extra.is_null()) return;
  if (!inputs.extra.is_object())
    throw invalid_argument("chat_template_kwargs must be an object, not {}", inputs.extra.type_name());
  for (const auto& [key, value] : inputs.extra.items()) {
    // They would go round the marking of what users wrote.
    if (key == "messages" || key == "tools") throw invalid_argument("chat_template_kwargs must not contain '{}'", key);
    define(key.c_str(), value);
  }
}

}  // namespace

struct ChatTemplate::Impl {
  std::string source, bos_token, eos_token;
  jinja::Limits limits;
  jinja::Ast ast;
  bool texts_as_parts = false;

  bool shows(const Json& content) const;
  bool wants_parts() const;
  RenderedPrompt render(const ChatTemplateInputs& inputs) const;
};

// Whether a user's message appears in the prompt.
bool ChatTemplate::Impl::shows(const Json& content) const {
  try {
    const ChatTemplateInputs inputs{
        .messages = Json::array({{{"role", "user"}, {"content", content}}}), .tools = {}, .extra = {}, .now = {}};
    return render(inputs).text.find(kProbe) != std::string::npos;
  } catch (const Error&) {
    return false;
  }
}

bool ChatTemplate::Impl::wants_parts() const {
  return source.find("image") != std::string::npos && !shows(kProbe) &&
         shows(Json::array({{{"type", "text"}, {"text", kProbe}}}));
}

ChatTemplate::ChatTemplate(std::string source, std::string bos_token, std::string eos_token,
                           const jinja::Limits& limits) {
  try {
    jinja::Ast ast = jinja::Parser(source).parse();
    impl_ = std::make_unique<Impl>(
        Impl{std::move(source), std::move(bos_token), std::move(eos_token), limits, std::move(ast)});
    impl_->texts_as_parts = impl_->wants_parts();
  } catch (const jinja::SyntaxFault& e) {
    throw invalid_argument("chat template, line {}: {}", e.line, e.what());
  }
}

ChatTemplate::~ChatTemplate() = default;
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;

const std::string& ChatTemplate::source() const { return impl_->source; }
const std::string& ChatTemplate::eos_token() const { return impl_->eos_token; }

RenderedPrompt ChatTemplate::render(const ChatTemplateInputs& inputs) const { return impl_->render(inputs); }

RenderedPrompt ChatTemplate::Impl::render(const ChatTemplateInputs& inputs) const {
  jinja::RenderState state(limits, inputs.now ? *inputs.now : std::time(nullptr));
  jinja::Interpreter interpreter(ast, state);
  try {
    define_inputs(interpreter, inputs, bos_token, eos_token, texts_as_parts);
    jinja::StringBuilder out(state);
    interpreter.run(out);
    jinja::String text = out.take();
    return {std::move(text.bytes), std::move(text.literal), interpreter.generated()};
  } catch (const jinja::RaisedByTemplate& e) {
    throw Error(ErrorCode::kInvalidArgument, e.what());
  } catch (const jinja::Fault& e) {
    throw invalid_argument("chat template, line {}: {}", interpreter.line(), e.what());
  }
}

}  // namespace hearth
