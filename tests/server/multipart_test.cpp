#include "server/multipart.h"

#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/error.h"

namespace hearth {
namespace {

using testing::ElementsAre;

// What came, a line a part: "name|filename|content".
class Collector : public MultipartReceiver {
 public:
  void begin_part(const MultipartPart& part) override {
    EXPECT_FALSE(open_);
    open_ = true;
    parts.push_back(part.name + "|" + part.filename.value_or("-") + "|");
  }
  void part_data(std::string_view data) override {
    EXPECT_TRUE(open_ && !data.empty());
    parts.back() += data;
  }
  void end_part() override {
    EXPECT_TRUE(open_);
    open_ = false;
  }
  std::vector<std::string> parts;

 private:
  bool open_ = false;
};

// `text` with \n for CR LF, fed in pieces of `step` bytes.
std::vector<std::string> parse(std::string text, size_t step = 1 << 20,
                               std::string_view type = "multipart/form-data; boundary=B") {
  for (size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 2)) text.replace(at, 1, "\r\n");
  Collector collector;
  MultipartParser parser(type, collector);
  for (size_t at = 0; at < text.size(); at += step) parser.feed(std::string_view(text).substr(at, step));
  parser.finish();
  return collector.parts;
}

std::string part(std::string_view parameters, std::string_view content) {
  return fmt::format("--B\nContent-Disposition: form-data; {}\n\n{}\n", parameters, content);
}

const std::string kForm = "a preamble\n" + part("name=\"purpose\"", "fine-tune") +
                          part("name=\"file\"; filename=\"a.jsonl\"", "{}\n--b\n--\n-\n") + part("name=empty", "") +
                          "--B--\nan epilogue\n--B\n";

TEST(Multipart, AnyCutOfTheBytesGivesTheSameParts) {
  for (size_t step : {1, 2, 3, 5, 7, 16, 64, 4096})
    EXPECT_THAT(parse(kForm, step),
                ElementsAre("purpose|-|fine-tune", "file|a.jsonl|{}\r\n--b\r\n--\r\n-\r\n", "empty|-|"))
        << step;
}

TEST(Multipart, ContentMayBeAnyBytes) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += i == '\n' ? ' ' : static_cast<char>(i);
  all += "\r\r--B --B \r";
  EXPECT_THAT(parse(part("name=x", all) + "--B--", 3), ElementsAre("x|-|" + all));
}

TEST(Multipart, NamesAreReadAsClientsWriteThem) {
  const auto name = [](std::string_view parameters) { return parse(part(parameters, "") + "--B--").at(0); };
  EXPECT_EQ(name(R"(name="a;b"; filename="x=\"1\".txt")"), "a;b|x=\"1\".txt|");
  EXPECT_EQ(name(R"(name="a"; filename="C:\new\file.txt")"), "a|C:\\new\\file.txt|");
  EXPECT_EQ(name(R"(name="a"; filename="x%22y%41")"), "a|x\"y%41|");
  EXPECT_EQ(name(R"(NAME=a; FileName=../../b)"), "a|../../b|");
  EXPECT_EQ(name("name=a; filename=b; filename*=utf-8''%C3%A9%20x"), "a|\u00e9 x|");
}

TEST(Multipart, TheBoundaryMayBeQuoted) {
  EXPECT_THAT(parse("--b =:\nContent-Disposition: form-data; name=x\n\n1\n--b =:--", 1000,
                    "Multipart/Form-Data; charset=utf-8; boundary=\"b =:\""),
              ElementsAre("x|-|1"));
  EXPECT_TRUE(is_multipart_form("Multipart/Form-Data ; boundary=x"));
  EXPECT_FALSE(is_multipart_form("multipart/mixed; boundary=x"));
}

TEST(Multipart, WhatIsNoFormIsRefused) {
  const std::string end = "--B--";
  const std::string wrong[] = {
      "",
      "nothing",
      "--B",
      "--B\n",
      part("name=x", "1"),
      part("name=x", "1") + "--B-",
      part("name=x", "1") + "--Bx--",
      part("filename=x", "1") + end,
      "--B\n\ncontent\n" + end,
      "--B\nContent-Disposition: attachment; name=x\n\n1\n" + end,
      "--B\nContent-Disposition: form-data; name=x\nno colon\n\n1\n" + end,
      "--B\nContent-Disposition: form-data; name=x\nContent-Disposition: form-data; name=x\n\n1\n" + end,
      "--B\nContent-Disposition: form-data; name=x\nContent-Transfer-Encoding: base64\n\n1\n" + end,
      part("name=\"x", "1") + end,
      part("name=x; filename*=latin1''x", "1") + end,
      part("name=x; filename*=utf-8''%zz", "1") + end,
      "--B\nX-Long: " + std::string(MultipartParser::kMaxHeaderBytes, 'x') + "\n\n1\n" + end,
  };
  for (const std::string& text : wrong) EXPECT_THROW(parse(text, 16), Error) << text.substr(0, 200);
  for (const char* type :
       {"multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\"a"})
    EXPECT_THROW(parse(kForm, 16, type), Error) << type;
  EXPECT_THROW(parse(kForm, 16, "multipart/form-data; boundary=" + std::string(71, 'x')), Error);
}

TEST(Multipart, PartsAreCounted) {
  std::string most;
  for (int i = 0; i < MultipartParser::kMaxParts; ++i) most += part("name=x", "1");
  EXPECT_EQ(parse(most + "--B--").size(), MultipartParser::kMaxParts);
  EXPECT_THROW(parse(most + part("name=x", "1") + "--B--"), Error);
}

}  // namespace
}  // namespace hearth
