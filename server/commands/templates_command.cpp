#include <memory>
#include <string>

#include <fmt/format.h>

#include "finetune/spec/chat_keys.h"
#include "server/commands/commands.h"
#include "templates/llamafactory/registry.h"
#include "templates/llamafactory/slot_template.h"

namespace hearth {
namespace {

int list_templates() {
  for (const TemplateRow& row : template_rows()) fmt::print("{}\n", row.name);
  return 0;
}

// Texts in quotes, tokens in braces.
std::string shown(const SlotTemplate::Slots& slots) {
  std::string out;
  for (const PromptSegment& slot : slots) {
    if (!out.empty()) out += " ";
    switch (slot.kind) {
      case PromptSegment::Kind::kText:
        out += fmt::format("{:?}", slot.text);
        break;
      case PromptSegment::Kind::kToken:
      case PromptSegment::Kind::kPicture:
        out += "{" + slot.text + "}";
        break;
      case PromptSegment::Kind::kBos:
        out += "{beginning of sequence}";
        break;
      case PromptSegment::Kind::kEos:
        out += "{end of sequence}";
        break;
    }
  }
  return out;
}

int show_template(const std::string& name) {
  const SlotTemplate slots = SlotTemplate::named(name);
  const auto line = [](std::string_view label, const std::string& text) {
    if (!text.empty()) fmt::print("{:<16}{}\n", label, text);
  };
  line("prefix", shown(slots.prefix));
  line("system", shown(slots.system));
  line("user", shown(slots.user));
  line("assistant", shown(slots.assistant));
  line("function", shown(slots.function));
  line("observation", shown(slots.observation));
  line("tool format", std::string(tool_format_name(slots.tool_format)));
  if (!slots.default_system.empty()) line("default system", fmt::format("{:?}", slots.default_system));
  line("stop words", fmt::format("{}", fmt::join(slots.stop_words, " ")));
  if (slots.kind == TemplateClass::kReasoning || slots.kind == TemplateClass::kGlm47Reasoning)
    line("thoughts", fmt::format("{:?} {:?}", slots.thought_words[0], slots.thought_words[1]));
  return 0;
}

}  // namespace

Prepare add_templates(CLI::App& app) {
  auto name = std::make_shared<std::string>();
  app.add_option("NAME", *name, "Show this one's slots (default: list the names)");
  app.footer(
      "Examples:\n"
      "  hearth templates\n"
      "  hearth templates qwen3\n"
      "  hearth serve --model ./merged --template qwen3");
  return [name]() -> Run {
    if (name->empty()) return list_templates;
    check_template_name(*name, "templates");
    return [name] { return show_template(*name); };
  };
}

}  // namespace hearth
