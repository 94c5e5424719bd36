#include "server/stored/answer_store.h"

#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/error.h"
#include "server/state/schema.h"
#include "tests/support/temporary_directory.h"

namespace hearth {
namespace {

using nlohmann::ordered_json;
using testing::ElementsAre;

constexpr auto kKind = AnswerKind::kResponse;

class AnswerStoreTest : public testing::Test {
 protected:
  void open(std::chrono::hours retention = std::chrono::hours(24), int64_t max_bytes = 1 << 20) {
    store.reset();
    store = std::make_unique<AnswerStore>(database, AnswerStoreOptions{retention, max_bytes, [this] { return now; }});
  }
  static ordered_json item(const std::string& id, size_t bytes = 10) {
    return {{"id", id}, {"text", std::string(bytes, 'x')}};
  }
  static StoredAnswer answer(const std::string& id) {
    return {.kind = kKind, .owner = "me", .object = {{"id", id}, {"model", "m"}, {"metadata", ordered_json::object()}}};
  }
  bool has(const std::string& id) {
    try {
      store->get(kKind, "me", id);
      return true;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kNotFound);
      return false;
    }
  }
  int64_t count(const std::string& table) {
    return database.transaction([&](SqlTransaction& sql) {
      SqlRows rows = sql.query("SELECT COUNT(*) FROM " + table);
      rows.next();
      return rows.integer(0);
    });
  }
  std::vector<std::string> conversation(const std::string& id, bool with_output) {
    std::vector<std::string> ids;
    for (const StoredItem& item : store->conversation(kKind, "me", id, with_output)) ids.push_back(item.item["id"]);
    return ids;
  }

  test::TemporaryDirectory directory;
  Database database{directory.path() / "state.sqlite", migrations()};
  int64_t now = 1'000'000'000;
  std::unique_ptr<AnswerStore> store;
};

TEST_F(AnswerStoreTest, ConversationsShareTheirItems) {
  open();
  store->add(answer("a"), {{item("1")}}, {{item("2")}});
  std::vector<StoredItem> longer = store->conversation(kKind, "me", "a", true);
  longer.push_back({item("3")});
  store->add(answer("b"), longer, {{item("4")}});
  EXPECT_EQ(count("stored_items"), 4);
  EXPECT_THAT(conversation("b", true), ElementsAre("1", "2", "3", "4"));
  EXPECT_THAT(conversation("b", false), ElementsAre("1", "2", "3"));
  store->remove(kKind, "me", "a");
  EXPECT_THAT(conversation("b", true), ElementsAre("1", "2", "3", "4"));
  // What was looked up before it was removed is stored again.
  const std::vector<StoredItem> gone = store->conversation(kKind, "me", "b", true);
  store->remove(kKind, "me", "b");
  EXPECT_EQ(count("stored_items"), 0);
  EXPECT_EQ(count("stored_item_uses"), 0);
  store->add(answer("c"), gone, {});
  EXPECT_THAT(conversation("c", true), ElementsAre("1", "2", "3", "4"));
}

TEST_F(AnswerStoreTest, WhatIsAnothersIsNotThere) {
  open();
  store->add(answer("a"), {{item("1")}}, {});
  EXPECT_THROW(store->get(kKind, "you", "a"), Error);
  EXPECT_THROW(store->get(AnswerKind::kCompletion, "me", "a"), Error);
  EXPECT_THROW(store->remove(kKind, "you", "a"), Error);
  EXPECT_FALSE(store->find_item("you", "1"));
  EXPECT_TRUE(store->find_item("me", "1"));
}

TEST_F(AnswerStoreTest, WhatIsTooOldGoes) {
  open(std::chrono::hours(24));
  store->add(answer("old"), {{item("1")}}, {});
  now += 23 * 3'600'000;
  store->add(answer("new"), {}, {});
  now += 3'600'000;
  store->sweep();
  EXPECT_FALSE(has("old"));
  EXPECT_TRUE(has("new"));
  EXPECT_EQ(count("stored_items"), 0);
  open(std::chrono::hours(0));
  EXPECT_FALSE(store->keeps_answers());
  EXPECT_FALSE(has("new"));
}

TEST_F(AnswerStoreTest, TheOldestGoWhenAllTakeTooMuch) {
  open(std::chrono::hours(24), 10'000);
  for (int i = 0; i < 30; ++i) store->add(answer("a" + std::to_string(i)), {{item("i", 1000)}}, {});
  EXPECT_FALSE(has("a0"));
  EXPECT_FALSE(has("a20"));
  EXPECT_TRUE(has("a25"));
  EXPECT_TRUE(has("a29"));
}

TEST_F(AnswerStoreTest, AnAnswerEndsOnce) {
  open();
  StoredAnswer running = answer("a");
  running.has_ended = false;
  store->add(running, {{item("1")}}, {});
  ASSERT_EQ(store->unfinished().size(), 1u);
  running.object["status"] = "completed";
  running.pieces = ordered_json::array();
  store->finish(running, {{item("2")}});
  EXPECT_TRUE(store->unfinished().empty());
  EXPECT_EQ(store->get(kKind, "me", "a").object["status"], "completed");
  EXPECT_THAT(conversation("a", true), ElementsAre("1", "2"));
  store->remove(kKind, "me", "a");
  store->finish(running, {{item("2")}});
  EXPECT_FALSE(has("a"));
  EXPECT_EQ(count("stored_items"), 0);
}

}  // namespace
}  // namespace hearth
