// Whole chat templates render byte for byte as transformers renders them, over every conversation: our own of
// tests/golden/templates/styles everywhere, and the published ones of ../shared/templates, which are not ours to
// commit, where that folder is. Golden outputs are found by the SHA-256 of a template's text, so that a file without
// them is not passed over.
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <vector>

#include <gtest/gtest.h>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "tests/support/sha256.h"
#include "tests/templates/template_cases.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kRemedy = "; run ./dev golden templates";

// `expected` is the reference's {"text"}, {"sha256"} of it, or {"error"}.
void expect_outcome(const ChatTemplate& chat_template, const Json& conversation, const Json& expected) {
  try {
    const std::string text = chat_template.render(case_inputs(conversation)).text;
    if (expected.contains("text")) {
      EXPECT_EQ(text, expected.at("text").get<std::string>());
    } else {
      ASSERT_TRUE(expected.contains("sha256")) << "the reference fails: " << expected.at("error");
      EXPECT_EQ(test::sha256(text), expected.at("sha256")) << "make_templates.py --dump shows the reference's; ours:\n"
                                                           << text;
    }
  } catch (const Error& e) {
    EXPECT_TRUE(same_error(e, expected.value("error", ""))) << e.what() << "\nthe reference: " << expected.dump();
  }
}

struct TemplateFile {
  fs::path path;
  std::string golden;  // in tests/golden/templates
};

class TemplateFiles : public testing::TestWithParam<TemplateFile> {};

TEST_P(TemplateFiles, RenderAsTransformersDoes) {
  static const Json conversations = read_template_cases("conversations.json");
  const std::string source = read_file(GetParam().path), hash = test::sha256(source);
  const Json golden = read_template_cases(GetParam().golden);
  ASSERT_TRUE(golden.contains(hash)) << GetParam().path << " (SHA-256 " << hash << ") has no outputs in "
                                     << GetParam().golden << kRemedy;
  const Json& outputs = golden.at(hash).at("outputs");
  const ChatTemplate chat_template(source, kBosToken, kEosToken);
  size_t rendered = 0;
  for (Json conversation : conversations) {
    const std::string name = conversation.at("name");
    ASSERT_TRUE(outputs.contains(name)) << name << " is new" << kRemedy;
    for (const bool prompt : {true, false}) {
      SCOPED_TRACE(name + (prompt ? " with" : " without") + " the generation prompt");
      conversation["add_generation_prompt"] = prompt;
      const Json& expected = outputs.at(name).at(prompt ? 0 : 1);
      expect_outcome(chat_template, conversation, expected);
      rendered += prompt && !expected.contains("error");
    }
  }
  EXPECT_GE(rendered, 12u) << "most conversations fail: they say little of this template";
}

std::vector<TemplateFile> files_in(const fs::path& folder, const std::string& golden) {
  std::vector<TemplateFile> files;
  std::error_code absent;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, absent))
    if (entry.path().extension() == ".jinja") files.push_back({entry.path(), golden});
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  if (files.empty()) std::cerr << "no chat templates in " << folder << ": their tests are not registered\n";
  return files;
}

std::string test_name(const testing::TestParamInfo<TemplateFile>& info) {
  std::string name = info.param.path.stem();
  for (char& c : name) {
    if (!isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return name;
}

std::vector<TemplateFile> styles() { return files_in("tests/golden/templates/styles", "styles.json"); }

TEST(TemplateStyles, ThereIsOneOfEveryFamily) { EXPECT_EQ(styles().size(), 15u); }

INSTANTIATE_TEST_SUITE_P(Styles, TemplateFiles, testing::ValuesIn(styles()), test_name);
INSTANTIATE_TEST_SUITE_P(Published, TemplateFiles, testing::ValuesIn(files_in("../shared/templates", "published.json")),
                         test_name);

}  // namespace
}  // namespace hearth
