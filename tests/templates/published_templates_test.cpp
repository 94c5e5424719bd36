// The chat templates of published models render byte for byte as transformers renders them. They are not ours to
// commit: the tests exist only where
// ../shared/templates does, and only their outputs' hashes are in the tree.
#include <filesystem>
#include <iostream>

#include <gtest/gtest.h>
#include <openssl/sha.h>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "tests/templates/template_cases.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

const std::filesystem::path kFolder = "../shared/templates";

std::string sha256(const std::string& text) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  std::string hex;
  for (const unsigned char byte : digest) hex += fmt::format("{:02x}", byte);
  return hex;
}

class PublishedTemplates : public testing::TestWithParam<std::string> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(PublishedTemplates);

TEST_P(PublishedTemplates, RenderAsTransformersDoes) {
  static const Json published = read_template_cases("published.json"),
                    conversations = read_template_cases("conversations.json");
  const std::string source = read_file(kFolder / GetParam());
  ASSERT_EQ(sha256(source), published.at(GetParam()).at("template_sha256")) << "another version of the template";
  const ChatTemplate chat_template(source, kBosToken, kEosToken);
  for (Json conversation : conversations) {
    for (const bool prompt : {true, false}) {
      conversation["add_generation_prompt"] = prompt;
      const std::string key = conversation.at("name").get<std::string>() + (prompt ? "+prompt" : "");
      const Json& expected = published.at(GetParam()).at("outputs").at(key);
      try {
        const std::string text = chat_template.render(case_inputs(conversation)).text;
        ASSERT_TRUE(expected.contains("sha256")) << key << ": the reference fails: " << expected.at("error");
        EXPECT_EQ(sha256(text), expected.at("sha256")) << key << ":\n" << text;
      } catch (const Error& e) {
        EXPECT_TRUE(same_error(e, expected.value("error", ""))) << key << ": " << e.what();
      }
    }
  }
}

std::vector<std::string> present_templates() {
  std::vector<std::string> names;
  const Json published = read_template_cases("published.json");
  for (const auto& [name, outputs] : published.items()) {
    if (std::filesystem::exists(kFolder / name)) names.push_back(name);
  }
  if (names.empty()) std::cerr << "PublishedTemplates is not registered: no " << kFolder << " here\n";
  return names;
}

std::string test_name(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  for (char& c : name) {
    if (!isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Golden, PublishedTemplates, testing::ValuesIn(present_templates()), test_name);

}  // namespace
}  // namespace hearth
