#include "runtime/base/file.h"

#include <filesystem>
#include <functional>

#include <gtest/gtest.h>
#include <unistd.h>

#include "runtime/base/error.h"

namespace hearth {
namespace {

class FileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "hearth.XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_;
};

ErrorCode code_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "nothing was thrown";
  return ErrorCode::kInternal;
}

TEST_F(FileTest, AtomicWriteMakesParentsAndReplaces) {
  const auto path = folder_ / "a" / "b.txt";
  write_file_atomic(path, "first");
  write_file_atomic(path, "second");
  EXPECT_EQ(read_file(path), "second");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(path.parent_path()), {}), 1);
}

TEST_F(FileTest, AtomicWriteThatFailsLeavesTheOldFileAndNothingElse) {
  const auto path = folder_ / "target";
  std::filesystem::create_directories(path / "occupied");
  EXPECT_EQ(code_of([&] { write_file_atomic(path, "x"); }), ErrorCode::kUnavailable);
  EXPECT_TRUE(std::filesystem::is_directory(path));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(FileTest, WhatAKilledProcessLeftIsRemovedAndNothingElse) {
  for (const char* name : {"a.json.Xy12_z.unfinished", "novel.unfinished", "a.json", "a.json.Xy12_z"})
    write_file_atomic(folder_ / name, "x");
  std::filesystem::create_directories(folder_ / "b.abcdef.unfinished");
  remove_unfinished_files(folder_);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "a.json.Xy12_z.unfinished"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 4);
  remove_unfinished_files(folder_ / "none");
}

TEST_F(FileTest, ReadRefusesWhatIsMissingTooLargeOrNoFile) {
  write_file_atomic(folder_ / "ten", "0123456789");
  EXPECT_EQ(code_of([&] { read_file(folder_ / "none"); }), ErrorCode::kNotFound);
  EXPECT_EQ(code_of([&] { read_file(folder_ / "ten", 9); }), ErrorCode::kResourceExhausted);
  EXPECT_EQ(code_of([&] { read_file(folder_); }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(read_file(folder_ / "ten", 10).size(), 10u);
}

TEST_F(FileTest, MappedFileShowsTheBytesAlsoAfterItsPagesWereReleased) {
  std::string content(100'000, 'x');
  content.back() = 'y';
  write_file_atomic(folder_ / "data", content);
  const auto file = MappedFile::open(folder_ / "data");
  ASSERT_EQ(file->bytes().size(), content.size());
  file->release_pages(0, content.size());
  EXPECT_EQ(static_cast<char>(file->bytes().back()), 'y');
}

TEST_F(FileTest, EmptyFileMapsToNoBytes) {
  write_file_atomic(folder_ / "empty", "");
  EXPECT_TRUE(MappedFile::open(folder_ / "empty")->bytes().empty());
}

}  // namespace
}  // namespace hearth
