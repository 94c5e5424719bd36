#include "models/resolver.h"

#include <cstdlib>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "models/hub_cache.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const std::string kCommit(40, 'a');

class ResolverTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "hearth.XXXXXX";
    root_ = ::mkdtemp(name.data());
    ::setenv("XDG_CACHE_HOME", root_.c_str(), 1);
    for (const char* variable : {"HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) ::unsetenv(variable);
  }
  void TearDown() override {
    ::unsetenv("XDG_CACHE_HOME");
    fs::remove_all(root_);
  }
  fs::path write(const fs::path& path, const std::string& content = "x") {
    write_file_atomic(root_ / path, content);
    return root_ / path;
  }
  fs::path make_model(const fs::path& directory) {
    for (const char* file : {"config.json", "tokenizer.json", "model.safetensors"}) write(directory / file);
    return root_ / directory;
  }
  std::pair<ErrorCode, std::string> error_of(const std::string& reference) {
    try {
      resolve_model(reference);
    } catch (const Error& error) {
      return {error.code(), error.what()};
    }
    return {ErrorCode::kInternal, "nothing was thrown"};
  }

  fs::path root_;
};

TEST_F(ResolverTest, PathsComeFirst) {
  const fs::path gguf = write("a/x.gguf");
  EXPECT_EQ(resolve_model(gguf.string()), gguf);
  EXPECT_EQ(resolve_model((root_ / "a").string()), gguf);  // the one file of a directory
  EXPECT_EQ(resolve_model(make_model("m").string()), root_ / "m");
  EXPECT_EQ(error_of(write("notes.txt").string()).first, ErrorCode::kInvalidArgument);
}

TEST_F(ResolverTest, NamesInTheModelCache) {
  const fs::path gguf = write("hearth/models/tiny.gguf");
  make_model("hearth/models/folder");
  EXPECT_EQ(resolve_model("tiny"), gguf);
  EXPECT_EQ(resolve_model("tiny.gguf"), gguf);
  EXPECT_EQ(resolve_model("folder"), root_ / "hearth/models/folder");
  const auto [code, message] = error_of("tinny");
  EXPECT_EQ(code, ErrorCode::kNotFound);
  EXPECT_THAT(message, HasSubstr("no such file or directory, and no model of that name in"));
  EXPECT_THAT(message, HasSubstr("(did you mean 'tiny'?)"));
  EXPECT_EQ(error_of("../models/tiny").first, ErrorCode::kNotFound);
}

TEST_F(ResolverTest, DefaultModelOrHowToGetIt) {
  EXPECT_THROW(
      {
        try {
          resolve_default_model();
        } catch (const Error& error) {
          EXPECT_THAT(error.what(), HasSubstr("`./dev run`"));
          throw;
        }
      },
      Error);
  const fs::path gguf = write(fs::path("hearth/models") / (std::string(kDefaultModel) + ".gguf"));
  EXPECT_EQ(resolve_default_model(), gguf);
}

TEST_F(ResolverTest, HubCacheByBranchAndCommit) {
  const fs::path repo = "huggingface/hub/models--org--name";
  make_model(repo / "snapshots" / kCommit);
  write(repo / "refs/main", kCommit);
  EXPECT_EQ(resolve_model("org/name"), root_ / repo / "snapshots" / kCommit);
  EXPECT_EQ(resolve_model("org/name@" + kCommit), root_ / repo / "snapshots" / kCommit);
  EXPECT_THAT(error_of("org/name@v2").second, HasSubstr("fetch it with: hearth pull org/name@v2"));
  EXPECT_THAT(error_of("org/other").second, HasSubstr("fetch it with: hearth pull org/other"));
  ::setenv("HF_HUB_CACHE", (root_ / "elsewhere").c_str(), 1);
  EXPECT_EQ(error_of("org/name").first, ErrorCode::kNotFound);
  ::unsetenv("HF_HUB_CACHE");
}

TEST_F(ResolverTest, RefThatIsNoCommitLeadsNowhere) {
  const fs::path repo = "huggingface/hub/models--org--name";
  make_model(repo / "evil");
  write(repo / "refs/main", "../evil");
  EXPECT_EQ(error_of("org/name").first, ErrorCode::kNotFound);
}

TEST_F(ResolverTest, IncompleteModelsSayWhatIsMissing) {
  const fs::path model = make_model("m");
  fs::remove(model / "model.safetensors");
  EXPECT_THAT(error_of(model.string()).second, HasSubstr("has no weights"));
  write("m/model.safetensors.index.json",
        R"({"weight_map": {"a": "1.safetensors", "b": "2.safetensors", "c": "2.safetensors"}})");
  write("m/1.safetensors");
  const auto [code, message] = error_of(model.string());
  EXPECT_EQ(code, ErrorCode::kDataCorruption);
  EXPECT_THAT(message, HasSubstr("lacks 1 of 2 weight files ('2.safetensors')"));
  write("m/2.safetensors");
  EXPECT_EQ(resolve_model(model.string()), model);
  fs::remove(model / "tokenizer.json");
  EXPECT_THAT(error_of(model.string()).second, HasSubstr("has no tokenizer.json or tokenizer.model"));
}

TEST_F(ResolverTest, GgufFileBesideAConfigIsTheModel) {
  const fs::path gguf = write("m/x.gguf");
  write("m/config.json");
  EXPECT_EQ(resolve_model((root_ / "m").string()), gguf);
  write("m/y.gguf");
  EXPECT_THAT(error_of((root_ / "m").string()).second, HasSubstr("2 GGUF files fit (x.gguf, y.gguf)"));
  make_model("m");
  EXPECT_EQ(resolve_model((root_ / "m").string()), root_ / "m");
}

TEST_F(ResolverTest, LinkWithoutItsBlobIsMissing) {
  const fs::path model = make_model("m");
  fs::remove(model / "tokenizer.json");
  fs::create_symlink("../blobs/gone", model / "tokenizer.json");
  EXPECT_THAT(error_of(model.string()).second, HasSubstr("has no tokenizer.json"));
}

TEST_F(ResolverTest, IndexThatPointsOutsideIsRefused) {
  const fs::path model = make_model("m");
  write("m/model.safetensors.index.json", R"({"weight_map": {"a": "../../secret"}})");
  EXPECT_THAT(error_of(model.string()).second, HasSubstr("places tensor 'a' in no file"));
  write("m/model.safetensors.index.json", "[1, 2");
  EXPECT_THAT(error_of(model.string()).second, HasSubstr("is not an index of weights"));
}

TEST_F(ResolverTest, ListShowsBothCachesAndWhatIsIncomplete) {
  write("hearth/models/tiny.gguf", "12345");
  const fs::path repo = "huggingface/hub/models--org--name";
  make_model(repo / "snapshots" / kCommit);
  fs::remove(root_ / repo / "snapshots" / kCommit / "model.safetensors");
  write(repo / "refs/main", kCommit);
  write("huggingface/hub/version.txt");
  const std::vector<CachedModel> models = list_cached_models();
  ASSERT_EQ(models.size(), 2u);
  EXPECT_EQ(models[0].name, "org/name");
  EXPECT_THAT(models[0].problem, HasSubstr("has no weights"));
  EXPECT_EQ(models[1].name, "tiny");
  EXPECT_EQ(models[1].bytes, 5u);
  EXPECT_EQ(models[1].problem, "");
}

TEST_F(ResolverTest, IdsOfModels) {
  EXPECT_EQ(model_id("/x/smollm2.gguf"), "smollm2");
  EXPECT_EQ(model_id("./models/Tiny-1.1B"), "Tiny-1.1B");
  EXPECT_EQ(model_id("/x/dir/"), "dir");
  EXPECT_EQ(model_id("org/name@v1"), "org/name");
  EXPECT_EQ(model_id("smollm2-135m-instruct"), "smollm2-135m-instruct");
}

TEST(HubReference, Forms) {
  const HubReference reference = parse_hub_reference("org/name@refs/pr/1:Q4_K_M");
  EXPECT_EQ(reference.repo, "org/name");
  EXPECT_EQ(reference.revision, "refs/pr/1");
  EXPECT_EQ(reference.selector, "Q4_K_M");
  EXPECT_EQ(reference.to_string(), "org/name@refs/pr/1:Q4_K_M");
  for (const char* text : {"name", "a/b/c", "../b", "a/..", "a/b@../c", "a/b@", "a/b:", "/a", "a/", "a--b/c", "-a/b"})
    EXPECT_FALSE(is_hub_reference(text)) << text;
}

}  // namespace
}  // namespace hearth
