// Any bytes as a chat template over a fixed conversation, or (after a 'c') as the content of a message under a template
// that does much with it: it renders, with well-formed literal ranges, or fails with an error that says why.
#include <cstddef>
#include <cstdint>
#include <string>

#include "runtime/base/error.h"
#include "templates/chat_template.h"

namespace {

constexpr const char* kBusyTemplate =
    "{% for m in messages %}{{ m.role }}{{ m.content | trim | upper | title }}{{ m | tojson(indent=2) }}{{ [m.content] "
    "}}"
    "{{ m.content.split('</think>')[-1].rsplit() | join('-') }}{{ m.content[1:-1][::-1] | indent }}{{ m.content | e | "
    "truncate(9) }}"
    "{{ m.content | urlencode | lower | capitalize }}{{ m.content | int }}{{ m.content | float }}{{ m.content | "
    "wordcount }}{% endfor %}";

void check(const hearth::RenderedPrompt& prompt) {
  size_t end = 0;
  for (const hearth::ByteRange& range : prompt.literal) {
    if (range.begin < end || range.end <= range.begin || range.end > prompt.text.size()) __builtin_trap();
    end = range.end;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const bool as_content = data[0] == 'c';
  hearth::ChatTemplateInputs inputs;
  inputs.messages = nlohmann::ordered_json::array();
  inputs.messages.push_back({{"role", "system"}, {"content", "Be terse."}});
  inputs.messages.push_back({{"role", "user"}, {"content", as_content ? text : "Hi <|end|> é 😀"}});
  inputs.messages.push_back(
      {{"role", "assistant"}, {"content", nullptr}, {"tool_calls", {{{"name", "f"}, {"arguments", {{"x", 1.5}}}}}}});
  inputs.tools = nlohmann::ordered_json::array({{{"name", "f"}, {"parameters", {{"type", "object"}}}}});
  inputs.now = 0;
  try {
    check(hearth::ChatTemplate(as_content ? kBusyTemplate : text, "<s>", "</s>").render(inputs));
  } catch (const hearth::Error& e) {
    if (e.code() != hearth::ErrorCode::kInvalidArgument) __builtin_trap();
  }
  return 0;
}
