// Every feature of the template language renders as transformers renders it, and fails where it fails.
#include <gtest/gtest.h>

#include "runtime/base/error.h"
#include "tests/templates/template_cases.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

class Features : public testing::TestWithParam<Json> {};

TEST_P(Features, RenderAsTransformersDoes) {
  const Json& c = GetParam();
  const auto render = [&] {
    const ChatTemplate chat_template(c.at("template").get<std::string>(), kBosToken, kEosToken);
    return chat_template.render(case_inputs(c)).text;
  };
  if (c.contains("error")) {
    try {
      ADD_FAILURE() << "rendered '" << render() << "'; the reference fails: " << c.at("error");
    } catch (const Error& e) {
      EXPECT_TRUE(same_error(e, c.at("error"))) << e.what() << "\nthe reference: " << c.at("error");
    }
    return;
  }
  try {
    EXPECT_EQ(render(), c.at("output").get<std::string>());
  } catch (const Error& e) {
    ADD_FAILURE() << e.what();
  }
}

std::string test_name(const testing::TestParamInfo<Json>& info) {
  std::string name = info.param.at("name");
  for (char& c : name) {
    if (!isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Golden, Features,
                         testing::ValuesIn(read_template_cases("features.json").get<std::vector<Json>>()), test_name);

}  // namespace
}  // namespace hearth
