// The JSON Schema Test Suite: where a schema is taken, its valid instances are accepted and its invalid ones refused.
// HEARTH_JSON_SCHEMA_SUITE names folders of its files, separated by colons (`./dev test` fetches them).
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "runtime/base/file.h"
#include "runtime/grammar/json_schema.h"
#include "runtime/grammar/matcher.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

// A value in all orders of its properties, which a grammar has in one: objects of up to five; whole numbers as such.
std::vector<Json> spellings(const Json& value) {
  if (value.is_number_float() && value.get<double>() == static_cast<double>(value.get<int64_t>()))
    return {Json(value.get<int64_t>())};
  if (value.is_array()) {
    std::vector<Json> out = {Json::array()};
    for (const Json& item : value) {
      std::vector<Json> next;
      for (const Json& before : out)
        for (const Json& one : spellings(item)) {
          next.push_back(before);
          next.back().push_back(one);
        }
      out = std::move(next);
    }
    return out;
  }
  if (!value.is_object()) return {value};
  std::vector<std::string> names;
  for (const auto& [name, member] : value.items()) names.push_back(name);
  if (names.size() <= 5) std::sort(names.begin(), names.end());
  std::vector<Json> out;
  do {
    std::vector<Json> made = {Json::object()};
    for (const std::string& name : names) {
      std::vector<Json> next;
      for (const Json& before : made)
        for (const Json& one : spellings(value[name])) {
          next.push_back(before);
          next.back()[name] = one;
        }
      made = std::move(next);
    }
    out.insert(out.end(), made.begin(), made.end());
  } while (names.size() <= 5 && std::next_permutation(names.begin(), names.end()));
  return out;
}

// Where we differ: a format is enforced, and of some formats what nobody writes is left out. Nothing is taken that is
// not valid.
bool is_known_difference(const std::string& test) {
  for (const char* part : {"only an annotation", "leap second", "case-insensitive", "quoted string",
                           "-literal after the @", "ref valid, maxItems ignored"})
    if (test.find(part) != std::string::npos) return true;
  return false;
}

struct Tally {
  int schemas = 0, taken = 0;
  std::map<std::string, int> refused;  // why -> how often
};

void check_file(const fs::path& file, Tally& tally) {
  for (const Json& group : Json::parse(read_file(file))) {
    ++tally.schemas;
    std::unique_ptr<Matcher> matcher;
    bool is_empty = false;
    try {
      matcher = std::make_unique<Matcher>(std::make_shared<Automaton>(json_schema_grammar(group["schema"])));
      ++tally.taken;
    } catch (const SchemaError& error) {
      is_empty = std::string(error.what()).find("no value satisfies") != std::string::npos;
      if (!is_empty) {
        std::string why = error.what();
        ++tally.refused[file.filename().string() + ": " + why.substr(0, 150)];
        continue;
      }
      ++tally.taken;
    }
    for (const Json& test : group["tests"]) {
      bool accepted = false;
      for (const Json& spelling : spellings(test["data"]))
        accepted = accepted || (matcher && matcher->accepts(spelling.dump()));
      if (!accepted && test["valid"].get<bool>() && is_known_difference(test["description"])) continue;
      EXPECT_EQ(accepted, test["valid"].get<bool>())
          << file.filename() << ": " << group["description"] << ": " << test["description"] << "\n"
          << group["schema"].dump() << "\n"
          << test["data"].dump();
    }
  }
}

TEST(SchemaSuite, AgreesWhereASchemaIsTaken) {
  const char* folders = std::getenv("HEARTH_JSON_SCHEMA_SUITE");
  ASSERT_TRUE(folders) << "HEARTH_JSON_SCHEMA_SUITE is not set; run the tests with ./dev test";
  std::string rest = folders;
  while (!rest.empty()) {
    const size_t colon = std::min(rest.find(':'), rest.size());
    const fs::path folder = rest.substr(0, colon);
    rest.erase(0, colon + 1);
    Tally tally;
    std::set<fs::path> files;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder))
      if (entry.path().extension() == ".json") files.insert(entry.path());
    for (const fs::path& file : files) check_file(file, tally);
    for (const auto& [why, count] : tally.refused) fmt::print("  {:3} {}\n", count, why);
    fmt::print("{}: {} of {} schemas are taken\n", folder.string(), tally.taken, tally.schemas);
    EXPECT_GT(tally.taken, 0);
  }
}

}  // namespace
}  // namespace hearth
