#include "server/files/file_store.h"

#include <csignal>
#include <fstream>
#include <memory>
#include <set>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "runtime/base/error.h"
#include "server/state/schema.h"
#include "tests/support/temporary_directory.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

class FileStoreTest : public testing::Test {
 protected:
  void open(int64_t max_bytes = 1000) {
    store.reset();
    store = std::make_unique<FileStore>(database, files, FileStoreOptions{max_bytes, [this] { return now; }});
  }
  FileRecord add(std::string_view content, std::string purpose = "fine-tune",
                 std::optional<std::chrono::seconds> expires_after = {}) {
    return store->add({std::move(purpose), "../a.jsonl", expires_after}, content);
  }
  std::vector<std::string> on_disk() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(files)) names.push_back(entry.path().filename().string());
    return names;
  }
  std::vector<std::string> ids(const FileQuery& query) {
    std::vector<std::string> out;
    for (const FileRecord& file : store->list(query)) out.push_back(file.id);
    return out;
  }
  static ErrorCode code_of(const std::function<void()>& function) {
    try {
      function();
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::kInternal;
  }

  const test::TemporaryDirectory directory;
  const fs::path files = directory.path() / "files";
  int64_t now = 1'000'000;
  Database database{directory.path() / "x.sqlite", migrations()};
  std::unique_ptr<FileStore> store;
};

TEST_F(FileStoreTest, KeepsContentUnderItsIdAndTheNameAsData) {
  open();
  const FileRecord file = add("{}\n");
  EXPECT_TRUE(is_file_id(file.id));
  EXPECT_EQ(file.filename, "../a.jsonl");
  EXPECT_EQ(file.bytes, 3);
  EXPECT_EQ(file.created_at, now);
  open();  // as after a restart
  EXPECT_EQ(read_file(store->path_of(file.id)), "{}\n");
  EXPECT_EQ(store->get(file.id).purpose, "fine-tune");
  EXPECT_THAT(on_disk(), ElementsAre(file.id));
  store->remove(file.id);
  EXPECT_THAT(on_disk(), IsEmpty());
  for (const std::string& id : {file.id, std::string("../x"), std::string("file-' OR 1=1"), std::string()}) {
    EXPECT_EQ(code_of([&] { store->get(id); }), ErrorCode::kNotFound) << id;
    EXPECT_EQ(code_of([&] { store->remove(id); }), ErrorCode::kNotFound) << id;
  }
}

TEST_F(FileStoreTest, WhatDoesNotArriveWholeLeavesNothing) {
  open(10);
  {
    const auto incoming = store->begin();
    incoming->write("12345");
    const auto second = store->begin();
    EXPECT_EQ(code_of([&] { second->write("123456"); }), ErrorCode::kResourceExhausted);
  }
  EXPECT_THAT(on_disk(), IsEmpty());
  const FileRecord whole = add("1234567890");  // what was given up has given its room back
  EXPECT_EQ(code_of([&] { add("1"); }), ErrorCode::kResourceExhausted);
  open(10);  // counts what is there
  EXPECT_EQ(code_of([&] { add("1"); }), ErrorCode::kResourceExhausted);
  store->remove(whole.id);
  add("1234567890");
}

TEST_F(FileStoreTest, AStartRemovesWhatAKilledProcessLeft) {
  open();
  const FileRecord kept = add("kept"), gone = add("gone"), cut = add("cut short");
  fs::remove(store->path_of(gone.id));
  fs::resize_file(store->path_of(cut.id), 3);
  std::ofstream(files / ("file-" + std::string(24, 'a'))) << "no row";
  std::ofstream(files / ("file-" + std::string(24, 'b') + ".a1B2c3.unfinished")) << "half";
  std::ofstream(files / "notes.txt") << "somebody else's";
  open();
  const auto names = on_disk();
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()), (std::set<std::string>{kept.id, "notes.txt"}));
  EXPECT_THAT(ids({}), ElementsAre(kept.id));
}

TEST_F(FileStoreTest, ExpiredFilesAreGoneAtOnceAndSweptLater) {
  open(8);
  const FileRecord file = add("12345678", "batch", std::chrono::seconds(5));
  EXPECT_EQ(file.expires_at, now + 5000);
  now += 4999;
  EXPECT_EQ(store->get(file.id).id, file.id);
  now += 1;
  EXPECT_EQ(code_of([&] { store->get(file.id); }), ErrorCode::kNotFound);
  EXPECT_THAT(ids({}), IsEmpty());
  EXPECT_THAT(on_disk(), ElementsAre(file.id));
  store->sweep();
  EXPECT_THAT(on_disk(), IsEmpty());
  add("12345678", "batch", std::chrono::seconds(5));
  now += 5000;
  add("87654321");  // makes room itself
}

TEST_F(FileStoreTest, ListsPageByPageInBothOrders) {
  open();
  std::vector<std::string> all(5);
  for (size_t i = 0; i < all.size(); ++i) all[i] = add("x", i == 2 ? "batch" : "fine-tune").id;
  EXPECT_THAT(ids({.limit = 2}), ElementsAre(all[4], all[3]));
  EXPECT_THAT(ids({.after = all[3], .limit = 3}), ElementsAre(all[2], all[1], all[0]));
  EXPECT_THAT(ids({.after = all[0], .limit = 2, .oldest_first = true}), ElementsAre(all[1], all[2]));
  EXPECT_THAT(ids({.purpose = "batch"}), ElementsAre(all[2]));
  EXPECT_EQ(code_of([&] { store->list({.after = "file-none"}); }), ErrorCode::kNotFound);
}

TEST_F(FileStoreTest, AJobsLinkOutlivesTheFile) {
  open();
  const FileRecord file = add("content");
  store->link_to(file.id, directory.path() / "job.jsonl");
  store->remove(file.id);
  EXPECT_EQ(read_file(directory.path() / "job.jsonl"), "content");
  const FileRecord other = add("content");
  EXPECT_EQ(code_of([&] { store->link_to(other.id, directory.path() / "none" / "x"); }), ErrorCode::kUnavailable);
}

// A limit of a file's size stops a write in its middle, as a full disk does.
TEST_F(FileStoreTest, AWriteThatFailsLeavesNothing) {
  open(1 << 20);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  {
    const auto incoming = store->begin();
    const rlimit small{1000, before.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
    const ErrorCode code = code_of([&] { incoming->write(std::string(2000, 'x')); });
    ::setrlimit(RLIMIT_FSIZE, &before);
    EXPECT_EQ(code, ErrorCode::kUnavailable);
  }
  ::signal(SIGXFSZ, handler);
  EXPECT_THAT(on_disk(), IsEmpty());
  add("there is room again");
}

// A file in the directory's place stands for one that cannot be written.
TEST_F(FileStoreTest, ADiskThatTakesNothingIsUnavailable) {
  std::ofstream(files) << "no directory";
  open();
  EXPECT_EQ(code_of([&] { store->begin(); }), ErrorCode::kUnavailable);
  EXPECT_EQ(store->list({}).size(), 0);
}

}  // namespace
}  // namespace hearth
