#include "runtime/io/safetensors_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/io/safetensors.h"
#include "tests/support/temporary_directory.h"

namespace hearth {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

// The tensors of a file that safetensors' own Python writes (tests/golden/make_torch_bin.py, make_peft_adapters.py).
std::vector<TensorToWrite> contents(const std::shared_ptr<const SafetensorsFile>& file) {
  std::vector<TensorToWrite> tensors;
  for (const SafetensorsFile::Tensor& tensor : file->tensors()) {
    tensors.push_back({tensor.name, tensor.dtype, tensor.shape, [file, &tensor](const TensorToWrite::Sink& sink) {
                         const size_t half = tensor.bytes.size() / 2;
                         sink(tensor.bytes.first(half));
                         sink(tensor.bytes.subspan(half));
                       }});
  }
  std::reverse(tensors.begin(), tensors.end());
  return tensors;
}

TEST(SafetensorsWriter, WritesTheBytesOfTheReference) {
  const test::TemporaryDirectory directory;
  for (const char* name : {"saved/adapter_model", "bf16/adapter_model", "dora/adapter_model"}) {
    const fs::path reference = fs::path("tests/golden/peft_adapters") / (std::string(name) + ".safetensors");
    const fs::path path = directory.path() / "new" / "x.safetensors";
    write_safetensors(path, contents(SafetensorsFile::open(reference)));
    EXPECT_EQ(read_file(path), read_file(reference)) << name;
  }
}

TEST(SafetensorsWriter, PutsWiderDtypesFirst) {
  const test::TemporaryDirectory directory;
  const fs::path path = directory.path() / "x.safetensors";
  const auto zeros = [](size_t bytes) {
    return [bytes](const TensorToWrite::Sink& sink) { sink(std::vector<std::byte>(bytes)); };
  };
  write_safetensors(path, {{"a", "BF16", {1}, zeros(2)}, {"b\"", "F32", {0, 4}, zeros(0)}, {"c", "I64", {}, zeros(8)}});
  const auto file = SafetensorsFile::open(path);
  ASSERT_EQ(file->tensors().size(), 3u);
  EXPECT_EQ(file->tensor("a")->bytes.data(), file->tensor("c")->bytes.data() + 8);
  EXPECT_NE(file->tensor("b\""), nullptr);
}

TEST(SafetensorsWriter, LeavesTheOldFileWhenItFails) {
  const test::TemporaryDirectory directory;
  const fs::path path = directory.path() / "x.safetensors";
  write_safetensors(path, {TensorToWrite::f32("a", Tensor::from({2}, {1, 2}))});
  const std::string before = read_file(path);
  const auto refusal = [&](std::vector<TensorToWrite> tensors) -> std::string {
    try {
      write_safetensors(path, std::move(tensors));
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  const TensorToWrite one = TensorToWrite::f32("a", Tensor::from({1}, {3}));
  EXPECT_THAT(refusal({one, one}), HasSubstr("two tensors are named 'a'"));
  EXPECT_THAT(refusal({{"b", "F3", {1}, one.write}}), HasSubstr("'F3'"));
  EXPECT_THAT(refusal({{"b", "F32", {2}, one.write}}), HasSubstr("written == size_of"));
  EXPECT_EQ(read_file(path), before);
  EXPECT_EQ(std::distance(fs::directory_iterator(directory.path()), {}), 1);
}

}  // namespace
}  // namespace hearth
