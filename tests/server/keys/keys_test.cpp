// Keys at rest and in a running daemon: texts are nowhere but with their owner, changes of another process are seen,
// uses are noted.
#include <fstream>
#include <iterator>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/error.h"
#include "server/keys/database_keys.h"
#include "server/keys/key_table.h"
#include "server/state/state_directory.h"
#include "tests/support/error_of.h"
#include "tests/support/soon.h"
#include "tests/support/temporary_directory.h"

namespace hearth {
namespace {

using namespace std::chrono_literals;
using test::error_of;
using test::soon;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

TEST(Scopes, AreReadAndWrittenAndAdminAllowsAll) {
  EXPECT_EQ(parse_scopes("train,infer").text(), "infer,train");
  EXPECT_TRUE(parse_scopes("admin").allow(Scope::kTrain));
  EXPECT_FALSE(parse_scopes("train").allow(Scope::kInfer));
  EXPECT_FALSE(parse_scopes("infer,train").allow(Scope::kAdmin));
  EXPECT_EQ(error_of([] { parse_scopes("infer,trian"); }),
            "scope 'trian' (did you mean 'train'?): there are infer, train and admin, separated by commas");
  for (const char* wrong : {"", ",", "infer,", "INFER", "infer train"})
    EXPECT_THAT(error_of([&] { parse_scopes(wrong); }), HasSubstr("there are infer, train and admin")) << wrong;
}

TEST(ApiKeyText, IsLongRandomAndPlain) {
  std::set<std::string> texts, characters;
  for (int i = 0; i < 200; ++i) {
    const std::string text = random_key_text();
    EXPECT_THAT(text, MatchesRegex("hearth_[0-9A-Za-z]+"));
    EXPECT_EQ(text.size(), 47u);
    texts.insert(text);
    for (const char c : text.substr(7)) characters.insert(std::string(1, c));
  }
  EXPECT_EQ(texts.size(), 200u);
  EXPECT_EQ(characters.size(), 62u) << "8000 draws miss one of 62 once in 10^55";
  for (const char* wrong : {"", "a b", "configured#1", "a\n", "ä"})
    EXPECT_THAT(error_of([&] { check_key_name(wrong); }), HasSubstr("must have 1 to 64 letters")) << wrong;
}

TEST(KeyTable, KeepsADigestAndNeverTheText) {
  const test::TemporaryDirectory directory;
  std::string text;
  {
    const auto database = open_state_database(directory.path());
    text = create_key(*database, {.name = "one", .scopes = parse_scopes("infer,train"), .requests_per_minute = 7});
    const std::vector<ApiKey> keys = read_keys(*database);
    ASSERT_EQ(keys.size(), 1u);
    EXPECT_EQ(keys[0].name, "one");
    EXPECT_EQ(keys[0].digest, digest_of(text));
    EXPECT_EQ(keys[0].ending, text.substr(text.size() - 4));
    EXPECT_EQ(keys[0].scopes.text(), "infer,train");
    EXPECT_EQ(keys[0].requests_per_minute, 7);
    EXPECT_FALSE(keys[0].last_used_at || keys[0].expires_at || keys[0].revoked_at);
  }
  for (const auto& file : std::filesystem::directory_iterator(directory.path())) {
    std::ifstream in(file.path(), std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(in)), {});
    EXPECT_EQ(bytes.find(text.substr(0, 20)), std::string::npos) << file.path();
  }
}

TEST(KeyTable, NamesAreTakenUntilTheirKeyIsRevoked) {
  const test::TemporaryDirectory directory;
  const auto database = open_state_database(directory.path());
  const std::string first = create_key(*database, {.name = "one", .scopes = Scopes(Scope::kInfer)});
  EXPECT_THAT(error_of([&] { create_key(*database, {.name = "one", .scopes = Scopes(Scope::kInfer)}); }),
              HasSubstr("there is a key 'one': revoke it first"));
  EXPECT_EQ(error_of([&] { revoke_key(*database, "on"); }),
            "there is no key 'on' (did you mean 'one'?); `hearth keys list` shows them");
  revoke_key(*database, "one");
  EXPECT_THAT(error_of([&] { revoke_key(*database, "one"); }), HasSubstr("there is no key 'one'"));
  EXPECT_NE(create_key(*database, {.name = "one", .scopes = Scopes(Scope::kAdmin)}), first);
  const std::vector<ApiKey> keys = read_keys(*database);
  ASSERT_EQ(keys.size(), 2u);
  EXPECT_FALSE(keys[0].is_valid(unix_milliseconds()));
  EXPECT_TRUE(keys[1].is_valid(unix_milliseconds()));
}

TEST(DatabaseKeys, SeeWhatAnotherProcessChangesAndNoteUses) {
  const test::TemporaryDirectory directory;
  const auto daemon = open_state_database(directory.path()), command = open_state_database(directory.path());
  DatabaseKeys keys(*daemon, 5ms, 5ms);
  EXPECT_TRUE(keys.keys()->empty());
  create_key(*command, {.name = "one", .scopes = Scopes(Scope::kInfer)});
  ASSERT_TRUE(soon([&] { return keys.keys()->size() == 1; }));
  keys.used(keys.keys()->front());
  EXPECT_TRUE(soon([&] { return read_keys(*command).front().last_used_at.has_value(); }));
  revoke_key(*command, "one");
  EXPECT_TRUE(soon([&] { return keys.keys()->front().revoked_at.has_value(); }));
}

TEST(DatabaseKeys, WriteUsesWhenTheDaemonEnds) {
  const test::TemporaryDirectory directory;
  const auto database = open_state_database(directory.path());
  create_key(*database, {.name = "one", .scopes = Scopes(Scope::kInfer)});
  {
    DatabaseKeys keys(*database);
    keys.used(keys.keys()->front());
    EXPECT_FALSE(read_keys(*database).front().last_used_at) << "at most once a minute";
  }
  EXPECT_TRUE(read_keys(*database).front().last_used_at);
}

}  // namespace
}  // namespace hearth
