#include "runtime/io/torch_bin.h"

#include <cstring>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/error.h"
#include "runtime/io/safetensors.h"
#include "runtime/io/weight_source.h"
#include "tests/support/image_builder.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/torch_image.h"

namespace hearth {
namespace {

namespace image = test::torch_image;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::filesystem::path kGolden = "tests/golden/torch_bin";

template <class Read>
std::string refusal(Read&& read) {
  try {
    read();
  } catch (const Error& error) {
    EXPECT_EQ(std::string_view(error.what()).find('\n'), std::string_view::npos) << error.what();
    return error.what();
  }
  return "";
}
std::string refusal_of(const std::string& bytes) {
  return refusal([&] { TorchBinFile::parse(test::as_image(bytes), "m.bin"); });
}

std::vector<std::byte> copy_of(std::span<const std::byte> bytes) { return {bytes.begin(), bytes.end()}; }

TEST(TorchBin, HasTheTensorsThatTorchSaved) {
  for (const char* name : {"state_dict", "protocol_4", "protocol_5", "wrapped", "wrapped_model", "dtypes", "views"}) {
    SCOPED_TRACE(name);
    const auto file = TorchBinFile::open(kGolden / (name + std::string(".bin")));
    const auto expected = SafetensorsFile::open(kGolden / (name + std::string(".safetensors")));
    EXPECT_EQ(file->tensors().size(), expected->tensors().size());
    for (const CheckpointFile::Tensor& tensor : expected->tensors()) {
      SCOPED_TRACE(tensor.name);
      const CheckpointFile::Tensor* found = file->tensor(tensor.name);
      ASSERT_NE(found, nullptr);
      EXPECT_EQ(found->dtype, tensor.dtype);
      EXPECT_EQ(found->shape, tensor.shape);
      EXPECT_EQ(copy_of(found->bytes), copy_of(tensor.bytes));
    }
  }
}

TEST(TorchBin, OnlyWhatDoesNotLieRowByRowIsCopied) {
  const auto file = TorchBinFile::open(kGolden / "views.bin");
  for (const char* name : {"whole", "rows", "one", "parameter"}) EXPECT_NE(file->tensor(name)->file, nullptr) << name;
  for (const char* name : {"columns", "transposed", "column", "every_other", "permuted", "parameter_of_view"})
    EXPECT_EQ(file->tensor(name)->file, nullptr) << name;
  const auto tied = TorchBinFile::open(kGolden / "state_dict.bin");
  EXPECT_EQ(tied->tensor("embed.weight")->bytes.data(), tied->tensor("head.weight")->bytes.data());
}

TEST(TorchBin, RefusesWhatPythonWouldRun) {
  const std::pair<const char*, const char*> cases[] = {
      {"os_system_2", "asks for the Python object 'posix.system'"},
      {"os_system_4", "asks for the Python object 'posix.system'"},
      {"eval_2", "asks for the Python object '__builtin__.eval'"},
      {"eval_4", "asks for the Python object 'builtins.eval'"},
      {"getattr_2", "asks for the Python object '__builtin__.getattr'"},
      {"getattr_4", "asks for the Python object 'builtins.getattr'"},
      {"module", "asks for the Python object '__main__.Small'"},
      {"float8", "asks for the Python object 'torch._utils._rebuild_tensor_v3'"},
      {"sparse", "asks for the Python object 'torch._utils._rebuild_sparse_tensor'"},
      {"legacy", "is of the format before torch 1.6; write it again with"},
      {"list", "is no dict of tensors"},
      {"no_tensors", "has no tensors"},
      {"expanded", "tensor 'a' does not fit its storage of 1 values"},
      {"compressed", "is compressed"}};
  for (const auto& [name, said] : cases) {
    const std::filesystem::path path = kGolden / "refused" / (name + std::string(".bin"));
    const std::string message = refusal([&] { TorchBinFile::open(path); });
    EXPECT_THAT(message, StartsWith(path.string() + ": ")) << name;
    EXPECT_THAT(message, HasSubstr(said)) << name;
  }
  EXPECT_THAT(refusal_of("version https://git-lfs.github.com/spec/v1\n"), HasSubstr("does not begin as a zip archive"));
  EXPECT_THAT(refusal_of(""), HasSubstr("does not begin as a zip archive"));
}

TEST(TorchBin, TensorsLieInTheirStorage) {
  constexpr int64_t kHuge = int64_t{1} << 62;
  const std::string six = image::storage("FloatStorage", "0", 6);
  const auto said = [](const std::string& tensor) { return refusal_of(image::file(image::dict({{"a", tensor}}), 24)); };
  const std::string outside = "m.bin: tensor 'a' does not fit its storage of 6 values";
  EXPECT_EQ(said(image::tensor(six, 0, {6}, {1})), "");
  EXPECT_EQ(said(image::tensor(six, 5, {}, {})), "");
  EXPECT_EQ(said(image::tensor(six, 5, {1}, {kHuge})), "");
  EXPECT_EQ(said(image::tensor(six, kHuge, {0, 3}, {3, 1})), "");
  EXPECT_EQ(said(image::tensor(six, 6, {}, {})), outside);
  EXPECT_EQ(said(image::tensor(six, 0, {7}, {1})), outside);
  EXPECT_EQ(said(image::tensor(six, 1, {6}, {1})), outside);
  EXPECT_EQ(said(image::tensor(six, 0, {2, 3}, {4, 1})), outside);
  EXPECT_EQ(said(image::tensor(six, 0, {7}, {0})), outside);
  EXPECT_EQ(said(image::tensor(six, kHuge, {2}, {kHuge})), outside);
  EXPECT_EQ(said(image::tensor(six, 0, {2}, {kHuge})), outside);
  EXPECT_EQ(said(image::tensor(six, 0, {kHuge, 4}, {1, 1})), outside);
  EXPECT_EQ(said(image::tensor(six, 0, {kHuge, 4, 0}, {1, 1, 1})), outside);
  EXPECT_EQ(said(image::tensor(six, 0, {kHuge}, {0})), outside);
  EXPECT_THAT(said(image::tensor(six, -1, {2}, {1})), HasSubstr("that is no count"));
  EXPECT_THAT(said(image::tensor(six, 0, {-2}, {1})), HasSubstr("that is no count"));
  EXPECT_THAT(said(image::tensor(six, 4, {2}, {-1})), HasSubstr("that is no count"));
  EXPECT_THAT(said(image::tensor(six, 0, {2, 3}, {1})), HasSubstr("has 2 dimensions and 1 strides"));
  EXPECT_THAT(said(image::tensor(six, 0, std::vector<int64_t>(17, 1), std::vector<int64_t>(17, 1))),
              HasSubstr("no tuple of at most 16 numbers"));
  EXPECT_THAT(said(image::tensor(image::storage("FloatStorage", "0", 7), 0, {6}, {1})),
              HasSubstr("storage '0' of tensor 'a' has 24 bytes, 7 values of F32 were promised"));
  EXPECT_THAT(said(image::tensor(image::storage("FloatStorage", "0", kHuge), 0, {6}, {1})), HasSubstr("were promised"));
  EXPECT_THAT(said(image::tensor(image::storage("FloatStorage", "0", -6), 0, {6}, {1})), HasSubstr("is no count"));
  EXPECT_THAT(said(image::tensor(image::storage("FloatStorage", "../data.pkl", 1), 0, {1}, {1})),
              HasSubstr("storage '../data.pkl', which the archive lacks"));
  EXPECT_THAT(said(image::tensor("N", 0, {1}, {1})), HasSubstr("lies in no storage"));
  EXPECT_THAT(said(image::tensor("NQ", 0, {1}, {1})), HasSubstr("not described as torch.save does"));
  EXPECT_THAT(said(image::global("torch._utils", "_rebuild_tensor_v2") + ")R"), HasSubstr("from 0 arguments"));
  EXPECT_THAT(said(image::global("torch._utils", "_rebuild_parameter") + ")R"), HasSubstr("a parameter of no tensor"));
}

TEST(TorchBin, TheDictIsOneOfTensors) {
  const std::string one = image::tensor(image::storage("FloatStorage", "0", 6), 0, {1}, {1});
  EXPECT_THAT(refusal_of(image::file(image::dict({{"a", one}, {"a", one}}), 24)),
              HasSubstr("two tensors are named 'a'"));
  // A dict in itself.
  EXPECT_THAT(refusal_of(image::file("}\x94" + image::text("model") + std::string("h\0s", 3), 24)),
              HasSubstr("has no tensors"));
  // One transposed view under many names would be copied for each.
  std::string many =
      image::dict({{"100", image::tensor(image::storage("FloatStorage", "0", 6), 0, {3, 2}, {1, 3}) + "\x94"}});
  EXPECT_EQ(refusal_of(image::file(many, 24)), "");
  for (int i = 101; i < 200; ++i) many += image::text(std::to_string(i)) + std::string("h\0s", 3);
  EXPECT_THAT(refusal_of(image::file(many, 24)), HasSubstr("is one view too many of the same storage"));
}

TEST(TorchBin, TheArchiveIsSound) {
  const std::string one =
      image::pickle(image::dict({{"a", image::tensor(image::storage("ByteStorage", "0", 4), 0, {4}, {1})}}));
  const auto said = [](const std::vector<image::Entry>& entries) { return refusal_of(image::zip(entries)); };
  EXPECT_EQ(said({{"m/data.pkl", one}, {"m/data/0", "abcd"}}), "");
  EXPECT_EQ(said({{"m/data.pkl", one}, {"m/data/0", "abcd"}, {"../../etc/passwd", "x"}, {"m/byteorder", "little"}}),
            "");
  EXPECT_EQ(refusal_of(image::zip({{"m/data.pkl", one}, {"m/data/0", "abcd"}}, /*zip64=*/true)), "");
  EXPECT_THAT(said({{"m/data.pkl", one}, {"m/data/0", "abcd"}, {"m/byteorder", "big"}}), HasSubstr("is 'big'"));
  EXPECT_THAT(said({{"m/data.pkl", one}, {"n/data/0", "abcd"}}), HasSubstr("'0', which the archive lacks"));
  EXPECT_THAT(said({{"m/data.pkl", one}, {"n/data.pkl", one}}), HasSubstr("two data.pkl"));
  EXPECT_THAT(said({{"data.pkl", one}}), HasSubstr("no <name>/data.pkl"));
  EXPECT_THAT(said({{"m/data.pkl", one}, {"m/data/0", "abcd"}, {"m/data/0", "efgh"}}),
              HasSubstr("two entries are named 'm/data/0'"));
  EXPECT_THAT(said({{"m/data.pkl", one}, {"m/data/0", "abcd", 0, 8}}), HasSubstr("entry 'm/data/0' is compressed"));
  EXPECT_THAT(said({{"m/data.pkl", one}, {"m/data/0", "abcd", 0, 0, 1}}), HasSubstr("entry 'm/data/0' is encrypted"));
  EXPECT_THAT(said({{"m/data.pkl", one}, {"m/data/0", "abcd", 1}}),
              HasSubstr("is not at byte 1 as the directory says"));
  EXPECT_THAT(said({{"m/data.pkl", one}, {"m/data/0", "abcd", uint64_t{1} << 31}}), HasSubstr("is not at byte"));
  const image::Entry pickle{"m/data.pkl", one};
  EXPECT_THAT(refusal_of(image::local_entry(pickle) + image::zip_directory({pickle}, 1 << 20, /*zip64=*/false)),
              HasSubstr("1 entries in 56 bytes at byte 1048576, which do not fit"));
  EXPECT_THAT(refusal_of(image::local_entry(pickle)), HasSubstr("the zip archive has no end"));
  // The second entry is said to lie in the bytes of the first, which has a header there.
  const std::string inner = image::local_entry({"m/data/0", "abcd"});
  const uint64_t inside = std::string_view("m/x").size() + 30;
  EXPECT_THAT(said({{"m/x", inner}, {"m/data/0", "abcd", inside}}), HasSubstr("overlaps the one before it"));
  EXPECT_THAT(said({{"m/x", inner}, {"m/other1", "abcd", inside}}), HasSubstr("has another name where it lies"));
}

TEST(TorchBin, ReadsBeyondFourGigabytes) {
  test::TemporaryDirectory directory;
  const std::filesystem::path path = directory.path() / "pytorch_model.bin";
  constexpr uint64_t kFar = uint64_t{5} << 30;  // a hole in the file: it takes no space
  const std::string floats = image::storage("FloatStorage", "0", 2);
  const image::Entry pickle{"m/data.pkl", image::pickle(image::dict({{"a", image::tensor(floats, 0, {2}, {1})}}))};
  const image::Entry data{"m/data/0", image::raw(1.5f) + image::raw(-2.0f), kFar};
  const std::string local = image::local_entry(data);
  std::ofstream(path, std::ios::binary) << image::local_entry(pickle);
  std::filesystem::resize_file(path, kFar);
  std::ofstream(path, std::ios::binary | std::ios::app)
      << local << image::zip_directory({pickle, data}, kFar + local.size(), /*zip64=*/true);
  const auto file = TorchBinFile::open(path);
  float values[2];
  ASSERT_EQ(file->tensor("a")->bytes.size(), sizeof(values));
  std::memcpy(values, file->tensor("a")->bytes.data(), sizeof(values));
  EXPECT_THAT(values, ElementsAre(1.5f, -2.0f));
}

TEST(TorchBinWeights, ComeFromTheShardsOfTheIndex) {
  WeightSource source = WeightSource::from_directory(kGolden / "sharded");
  const Weight b = source.matrix("b", 2, 3);
  float row[3];
  b.dequantize_rows(1, 2, row);
  EXPECT_THAT(row, ElementsAre(-2, 0, 2));
  for (const char* name : {"a", "b"}) source.release_pages(name);  // "b" was copied and has no pages of the file
  EXPECT_THAT(source.unused(), ElementsAre("a", "c"));
}

TEST(TorchBinWeights, SafetensorsComeFirst) {
  test::TemporaryDirectory directory;
  std::filesystem::copy(kGolden / "sharded", directory.path());
  EXPECT_TRUE(WeightSource::from_directory(directory.path()).has("a"));
  std::filesystem::copy(kGolden / "state_dict.safetensors", directory.path() / "model.safetensors");
  EXPECT_FALSE(WeightSource::from_directory(directory.path()).has("a"));
}

}  // namespace
}  // namespace hearth
