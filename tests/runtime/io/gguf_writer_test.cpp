// A GGUF that is read and written again is the same file.
#include "runtime/io/gguf_writer.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/io/gguf.h"
#include "tests/support/image_builder.h"
#include "tests/support/temporary_directory.h"

namespace hearth {
namespace {

TEST(GgufWriter, WhatItWritesIsReadAsBefore) {
  const test::TemporaryDirectory directory;
  const std::string bytes = test::sample_gguf().bytes();
  const auto before = GgufFile::parse(test::as_image(bytes), "m.gguf");
  std::vector<GgufEntry> metadata;
  for (const GgufFile::Entry& entry : before->entries())
    metadata.push_back(
        {std::string(entry.key), {reinterpret_cast<const char*>(entry.bytes.data()), entry.bytes.size()}});
  metadata.push_back(GgufEntry::text("added.text", "a\nb"));
  metadata.push_back(GgufEntry::number("added.number", 4000000000));
  std::vector<GgufTensorToWrite> tensors;
  for (const GgufFile::Tensor& tensor : before->tensors())
    tensors.push_back({std::string(tensor.name),
                       tensor.format,
                       {tensor.dims.begin(), tensor.dims.begin() + tensor.rank},
                       [&tensor](const GgufTensorToWrite::Sink& sink) {
                         sink(tensor.bytes.first(1));
                         sink(tensor.bytes.subspan(1));
                       }});
  write_gguf(directory.path() / "m.gguf", metadata, 64, tensors);

  const auto after = GgufFile::open(directory.path() / "m.gguf");
  ASSERT_EQ(after->entries().size(), before->entries().size() + 2);
  for (size_t i = 0; i < before->entries().size(); ++i)
    EXPECT_TRUE(before->entries()[i].key == after->entries()[i].key &&
                std::ranges::equal(before->entries()[i].bytes, after->entries()[i].bytes));
  EXPECT_EQ(after->string("added.text"), "a\nb");
  EXPECT_EQ(after->integer("added.number"), 4000000000);
  ASSERT_EQ(after->tensors().size(), before->tensors().size());
  for (const GgufFile::Tensor& tensor : before->tensors()) {
    const GgufFile::Tensor* same = after->tensor(tensor.name);
    ASSERT_TRUE(same && same->format == tensor.format && same->dims == tensor.dims) << tensor.name;
    EXPECT_TRUE(std::ranges::equal(same->bytes, tensor.bytes)) << tensor.name;
  }
}

// A writer that gives fewer bytes than its tensor has is a bug of ours, and leaves no file.
TEST(GgufWriter, LeavesNothingBehindOfATensorThatFallsShort) {
  const test::TemporaryDirectory directory;
  const std::vector<GgufTensorToWrite> tensors = {{"x", Format::kF32, {2}, [](const auto&) {}}};
  EXPECT_THROW(write_gguf(directory.path() / "m.gguf", {}, 32, tensors), Error);
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

}  // namespace
}  // namespace hearth
