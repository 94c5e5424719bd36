// Short names lead to repositories, and a mistyped one to its neighbour.
#include "server/hub/pull_name.h"

#include <cstdlib>
#include <filesystem>
#include <regex>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "models/resolver.h"
#include "models/short_names.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::string refusal(std::string_view name) {
  try {
    reference_to_pull(name);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.what();
  }
  return "nothing was thrown";
}

TEST(ShortNames, AreSortedAndEachLeadsToARepository) {
  const std::regex ollama("[a-z0-9.]+:[0-9.]+[mb](-[a-z0-9]+)*");
  std::string previous;
  for (const ShortName& known : short_names()) {
    EXPECT_LT(previous, known.name);
    EXPECT_TRUE(std::regex_match(known.name, ollama)) << known.name;
    EXPECT_TRUE(is_hub_reference(known.reference)) << known.reference;
    EXPECT_EQ(reference_to_pull(known.name).to_string(), known.reference);
    // A repository of GGUF files has several: the name says which.
    EXPECT_EQ(std::string_view(known.reference).find("GGUF:") != std::string_view::npos,
              std::string_view(known.reference).find("GGUF") != std::string_view::npos)
        << known.reference;
    // Who publishes behind a gate is known.
    const bool gated = HubReference(reference_to_pull(known.name)).repo.starts_with("meta-llama/") ||
                       std::string_view(known.reference).starts_with("google/");
    EXPECT_EQ(std::string_view(known.note).starts_with("gated: "), gated) << known.name;
    previous = known.name;
  }
}

TEST(ShortNames, RepositoriesStayRepositories) {
  EXPECT_EQ(reference_to_pull("org/name@v1:Q8_0").to_string(), "org/name@v1:Q8_0");
  EXPECT_EQ(reference_to_pull("SmolLM2:135M").to_string(), "bartowski/SmolLM2-135M-Instruct-GGUF:Q4_K_M");
}

TEST(ShortNames, AnUnknownOneNamesTheNearest) {
  EXPECT_EQ(refusal("smolm2:135m"),
            "'smolm2:135m' is neither a repository of a model hub (org/name, org/name@revision or org/name:Q4_K_M) "
            "nor a short name (did you mean 'smollm2:135m'?); `hearth pull --list` shows those");
  EXPECT_THAT(refusal("qwen3"), HasSubstr("did you mean 'qwen3:0.6b'?"));
  EXPECT_THAT(refusal("llama3.2:1B-instruct-fp61"), HasSubstr("did you mean 'llama3.2:1b-instruct-fp16'?"));
  EXPECT_THAT(refusal("zzzzzz"), HasSubstr("nor a short name; "));
  EXPECT_THAT(refusal("../etc/passwd"), HasSubstr("neither a repository"));
}

TEST(ShortNames, TheListHasALineForEach) {
  const std::string list = list_short_names();
  EXPECT_EQ(static_cast<size_t>(std::count(list.begin(), list.end(), '\n')), short_names().size());
  EXPECT_THAT(list, HasSubstr("qwen3:4b                    Qwen/Qwen3-4B-GGUF:Q4_K_M\n"));
  EXPECT_THAT(list, testing::ContainsRegex("gemma3:270m-it-bf16 +google/gemma-3-270m-it +gated: accept the Gemma"));
}

TEST(ShortNames, WhatWasPulledIsServedUnderTheName) {
  std::string folder = testing::TempDir() + "hearth.XXXXXX";
  const fs::path cache = ::mkdtemp(folder.data());
  ::setenv("HF_HUB_CACHE", cache.c_str(), 1);
  try {
    resolve_model("qwen3:0.6b");
    ADD_FAILURE() << "nothing is cached";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
    EXPECT_THAT(error.what(), HasSubstr("fetch it with: hearth pull qwen3:0.6b"));
  }
  const fs::path repo = cache / "models--Qwen--Qwen3-0.6B-GGUF";
  const std::string commit(40, 'a');
  const fs::path file = repo / "snapshots" / commit / "Qwen3-0.6B-Q8_0.gguf";
  fs::create_directories(file.parent_path());
  write_file_atomic(file, "GGUF");
  write_file_atomic(repo / "refs" / "main", commit);
  EXPECT_EQ(resolve_model("qwen3:0.6b"), file);
  EXPECT_EQ(model_id("qwen3:0.6b"), "qwen3:0.6b");
  ::unsetenv("HF_HUB_CACHE");
  fs::remove_all(cache);
}

}  // namespace
}  // namespace hearth
