#include "server/paging.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/api_error.h"

namespace hearth {
namespace {

constexpr PageRule kRule{.default_limit = 20, .max_limit = 100};

// The param of the error, or "none".
std::string refused(std::string_view query) {
  try {
    read_page(Query(query), kRule);
  } catch (const ApiError& error) {
    EXPECT_EQ(error_reply(error).status, 400) << query;
    return error.details().param;
  }
  return "none";
}

TEST(Query, IsDecodedOnceAndTheLastOfANameCounts) {
  const Query query("metadata%5Bk%5D=a+b%2B%2525&x=1&&flag&x=2&empty=");
  EXPECT_EQ(query.get("metadata[k]"), "a b+%25");
  EXPECT_EQ(query.get("x"), "2");
  EXPECT_EQ(query.get("flag"), std::nullopt);
  EXPECT_EQ(query.get("empty"), std::nullopt);
  EXPECT_EQ(query.entries().size(), 5);
  for (const char* wrong : {"a=%", "a=%2", "a=%2x", "%g0=1", "a=%2&b=0"}) EXPECT_THROW(Query{wrong}, Error) << wrong;
}

TEST(Paging, ReadsLimitAfterAndOrder) {
  const Page page = read_page(Query("limit=3&after=file-x&order=asc"), kRule);
  EXPECT_EQ(page.limit, 3);
  EXPECT_EQ(page.rows(), 4);
  EXPECT_EQ(page.after, "file-x");
  EXPECT_EQ(page.order, PageOrder::kOldestFirst);
  const Page other = read_page(Query(""), kRule);
  EXPECT_EQ(other.limit, 20);
  EXPECT_EQ(other.after, "");
  EXPECT_EQ(other.order, PageOrder::kNewestFirst);
}

TEST(Paging, NamesTheFieldThatIsWrongAndClampsNothing) {
  for (const char* limit : {"limit=0", "limit=101", "limit=-1", "limit=x", "limit=1.5", "limit=99999999999", "limit=+"})
    EXPECT_EQ(refused(limit), "limit") << limit;
  EXPECT_EQ(refused("order=up"), "order");
  EXPECT_EQ(refused("limit=100&order=desc"), "none");
}

TEST(Paging, OneRowTooManyMeansThatThereAreMore) {
  const auto rows = nlohmann::ordered_json::parse(R"([{"id": "a"}, {"id": "b"}, {"id": "c"}])");
  EXPECT_EQ(list_object(rows, {.limit = 2}).dump(),
            R"({"object":"list","first_id":"a","last_id":"b","has_more":true,"data":[{"id":"a"},{"id":"b"}]})");
  EXPECT_EQ(list_object(rows, {.limit = 3})["has_more"], false);
  EXPECT_EQ(list_object(nlohmann::ordered_json::array(), {.limit = 3}).dump(),
            R"({"object":"list","first_id":null,"last_id":null,"has_more":false,"data":[]})");
}

}  // namespace
}  // namespace hearth
