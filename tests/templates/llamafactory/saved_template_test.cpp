// Every template as Jinja and as Ollama's is LLaMA-Factory's, byte for byte: tests/golden/llamafactory/saved.json,
// which make_llamafactory_templates.py makes.
#include "templates/llamafactory/saved_template.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "runtime/base/file.h"
#include "tests/support/sha256.h"

namespace hearth {
namespace {

TEST(SavedTemplate, IsTheReferencesByteForByte) {
  const nlohmann::json golden = nlohmann::json::parse(read_file("tests/golden/llamafactory/saved.json"));
  ASSERT_GT(golden.size(), 100u);
  int single_tokens = 0;
  for (const auto& [name, expected] : golden.items()) {
    const SlotTemplate slots = SlotTemplate::named(name);
    const std::string eos = slots.replace_eos ? slots.stop_words.front() : "</s>";
    const SpecialTokens tokens{"<s>", eos};
    const std::optional<std::string> jinja = jinja_text(slots, tokens);
    ASSERT_EQ(jinja.has_value(), !expected["jinja"].is_null()) << name;
    if (!jinja) {
      ++single_tokens;
      continue;
    }
    EXPECT_EQ(test::sha256(*jinja), expected["jinja"]) << name << ": " << *jinja;
    const std::string ollama = ollama_text(slots, tokens);
    EXPECT_EQ(test::sha256(ollama), expected["ollama"]) << name << ": " << ollama;
  }
  EXPECT_EQ(single_tokens, 2);
}

}  // namespace
}  // namespace hearth
