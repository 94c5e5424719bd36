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

// Small enough that no input is slow: what a template may do at most is tested in tests/templates.
constexpr hearth::jinja::Limits kLimits = {
    .steps = 20'000, .allocated_bytes = size_t{1} << 20, .output_bytes = size_t{64} << 10, .depth = 200};

hearth::ChatTemplateInputs conversation() {
  hearth::ChatTemplateInputs inputs;
  inputs.messages = nlohmann::ordered_json::parse(R"([
    {"role": "system", "content": "Be terse."}, {"role": "user", "content": "Hi <|end|> é 😀"},
    {"role": "assistant", "content": null, "tool_calls": [{"name": "f", "arguments": {"x": 1.5}}]}])");
  inputs.tools = nlohmann::ordered_json::parse(R"([{"name": "f", "parameters": {"type": "object"}}])");
  inputs.now = 0;
  return inputs;
}

void render_as_template(const std::string& source) {
  static const hearth::ChatTemplateInputs inputs = conversation();
  check(hearth::ChatTemplate(source, "<s>", "</s>", kLimits).render(inputs));
}

void render_as_content(const std::string& content) {
  static const hearth::ChatTemplate busy(kBusyTemplate, "<s>", "</s>", kLimits);
  static hearth::ChatTemplateInputs inputs = conversation();
  inputs.messages[1]["content"] = content;
  check(busy.render(inputs));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    data[0] == 'c' ? render_as_content(text) : render_as_template(text);
  } catch (const hearth::Error& e) {
    if (e.code() != hearth::ErrorCode::kInvalidArgument) __builtin_trap();
  }
  return 0;
}
