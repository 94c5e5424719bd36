#include "runtime/io/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/error.h"
#include "tests/support/image_builder.h"
#include "tests/support/temporary_directory.h"

namespace hearth {
namespace {

using test::as_image;
using test::safetensors_image;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kTwo =
    R"({"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[2,3],"data_offsets":[8,20]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";

std::string refusal(std::string_view header, size_t data_bytes) {
  const std::string image = safetensors_image(header, data_bytes);
  try {
    SafetensorsFile::parse(as_image(image), "m.safetensors");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kDataCorruption);
    return error.what();
  }
  return "";
}

TEST(Safetensors, ReadsTensors) {
  const std::string image = safetensors_image(kTwo, 20);
  const auto file = SafetensorsFile::parse(as_image(image), "m.safetensors");
  ASSERT_EQ(file->tensors().size(), 2u);
  const SafetensorsFile::Tensor* b = file->tensor("b");
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(b->dtype, "BF16");
  EXPECT_THAT(b->shape, ElementsAre(2, 3));
  EXPECT_EQ(b->bytes.size(), 12u);
  EXPECT_EQ(b->bytes[0], std::byte{8});
  EXPECT_EQ(file->tensor("c"), nullptr);
}

TEST(Safetensors, AcceptsPaddingAndEmptyTensors) {
  EXPECT_EQ(refusal(R"({"a":{"dtype":"I64","shape":[0,5],"data_offsets":[0,0]}}     )", 0), "");
  EXPECT_EQ(refusal("{}", 0), "");
}

TEST(Safetensors, RefusesWhatIsNotAHeader) {
  EXPECT_THAT(refusal("", 0), HasSubstr("does not begin with '{'"));
  EXPECT_THAT(refusal("[]", 0), HasSubstr("does not begin with '{'"));
  EXPECT_THAT(refusal("{", 0), HasSubstr("not valid JSON at byte"));
  EXPECT_THAT(refusal("{}{}", 0), HasSubstr("not valid JSON at byte"));
  const std::string claims(8, '\x7f');
  EXPECT_THROW(SafetensorsFile::parse(as_image(claims), "m"), Error);
  EXPECT_THROW(SafetensorsFile::parse({}, "m"), Error);
}

TEST(Safetensors, RefusesFieldsThatDoNotBelong) {
  for (const char* header :
       {R"({"a":1})",
        R"({"a":"x"})",
        R"({"a":[1]})",
        R"({"a":null})",
        R"({"a":{}})",
        R"({"a":{"dtype":3}})",
        R"({"a":{"dtype":["F32"]}})",
        R"({"a":{"dtype":"F32","shape":2}})",
        R"({"a":{"dtype":"F32","shape":[[2]]}})",
        R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})",
        R"({"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}})",
        R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}})",
        R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}})",
        R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"more":{}}})",
        R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}})",
        R"({"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
        R"({"a":{"dtype":"F32","shape":["2"],"data_offsets":[0,8]}})",
        R"({"__metadata__":{"a":1}})",
        R"({"__metadata__":{"a":{}}})",
        R"({"__metadata__":[]})",
        R"({"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2],"data_offsets":[0,8]}})"})
    EXPECT_NE(refusal(header, 8), "") << header;
}

TEST(Safetensors, RefusesSizesThatDoNotFit) {
  EXPECT_THAT(refusal(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8),
              HasSubstr("has 8 bytes, its dtype and shape take 12"));
  EXPECT_THAT(refusal(R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}})", 8),
              HasSubstr("more than 63 bits can count"));
  EXPECT_THAT(refusal(R"({"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,8]}})", 8),
              HasSubstr("fractional"));
  EXPECT_THAT(refusal(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 7),
              HasSubstr("bytes 0 to 8 of the data, which has 7"));
  EXPECT_THAT(refusal(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8), HasSubstr("bytes 8 to 0"));
  EXPECT_THAT(refusal(R"({"a":{"dtype":"Q9","shape":[2],"data_offsets":[0,8]}})", 8), HasSubstr("unknown dtype 'Q9'"));
}

TEST(Safetensors, RefusesOverlapHolesAndDuplicates) {
  const auto two = [](const char* second) {
    return refusal(
        std::string(
            R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[4],"data_offsets":)") +
            second + "}}",
        16);
  };
  EXPECT_THAT(two("[4,8]"), HasSubstr("begins at byte 4 of the data, the one before it ends at 8"));
  EXPECT_THAT(two("[12,16]"), HasSubstr("begins at byte 12"));
  EXPECT_THAT(two("[8,12]"), HasSubstr("the tensors end at byte 12 of the data, which has 16"));
  EXPECT_THAT(
      refusal(
          R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})",
          0),
      HasSubstr("two tensors are named 'a'"));
}

class Sharded : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& content) {
    write_file_atomic(directory_.path() / name, content);
  }
  std::string refusal() {
    try {
      open_safetensors(directory_.path());
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  static std::string shard(const std::string& tensor) {
    return safetensors_image(R"({")" + tensor + R"(":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", 4);
  }
  test::TemporaryDirectory directory_;
};

TEST_F(Sharded, ReadsTheFilesOfTheIndex) {
  write("one.safetensors", shard("a"));
  write("two.safetensors", shard("b"));
  write("model.safetensors.index.json", R"({"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})");
  EXPECT_EQ(open_safetensors(directory_.path()).size(), 2u);
}

TEST_F(Sharded, IncompleteOrForeignShardsAreNamed) {
  EXPECT_THAT(refusal(), HasSubstr("neither model.safetensors nor"));
  write("model.safetensors.index.json", R"({"weight_map":{"a":"one.safetensors"}})");
  EXPECT_THAT(refusal(), HasSubstr("one.safetensors: cannot open"));
  write("one.safetensors", shard("b"));
  EXPECT_THAT(refusal(), HasSubstr("promises tensor 'a' in one.safetensors"));
  write("two.safetensors", shard("b"));
  write("model.safetensors.index.json", R"({"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})");
  EXPECT_THAT(refusal(), HasSubstr("tensor 'b' is in"));
  for (const char* name : {"../x", "/etc/passwd", "", "..", "a/b"}) {
    write("model.safetensors.index.json", std::string(R"({"weight_map":{"a":")") + name + R"("}})");
    EXPECT_THAT(refusal(), HasSubstr("must be a plain name")) << name;
  }
  for (const char* index : {"[]", "{}", R"({"weight_map":[]})", R"({"weight_map":{"a":1}})", "{"}) {
    write("model.safetensors.index.json", index);
    EXPECT_NE(refusal(), "") << index;
  }
}

}  // namespace
}  // namespace hearth
