// README's table of architectures says what the registry and the golden cases say.
#include <map>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "models/registry.h"
#include "runtime/base/file.h"
#include "runtime/kernels/format.h"
#include "tests/models/tiny_models.h"

namespace hearth {
namespace {

// "| `llama` | llama | ..." -> {"llama", "llama"}
std::map<std::string, std::string> architecture_rows(const std::string& readme) {
  std::map<std::string, std::string> rows;
  for (size_t at = readme.find("\n| `"); at != std::string::npos; at = readme.find("\n| `", at + 1)) {
    const size_t name = at + 4, name_end = readme.find('`', name), gguf = name_end + 4;
    if (readme.compare(name_end, 4, "` | ") == 0)
      rows[readme.substr(name, name_end - name)] = readme.substr(gguf, readme.find(' ', gguf) - gguf);
  }
  return rows;
}

TEST(Readme, ListsEveryArchitectureAndNoOther) {
  std::map<std::string, std::string> rows = architecture_rows(read_file("README.md"));
  std::set<std::string> golden;
  for (const nlohmann::json& one : test::tiny_models()["cases"]) golden.insert(one["config"]["model_type"]);
  for (const Architecture* architecture : architectures()) {
    const std::string name(architecture->name);
    ASSERT_TRUE(rows.contains(name)) << name;
    EXPECT_EQ(rows[name], architecture->gguf.name) << name;
    EXPECT_TRUE(golden.contains(name)) << name << " has no golden case";
    rows.erase(name);
  }
  EXPECT_TRUE(rows.empty()) << rows.begin()->first << " is not in the registry";
}

TEST(Readme, ListsEveryFormat) {
  const std::string readme = read_file("README.md");
  const size_t row = readme.find("| formats | ");
  ASSERT_NE(row, std::string::npos);
  std::string formats;
  for (int i = 0; i < kFormatCount; ++i)
    formats += (i > 0 ? ", " : "") + std::string(info(static_cast<Format>(i)).name);
  EXPECT_EQ(readme.substr(row, readme.find('\n', row) - row), "| formats | " + formats + " |");
}

}  // namespace
}  // namespace hearth
