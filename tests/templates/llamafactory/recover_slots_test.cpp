// Slots recovered from chat templates are those that LLaMA-Factory's parse_template finds, or the template is refused:
// also where the reference goes on with slots that write something else.
#include "templates/llamafactory/recover_slots.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "tests/support/sha256.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::time_t kNow = 1753533296;  // 2025-07-26 12:34:56 UTC

std::string only_text(const SlotTemplate::Slots& slots) { return slots.empty() ? "" : slots.at(0).text; }

// As the golden script writes them; {"error"} for a template that is refused.
Json recovered(const std::string& source, const std::string& beginning) {
  try {
    const SlotTemplate slots = recover_slots(ChatTemplate(source, "<s>", "</s>"), beginning, kNow);
    return {{"prefix", only_text(slots.prefix)},
            {"system", only_text(slots.system)},
            {"user", only_text(slots.user)},
            {"assistant", only_text(slots.assistant)},
            {"default_system", slots.default_system},
            {"class", slots.kind == TemplateClass::kReasoning ? "ReasoningTemplate" : "Template"}};
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return {{"error", error.what()}};
  }
}

Json golden() { return Json::parse(read_file("tests/golden/llamafactory/recovered.json")); }

TEST(RecoverSlots, FindsTheReferencesSlotsOrRefuses) {
  std::vector<std::string> refused;
  const Json all = golden();
  for (Json expected : all["own"]) {
    const std::string name = expected["name"], source = expected["template"];
    expected.erase("name");
    expected.erase("template");
    const Json got = recovered(source, name == "beginning" ? "<s>" : "");
    if (got.contains("error"))
      refused.push_back(name);
    else
      EXPECT_EQ(got, expected) << name;
  }
  // "counts" numbers its messages: the reference's slots for it would write 1 at every turn.
  EXPECT_THAT(refused, ElementsAre("no system", "header in every conversation", "system inside user", "counts"));
}

TEST(RecoverSlots, SaysWhyThereAreNone) {
  const auto error = [](const char* source) { return recovered(source, "").value("error", ""); };
  EXPECT_THAT(error("{{ raise_exception('no system') }}"),
              testing::AllOf(HasSubstr("no system"), HasSubstr("name a template")));
  EXPECT_THAT(error("text"), HasSubstr("does not appear"));
  EXPECT_THAT(recovered("{{ messages[-1].content }}", "<s>").value("error", ""), HasSubstr("beginning"));
}

TEST(RecoverSlots, PublishedTemplates) {
  const std::filesystem::path folder = "../shared/templates";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "they are not ours to commit";
  std::string found;
  const Json all = golden();
  for (const auto& [name, expected] : all["published"].items()) {
    const std::string source = read_file(folder / name);
    Json got = recovered(source, "<s>");
    if (got.contains("error")) got = recovered(source, "");
    if (got.contains("error")) continue;
    found += name + " ";
    EXPECT_EQ(test::sha256(got.dump()), expected.value("sha256", "")) << name << ": " << got;
  }
  // Of the 13 for which the reference finds slots, those whose slots write what the template writes. Refused are, for
  // example, Llama 3 (its header with the date would stand in every turn) and Phi 3.5 (an end of sequence after
  // system).
  EXPECT_EQ(found,
            "LFM2.5-Instruct.jinja Mistral-Small-3.2-24B-Instruct-2506.jinja Qwen-Qwen2.5-7B-Instruct.jinja "
            "Qwen-Qwen3-0.6B.jinja deepseek-ai-DeepSeek-V3.1.jinja ibm-granite-granite-3.3-2B-Instruct.jinja ");
}

}  // namespace
}  // namespace hearth
