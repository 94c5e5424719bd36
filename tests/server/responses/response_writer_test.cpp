// The order of a response's events, what they add up to, and that what is kept of them gives the same events again.
#include "server/responses/response_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/error.h"
#include "server/responses/response_object.h"

namespace hearth {
namespace {

using nlohmann::ordered_json;
using testing::ElementsAre;
using Kind = ChatPiece::Kind;

struct Written {
  std::vector<ordered_json> events;
  ordered_json response;
};

ordered_json beginning(bool in_background) { return as_begun({{"id", "resp_1"}, {"background", in_background}}); }

Written write(const std::vector<ResponsePiece>& pieces, bool in_background = false) {
  Written out;
  ResponseWriter writer(beginning(in_background), [&](const ordered_json& event) { out.events.push_back(event); });
  writer.begin();
  for (const ResponsePiece& piece : pieces) writer.take(piece);
  writer.stop();
  const bool has_ended = !pieces.empty() && pieces.back().kind == Kind::kFinished;
  out.response = has_ended ? ended_response(beginning(in_background), writer.output(), {5, 2, 3, 1}, pieces.back().text)
                           : failed_response(beginning(in_background), writer.output(), unavailable("it broke"));
  writer.end(out.response);
  return out;
}

std::vector<std::string> types(const Written& written) {
  std::vector<std::string> out;
  for (size_t i = 0; i < written.events.size(); ++i) {
    EXPECT_EQ(written.events[i]["sequence_number"], i);
    std::string type = written.events[i]["type"];
    out.push_back(type.starts_with("response.") ? type.substr(9) : type);
  }
  return out;
}

const std::vector<ResponsePiece> kEverything = {
    {Kind::kReasoning, "I "}, {Kind::kReasoning, "think"},     {Kind::kText, "Let me"},
    {Kind::kText, " see"},    {Kind::kCall, "look", "call_1"}, {Kind::kArguments, "{\"a\":"},
    {Kind::kArguments, "1}"}, {Kind::kCall, "wait", "call_2"}, {Kind::kFinished, "tool_calls"}};

TEST(ResponseWriter, WritesItemsInTheOrderOfOpenAisStreams) {
  const Written written = write(kEverything);
  EXPECT_THAT(types(written),
              ElementsAre("created", "in_progress",                                                                //
                          "output_item.added", "content_part.added", "reasoning_text.delta",                       //
                          "reasoning_text.delta", "reasoning_text.done", "content_part.done", "output_item.done",  //
                          "output_item.added", "content_part.added", "output_text.delta",                          //
                          "output_text.delta", "output_text.done", "content_part.done", "output_item.done",        //
                          "output_item.added", "function_call_arguments.delta",                                    //
                          "function_call_arguments.delta", "function_call_arguments.done", "output_item.done",     //
                          "output_item.added", "function_call_arguments.done", "output_item.done",                 //
                          "completed"));
  const ordered_json& output = written.response["output"];
  ASSERT_EQ(output.size(), 4u);
  EXPECT_EQ(output[0]["content"][0]["text"], "I think");
  EXPECT_TRUE(output[0]["summary"].empty());
  EXPECT_EQ(output[1]["content"][0]["text"], "Let me see");
  EXPECT_EQ(output[2]["arguments"], "{\"a\":1}");
  EXPECT_EQ(output[2]["call_id"], "call_1");
  EXPECT_EQ(output[3]["name"], "wait");
  EXPECT_EQ(written.events.back()["response"], written.response);
  EXPECT_EQ(written.response["usage"], ordered_json::parse(R"({"input_tokens": 5,
    "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 0}, "output_tokens": 3,
    "output_tokens_details": {"reasoning_tokens": 1}, "total_tokens": 8})"));
}

TEST(ResponseWriter, ItemsOfEventsAreThoseOfTheOutput) {
  const Written written = write(kEverything);
  for (const ordered_json& event : written.events) {
    if (!event.contains("output_index")) continue;
    const ordered_json& item = written.response["output"][event["output_index"].get<size_t>()];
    EXPECT_EQ(event.value("item_id", item["id"]), item["id"]);
    if (!event.contains("item")) continue;
    const bool has_ended = event["type"] == "response.output_item.done";
    EXPECT_EQ(event["item"]["status"], has_ended ? "completed" : "in_progress");
    EXPECT_TRUE(!has_ended || event["item"] == item);
  }
}

TEST(ResponseWriter, WhatIsCutIsIncomplete) {
  const Written written = write({{Kind::kText, "and then"}, {Kind::kFinished, "length"}});
  EXPECT_EQ(types(written).back(), "incomplete");
  EXPECT_EQ(written.response["status"], "incomplete");
  EXPECT_EQ(written.response["incomplete_details"]["reason"], "max_output_tokens");
  EXPECT_EQ(written.response["output"][0]["status"], "incomplete");
}

TEST(ResponseWriter, AnAnswerWithoutAWordIsAnEmptyMessage) {
  const Written written = write({{Kind::kFinished, "stop"}});
  ASSERT_EQ(written.response["output"].size(), 1u);
  EXPECT_EQ(written.response["output"][0]["content"][0]["text"], "");
  EXPECT_EQ(types(written).back(), "completed");
}

TEST(ResponseWriter, AFailureEndsWhatWasOpenAndSaysWhy) {
  const Written written = write({{Kind::kText, "half"}});
  EXPECT_THAT(types(written),
              ElementsAre("created", "in_progress", "output_item.added", "content_part.added", "output_text.delta",
                          "output_text.done", "content_part.done", "output_item.done", "error", "failed"));
  EXPECT_EQ(written.response["error"], ordered_json::parse(R"({"code": "server_error", "message": "it broke"})"));
  EXPECT_EQ(written.response["output"][0]["status"], "incomplete");
  EXPECT_EQ(written.events[written.events.size() - 2]["message"], "it broke");
}

TEST(ResponseWriter, WhatIsKeptGivesTheSameEvents) {
  std::vector<ResponsePiece> with_logprobs = kEverything;
  with_logprobs[2].logprobs =
      ordered_json::parse(R"([{"token": "Let", "logprob": -1.5, "bytes": [76], "top_logprobs": []}])");
  for (const bool in_background : {false, true})
    for (const auto& pieces : {kEverything, with_logprobs, {{Kind::kText, "half"}}, {}}) {
      const Written written = write(pieces, in_background);
      std::vector<ordered_json> again;
      const ordered_json kept = ordered_json::parse(pieces_json(pieces).dump());
      replay_response(written.response, kept, [&](const ordered_json& event) { again.push_back(event); });
      EXPECT_EQ(again, written.events);
    }
}

TEST(ResponseWriter, InTheBackgroundItIsQueuedFirst) {
  const Written written = write({{Kind::kFinished, "stop"}}, true);
  EXPECT_EQ(written.events[0]["response"]["status"], "queued");
  EXPECT_EQ(written.events[1]["type"], "response.queued");
  EXPECT_EQ(written.events[2]["response"]["status"], "in_progress");
}

}  // namespace
}  // namespace hearth
