// Where the bytes of pictures come from, and what is said where they are not to be had.
#include "server/images/image_sources.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/api_error.h"
#include "server/files/file_store.h"
#include "server/images/data_url.h"
#include "server/state/state_directory.h"
#include "tests/support/error_of.h"
#include "tests/support/one_answer_server.h"
#include "tests/support/temporary_directory.h"

namespace hearth {
namespace {

using test::error_of;
using test::OneAnswerServer;
using testing::HasSubstr;
using testing::Not;

ImageReference at(const std::string& url) { return {"messages[0].content[1].image_url.url", ImageReference::Url{url}}; }

std::string bytes(const ImageSources& sources, const ImageReference& image) {
  return sources.read(std::vector{image}).at(0).bytes;
}

// The message of a 400 for the reference's field.
std::string refusal(const ImageSources& sources, const std::vector<ImageReference>& images) {
  try {
    sources.read(images);
  } catch (const ApiError& error) {
    EXPECT_EQ(error.details().param, images.back().field);
    EXPECT_THAT(error.what(), HasSubstr(images.back().field));
    EXPECT_EQ(error_reply(error).status, 400);
    return error.what();
  }
  return "read";
}

TEST(DataUrl, IsReadInEverySpelling) {
  for (const char* url : {"data:image/png;base64,aGk/", "DATA:image/png;BASE64,aGk/", "data:;base64,aGk/",
                          "data:image/png;a=b;base64,aGk/", "data:image/png,hi?", "data:,hi%3F",
                          "data:image/png;base64,aGk%2f", "data:image/png;base64,aGk_"})
    EXPECT_EQ(decode_data_url(url), "hi?") << url;
  EXPECT_EQ(decode_data_url("data:;base64,aA=="), "h");
  EXPECT_EQ(decode_data_url("data:;base64,aA"), "h");
  EXPECT_EQ(decode_data_url(std::string("data:;base64,AAA=")), std::string("\0\0", 2));
}

TEST(DataUrl, WhatIsNoneIsRefusedWithoutItsData) {
  EXPECT_THAT(error_of([] { decode_data_url("data:image/png;base64"); }), HasSubstr("comma"));
  EXPECT_THAT(error_of([] { decode_data_url("data:;base64,aGk/aGk/a"); }), HasSubstr("not base64"));
  EXPECT_THAT(error_of([] { decode_data_url("data:;base64,aG\nk/"); }), HasSubstr("line breaks"));
  for (const char* url : {"data:;base64,SECR*TS", "data:,SECRET%", "data:,SECRET%4", "data:,SECRET%zz",
                          "data:;base64,SECR====", "data:;base64,S=CR"}) {
    const std::string error = error_of([&] { decode_data_url(url); });
    EXPECT_FALSE(error.empty()) << url;
    EXPECT_THAT(error, Not(HasSubstr("S"))) << url;
  }
}

TEST(ImageSources, KeepTheirLimits) {
  const ImageSources sources(nullptr, {}, {.most_bytes = 4, .most_bytes_in_all = 6});
  EXPECT_EQ(bytes(sources, at("data:,abcd")), "abcd");
  EXPECT_THAT(refusal(sources, {at("data:,abcde")}), HasSubstr("more than 4 bytes"));
  EXPECT_THAT(refusal(sources, {at("data:,")}), HasSubstr("empty"));
  ImageReference second = at("data:,efg");
  second.field = "messages[2].content[0].image_url";
  EXPECT_THAT(refusal(sources, {at("data:,abcd"), second}), HasSubstr("more than 6 bytes"));
}

TEST(ImageSources, UploadedFilesOfTheRightPurpose) {
  const test::TemporaryDirectory directory;
  StateDirectory state(directory.path() / "state");
  FileStore files(state.database(), state.files());
  const ImageSources sources(&files, {}, {.most_bytes = 8});
  const auto reference = [](const std::string& id) {
    return ImageReference{"messages[0].content[0].image_url.file_id", ImageReference::UploadedFile{id}};
  };
  for (const char* purpose : {"vision", "user_data", "assistants"})
    EXPECT_EQ(
        bytes(sources, reference(files.add({purpose, "a.png"}, purpose == std::string("vision") ? "pic" : "PIC").id))
            .size(),
        3u);
  EXPECT_THAT(refusal(sources, {reference(files.add({"fine-tune", "a.jsonl"}, "x").id)}), HasSubstr("'fine-tune'"));
  EXPECT_THAT(refusal(sources, {reference(files.add({"vision", "a.png"}, "123456789").id)}), HasSubstr("8 bytes"));
  EXPECT_THAT(refusal(sources, {reference("../../etc/passwd")}), HasSubstr("there is no file"));
  EXPECT_THAT(refusal(ImageSources(nullptr, {}), {reference("file-1")}), HasSubstr("keeps no files"));
}

TEST(ImageSources, OtherServersOnlyWhereTheyAreAllowed) {
  OneAnswerServer server;
  server.answers["/a.png"] = OneAnswerServer::ok("picture");
  server.answers["/away"] = OneAnswerServer::redirect(server.url("localhost", "/a.png"));
  const std::string url = server.url("127.0.0.1", "/a.png");
  EXPECT_THAT(refusal(ImageSources(nullptr, {}), {at(url)}), HasSubstr("--image-urls"));
  EXPECT_THAT(refusal(ImageSources(nullptr, parse_image_urls("public")), {at(url)}), HasSubstr("no public address"));
  EXPECT_THAT(refusal(ImageSources(nullptr, parse_image_urls("127.0.0.1")), {at(url)}), HasSubstr("is none of"));
  EXPECT_EQ(server.connections(), 0);
  const ImageUrls here = parse_image_urls("images.example.com,127.0.0.1:" + std::to_string(server.port()));
  EXPECT_EQ(bytes(ImageSources(nullptr, here), at(url)), "picture");
  EXPECT_THAT(refusal(ImageSources(nullptr, here), {at(server.url("127.0.0.1", "/away"))}), HasSubstr("is none of"));
  const std::string missing = refusal(ImageSources(nullptr, here), {at(server.url("127.0.0.1", "/b.png"))});
  EXPECT_THAT(missing, HasSubstr("answers 404"));
  EXPECT_THAT(missing, Not(HasSubstr("secret")));
  EXPECT_THAT(refusal(ImageSources(nullptr, here, {.most_bytes = 6}), {at(url)}), HasSubstr("more than 6 bytes"));
}

TEST(ImageSources, AServerThatSaysNothingEndsInTime) {
  OneAnswerServer server;
  server.answers["/"] = "";
  const ImageUrls here = parse_image_urls("127.0.0.1:" + std::to_string(server.port()));
  const ImageSources sources(nullptr, here, {.fetch_time = std::chrono::milliseconds(100)});
  EXPECT_THAT(refusal(sources, {at(server.url("127.0.0.1", "/"))}), HasSubstr("took too long"));
}

TEST(ImageUrls, AreOffPublicOrHosts) {
  EXPECT_EQ(parse_image_urls("off").from, ImageUrls::From::kNowhere);
  EXPECT_EQ(parse_image_urls("public").from, ImageUrls::From::kPublic);
  const ImageUrls urls = parse_image_urls("A.example,b:8080,[::1]:81,[::2]");
  EXPECT_TRUE(urls.has_host("a.example", 80) && urls.has_host("a.example", 443) && urls.has_host("b", 8080));
  EXPECT_TRUE(urls.has_host("[::1]", 81) && urls.has_host("[::2]", 443));
  EXPECT_FALSE(urls.has_host("a.example", 8080) || urls.has_host("b", 80) || urls.has_host("x.a.example", 80));
  for (const char* text : {"", ",", "a,", "public,a", "a,off", "http://a", "a:0", "a:65536", "a:b", "a b", "*", "::1"})
    EXPECT_THAT(error_of([&] { parse_image_urls(text); }), HasSubstr("is none of off, public")) << text;
}

}  // namespace
}  // namespace hearth
