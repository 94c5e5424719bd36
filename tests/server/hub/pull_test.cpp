#include "server/hub/pull.h"

#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "models/resolver.h"
#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "tests/server/hub/small_hub.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

std::string pseudo_random_bytes(size_t size, unsigned seed) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>((seed = seed * 1103515245u + 12345u) >> 16);
  return bytes;
}

// The code and the message of what `action` throws.
std::pair<ErrorCode, std::string> error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return {error.code(), error.what()};
  }
  return {ErrorCode::kInternal, "nothing was thrown"};
}

class PullTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "hearth.XXXXXX";
    cache_ = ::mkdtemp(name.data());
    ::setenv("HF_HUB_CACHE", cache_.c_str(), 1);
    hub_.files["config.json"] = {"{\"model_type\": \"llama\"}", false, {}};
    hub_.files["tokenizer.json"] = {pseudo_random_bytes(30'000, 1), false, {}};
    hub_.files["model.safetensors"] = {pseudo_random_bytes(300'000, 2), true, {}};
    hub_.files["pytorch_model.bin"] = {"not wanted", true, {}};
    hub_.files["README.md"] = {"not wanted", false, {}};
  }
  void TearDown() override {
    ::unsetenv("HF_HUB_CACHE");
    fs::remove_all(cache_);
  }

  PullResult run(const std::string& reference = "tiny/llama", const std::string& token = "") {
    PullOptions options;
    options.access = {hub_.endpoint(), token};
    options.retry = {3, std::chrono::milliseconds(1), std::chrono::milliseconds(5)};
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> nowhere(std::fopen("/dev/null", "w"), std::fclose);
    DownloadProgress progress(reference, nowhere.get(), false);
    return pull(parse_hub_reference(reference), options, progress, cancelled_);
  }

  fs::path repo() const { return cache_ / "models--tiny--llama"; }
  // Files below blobs/ that end with `ending`, and those that do not.
  std::pair<int, int> blobs(const std::string& ending = ".incomplete") const {
    std::pair<int, int> counts;
    if (!fs::exists(repo() / "blobs")) return counts;
    for (const auto& entry : fs::directory_iterator(repo() / "blobs"))
      ++(entry.path().string().ends_with(ending) ? counts.first : counts.second);
    return counts;
  }
  // Of the content server, that is for model.safetensors.
  uint64_t ranges_asked() const {
    uint64_t count = 0;
    for (const auto& request : hub_.requests()) count += request.at_second_origin && request.headers.contains("range");
    return count;
  }

  SmallHub hub_;
  fs::path cache_;
  std::atomic<bool> cancelled_{false};
};

TEST_F(PullTest, LeavesTheLayoutOfHuggingfaceHub) {
  const PullResult result = run();
  EXPECT_EQ(result.snapshot, repo() / "snapshots" / hub_.commit);
  EXPECT_EQ(result.files, 3u);
  EXPECT_EQ(read_file(repo() / "refs" / "main"), hub_.commit);
  EXPECT_EQ(read_file(result.snapshot / "model.safetensors"), hub_.files["model.safetensors"].content);
  const fs::path link = fs::read_symlink(result.snapshot / "model.safetensors");
  EXPECT_EQ(link, fs::path("../../blobs") / file_sha256(result.snapshot / "model.safetensors"));
  EXPECT_EQ(fs::read_symlink(result.snapshot / "config.json"),
            fs::path("../../blobs") / file_git_blob(result.snapshot / "config.json"));
  EXPECT_FALSE(fs::exists(result.snapshot / "README.md"));
  EXPECT_FALSE(fs::exists(result.snapshot / "pytorch_model.bin"));
  EXPECT_EQ(blobs(), std::pair(0, 3));
  EXPECT_EQ(resolve_model("tiny/llama"), result.snapshot);
}

TEST_F(PullTest, AskedAgainDownloadsNothing) {
  run();
  const uint64_t bytes = hub_.body_bytes();
  run();
  EXPECT_EQ(hub_.body_bytes(), bytes);
}

TEST_F(PullTest, GoesOnWhereTheConnectionWasCut) {
  hub_.cut_after = 100'000;
  hub_.cuts = 2;
  const PullResult result = run();
  EXPECT_EQ(read_file(result.snapshot / "model.safetensors"), hub_.files["model.safetensors"].content);
  EXPECT_EQ(ranges_asked(), 2u);
  EXPECT_EQ(hub_.body_bytes(), result.bytes);  // nothing was sent twice
  EXPECT_EQ(blobs(), std::pair(0, 3));
}

TEST_F(PullTest, ServerWithoutRangesIsReadFromTheStart) {
  hub_.cut_after = 100'000;
  hub_.cuts = 1;
  hub_.ignore_ranges = true;
  EXPECT_EQ(read_file(run().snapshot / "model.safetensors"), hub_.files["model.safetensors"].content);
}

TEST_F(PullTest, GivesUpWhenNothingArrivesAndKeepsWhatItHas) {
  hub_.cut_after = 100'000;
  hub_.cuts = 1000;
  hub_.files["model.safetensors"].content.resize(150'000);
  run();  // two cut pieces make it whole
  hub_.commit = std::string(40, 'c');
  hub_.files["model.safetensors"].content = pseudo_random_bytes(300'000, 3);
  hub_.cut_after = 0;
  const auto [code, message] = error_of([&] { run(); });
  EXPECT_EQ(code, ErrorCode::kUnavailable);
  EXPECT_THAT(message, HasSubstr("gave up after 3 attempts"));
  EXPECT_FALSE(fs::exists(repo() / "snapshots" / hub_.commit));
  EXPECT_EQ(read_file(repo() / "refs" / "main"), std::string(40, 'a'));
  hub_.cuts = 0;
  EXPECT_EQ(read_file(run().snapshot / "model.safetensors"), hub_.files["model.safetensors"].content);
}

TEST_F(PullTest, WrongHashIsRefusedAndRemoved) {
  const std::string wrong(64, '1');
  hub_.files["model.safetensors"].stated_hash = wrong;
  const auto [code, message] = error_of([&] { run(); });
  EXPECT_EQ(code, ErrorCode::kDataCorruption);
  EXPECT_THAT(message, HasSubstr("tiny/llama: model.safetensors: not the file it should be: sha256 is"));
  // What its neighbours have so far may stay: the next pull goes on with it.
  EXPECT_FALSE(fs::exists(repo() / "blobs" / wrong));
  EXPECT_FALSE(fs::exists(repo() / "blobs" / (wrong + ".incomplete")));
  EXPECT_FALSE(fs::exists(repo() / "snapshots" / hub_.commit));
  EXPECT_FALSE(fs::exists(repo() / "refs" / "main"));
}

TEST_F(PullTest, WrongGitBlobIdIsRefused) {
  hub_.files["config.json"].stated_hash = std::string(40, '2');
  EXPECT_THAT(error_of([&] { run(); }).second, HasSubstr("config.json: not the file it should be: git id is"));
}

TEST_F(PullTest, WrongBytesOfAnEarlierRunAreFetchedAgain) {
  hub_.files["model.safetensors"].content = pseudo_random_bytes(300'000, 9);
  const std::string sha = [&] {
    Digest digest = Digest::sha256();
    digest.update(hub_.files["model.safetensors"].content);
    return digest.hex();
  }();
  write_file_atomic(repo() / "blobs" / (sha + ".incomplete"), std::string(1000, 'x'));
  EXPECT_EQ(read_file(run().snapshot / "model.safetensors"), hub_.files["model.safetensors"].content);
}

TEST_F(PullTest, HashesComeFromETagsWhenTheListHasNone) {
  hub_.list_hashes = false;
  EXPECT_EQ(read_file(run().snapshot / "model.safetensors"), hub_.files["model.safetensors"].content);
  hub_.commit = std::string(40, 'd');
  hub_.files["model.safetensors"] = {"other", true, std::string(64, '3')};
  EXPECT_EQ(error_of([&] { run(); }).first, ErrorCode::kDataCorruption);
}

TEST_F(PullTest, TokenGoesToTheHubAndNotToTheContentServer) {
  hub_.required_token = "hf_secret";
  run("tiny/llama", "hf_secret");
  int at_content_server = 0;
  for (const auto& request : hub_.requests()) {
    EXPECT_EQ(request.header("authorization"), request.at_second_origin ? "" : "Bearer hf_secret");
    at_content_server += request.at_second_origin;
  }
  EXPECT_GT(at_content_server, 0);
}

TEST_F(PullTest, StatusesAreExplainedWithoutTheToken) {
  hub_.required_token = "hf_secret";
  auto [code, message] = error_of([&] { run(); });
  EXPECT_EQ(code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(message,
              HasSubstr("no such repository, or a private one (HTTP 401): check the name; log in by setting HF_TOKEN"));
  std::tie(code, message) = error_of([&] { run("tiny/llama", "hf_wrong"); });
  EXPECT_THAT(message, HasSubstr("HF_TOKEN gives no access to it"));
  EXPECT_THAT(message, Not(HasSubstr("hf_wrong")));
  hub_.required_token.clear();
  std::tie(code, message) = error_of([&] { run("tiny/other"); });
  EXPECT_EQ(code, ErrorCode::kNotFound);
  std::tie(code, message) = error_of([&] { run("tiny/llama@v2"); });
  EXPECT_EQ(message, "tiny/llama@v2: the repository has no such revision (HTTP 404)");
}

TEST_F(PullTest, BusyHubIsAskedAgain) {
  hub_.unavailable_answers = 2;
  run();
  hub_.unavailable_answers = 1000;
  EXPECT_THAT(error_of([&] { run(); }).second,
              HasSubstr("tiny/llama: the hub answers HTTP 503 (gave up after 3 attempts"));
}

TEST_F(PullTest, NamesOutsideTheSnapshotAreRefusedBeforeAnythingIsWritten) {
  for (const std::string path : {"../../../evil", "/etc/evil", "a/../../evil", "a\\evil", "a//b", "."}) {
    hub_.files[path] = {"evil", false, {}};
    const auto [code, message] = error_of([&] { run(); });
    EXPECT_EQ(code, ErrorCode::kDataCorruption) << path;
    EXPECT_FALSE(fs::exists(repo())) << path;
    hub_.files.erase(path);
  }
}

TEST_F(PullTest, CommitThatIsNoCommitIsRefused) {
  hub_.commit = "../../../../evil";
  EXPECT_EQ(error_of([&] { run(); }).second, "tiny/llama: the hub states no commit");
}

TEST_F(PullTest, RedirectsAreBounded) {
  hub_.redirect_loop = "config.json";
  EXPECT_THAT(error_of([&] { run(); }).second, HasSubstr("more than 5 redirects"));
}

TEST_F(PullTest, RevisionsWithSlashesAndCommitsWork) {
  run("tiny/llama@v1/rc");
  EXPECT_EQ(read_file(repo() / "refs" / "v1" / "rc"), hub_.commit);
  EXPECT_EQ(resolve_model("tiny/llama@v1/rc"), repo() / "snapshots" / hub_.commit);
  run("tiny/llama@" + hub_.commit);
  EXPECT_FALSE(fs::exists(repo() / "refs" / hub_.commit));
}

TEST_F(PullTest, FourFilesComeAtOnce) {
  hub_.files.erase("model.safetensors");
  hub_.files["model.safetensors.index.json"] = {R"({"weight_map": {}})", false, {}};
  for (int i = 1; i <= 8; ++i)
    hub_.files[fmt::format("model-{:05}-of-00008.safetensors", i)] = {pseudo_random_bytes(40'000, i), true, {}};
  hub_.milliseconds_per_piece = 5;
  EXPECT_EQ(run().files, 11u);
  EXPECT_EQ(hub_.most_at_once(), 4);
}

TEST_F(PullTest, InterruptKeepsThePartAndTheNextPullGoesOn) {
  hub_.files["model.safetensors"].content = pseudo_random_bytes(2'000'000, 5);
  hub_.milliseconds_per_piece = 2;
  std::jthread interrupter([&] {
    while (hub_.body_bytes() < 100'000) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    cancelled_ = true;
  });
  EXPECT_EQ(error_of([&] { run(); }).first, ErrorCode::kCancelled);
  EXPECT_GE(blobs().first, 1);
  EXPECT_FALSE(fs::exists(repo() / "snapshots"));
  interrupter.join();
  cancelled_ = false;
  hub_.milliseconds_per_piece = 0;
  EXPECT_EQ(read_file(run().snapshot / "model.safetensors"), hub_.files["model.safetensors"].content);
  EXPECT_EQ(ranges_asked(), 1u);
}

TEST_F(PullTest, KilledProcessLeavesNoSnapshotAndTheNextPullGoesOn) {
  hub_.files["model.safetensors"].content = pseudo_random_bytes(2'000'000, 6);
  hub_.milliseconds_per_piece = 2;
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      run();
    } catch (...) {
    }
    ::_exit(0);
  }
  while (hub_.body_bytes() < 200'000) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_FALSE(fs::exists(repo() / "snapshots"));
  EXPECT_GE(blobs().first, 1);
  hub_.milliseconds_per_piece = 0;
  EXPECT_EQ(read_file(run().snapshot / "model.safetensors"), hub_.files["model.safetensors"].content);
  EXPECT_EQ(ranges_asked(), 1u);
}

TEST_F(PullTest, GgufRepositoryGivesTheOneFileThatIsMeant) {
  hub_.files.clear();
  hub_.files["tiny.Q4_K_M.gguf"] = {"GGUF four", true, {}};
  hub_.files["tiny.Q8_0.gguf"] = {"GGUF eight", true, {}};
  EXPECT_EQ(read_file(run("tiny/llama:q8_0").snapshot / "tiny.Q8_0.gguf"), "GGUF eight");
  EXPECT_EQ(resolve_model("tiny/llama:Q8_0").filename(), "tiny.Q8_0.gguf");
  EXPECT_EQ(run().files, 1u);
  EXPECT_EQ(resolve_model("tiny/llama:Q4_K_M").filename(), "tiny.Q4_K_M.gguf");
  const auto [code, message] = error_of([&] { run("tiny/llama:F16"); });
  EXPECT_THAT(message, HasSubstr("it has tiny.Q4_K_M.gguf, tiny.Q8_0.gguf"));
}

TEST_F(PullTest, RepositoryWithoutWeightsIsSaidSo) {
  hub_.files.erase("model.safetensors");
  hub_.files.erase("pytorch_model.bin");
  const auto [code, message] = error_of([&] { run(); });
  EXPECT_EQ(code, ErrorCode::kNotFound);
  EXPECT_THAT(message, HasSubstr("has neither model.safetensors nor pytorch_model.bin nor a GGUF file"));
}

TEST_F(PullTest, UnreachableHubIsSaidSo) {
  PullOptions options;
  options.access = {"http://127.0.0.1:1", ""};
  options.retry.first_wait = std::chrono::milliseconds(1);
  DownloadProgress progress("x", stderr, false);
  const auto [code, message] = error_of([&] { pull(parse_hub_reference("a/b"), options, progress, cancelled_); });
  EXPECT_EQ(code, ErrorCode::kUnavailable);
  EXPECT_THAT(message, HasSubstr("127.0.0.1"));
  EXPECT_THAT(message, HasSubstr("gave up after 3 attempts"));  // who is offline is told soon
}

}  // namespace
}  // namespace hearth
