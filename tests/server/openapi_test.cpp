// /openapi.json and the route table describe the same routes, and what the document refers to is there. Whether it is
// OpenAPI is for tests/e2e/keys_test.py to say, with a validator of others.
#include "server/openapi.h"

#include <functional>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "server/routes.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

TEST(OpenApi, DescribesTheRoutesOfTheTableAndNoOther) {
  const Json& document = openapi_document();
  std::set<std::string> table, described;
  for (const Route& route : routes()) {
    std::string method(route.method);
    for (char& c : method) c = static_cast<char>(c + 32);
    table.insert(method + " " + std::string(route.pattern));
  }
  for (const auto& [path, operations] : document["paths"].items())
    for (const auto& [method, operation] : operations.items()) described.insert(method + " " + path);
  EXPECT_EQ(described, table) << "describe a route in server/openapi/*.json";
}

TEST(OpenApi, SaysWhatTheTableSays) {
  std::set<std::string> ids;
  for (const Route& route : routes()) {
    std::string method(route.method);
    for (char& c : method) c = static_cast<char>(c + 32);
    const Json& operation = openapi_document()["paths"][std::string(route.pattern)][method];
    EXPECT_TRUE(ids.insert(operation.value("operationId", "")).second) << route.pattern;
    EXPECT_TRUE(operation.contains("summary") && operation["responses"].contains("200")) << route.pattern;
    EXPECT_EQ(operation["security"].empty(), route.is_public) << route.pattern;
    EXPECT_EQ(operation.value("x-hearth-scope", ""), route.is_public ? "" : scope_name(route.scope)) << route.pattern;
    EXPECT_EQ(operation.contains("requestBody"), route.max_body_bytes > 0) << route.pattern;
    bool in_path = false;
    for (const Json& parameter : operation.value("parameters", Json::array()))
      in_path |= parameter.value("in", "") == "path" &&
                 route.pattern.find("{" + parameter.value("name", "") + "}") != std::string_view::npos;
    EXPECT_EQ(in_path, route.pattern.find('{') != std::string_view::npos) << route.pattern;
  }
}

TEST(OpenApi, EveryReferenceLeadsSomewhere) {
  const Json& document = openapi_document();
  int references = 0;
  const std::function<void(const Json&)> walk = [&](const Json& value) {
    if (value.is_object() && value.contains("$ref")) {
      ++references;
      const std::string target = value["$ref"];
      EXPECT_TRUE(document.contains(Json::json_pointer(target.substr(1)))) << target;
    }
    if (!value.is_structured()) return;
    for (const Json& inner : value) walk(inner);
  };
  walk(document);
  EXPECT_GT(references, 50);
}

}  // namespace
}  // namespace hearth
