#include "tests/templates/template_cases.h"

#include <cstdlib>
#include <ctime>

#include "runtime/base/file.h"

namespace hearth {

nlohmann::ordered_json read_template_cases(const std::string& name) {
  return nlohmann::ordered_json::parse(read_file("tests/golden/templates/" + name));
}

ChatTemplateInputs case_inputs(const nlohmann::ordered_json& conversation) {
  setenv("TZ", "UTC", 1);
  tzset();
  constexpr std::time_t kNow = 1753533296;  // 2025-07-26 12:34:56
  ChatTemplateInputs inputs;
  inputs.messages = conversation.at("messages");
  inputs.tools = conversation.value("tools", nlohmann::ordered_json());
  inputs.extra = conversation.value("extra", nlohmann::ordered_json());
  inputs.add_generation_prompt = conversation.value("add_generation_prompt", true);
  inputs.now = kNow;
  return inputs;
}

bool same_error(const Error& error, const std::string& reference) {
  const size_t colon = reference.find(": ");
  if (colon == std::string::npos || error.code() != ErrorCode::kInvalidArgument) return false;
  const std::string type = reference.substr(0, colon), message = reference.substr(colon + 2), text = error.what();
  if (type == "TemplateError") return text == message;
  if (type == "UndefinedError")
    return text.find("chat template, line ") == 0 && text.find(message) != std::string::npos;
  return text.find("chat template, line ") == 0;
}

}  // namespace hearth
