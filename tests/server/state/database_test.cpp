// The state database: what is committed stays, what throws leaves nothing; migrations; files that are not what they
// should be; one daemon a directory.
#include "server/state/database.h"

#include <fstream>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/error.h"
#include "server/state/state_directory.h"
#include "tests/support/error_of.h"
#include "tests/support/temporary_directory.h"

namespace hearth {
namespace {

using test::error_of;
using testing::HasSubstr;

constexpr std::string_view kOne[] = {"CREATE TABLE t (a INTEGER UNIQUE, b TEXT)"};
constexpr std::string_view kTwo[] = {"CREATE TABLE t (a INTEGER UNIQUE, b TEXT)", "ALTER TABLE t ADD COLUMN c REAL"};
constexpr std::string_view kBroken[] = {"CREATE TABLE t (a INTEGER UNIQUE, b TEXT)",
                                        "CREATE TABLE u (a INTEGER); ALTER TABLE nothing ADD COLUMN c REAL"};

int64_t count(Database& database, std::string_view table = "t") {
  return database.transaction([&](SqlTransaction& sql) {
    SqlRows rows = sql.query(fmt::format("SELECT count(*) FROM {}", table));
    rows.next();
    return rows.integer(0);
  });
}

TEST(Database, KeepsWhatIsCommittedAndNothingOfWhatThrows) {
  const test::TemporaryDirectory directory;
  const auto path = directory.path() / "x.sqlite";
  {
    Database database(path, kOne);
    database.transaction([](SqlTransaction& sql) {
      EXPECT_EQ(sql.run("INSERT INTO t VALUES (?, ?)", {1, std::string("a\0b'", 4)}), 1);
    });
    EXPECT_THROW(database.transaction([](SqlTransaction& sql) {
      sql.run("INSERT INTO t VALUES (?, ?)", {2, std::nullopt});
      sql.run("INSERT INTO t VALUES (?, ?)", {1, "taken"});
    }),
                 Error);
    EXPECT_EQ(count(database), 1);
  }
  Database again(path, kOne);
  again.transaction([](SqlTransaction& sql) {
    SqlRows rows = sql.query("SELECT a, b FROM t");
    ASSERT_TRUE(rows.next());
    EXPECT_EQ(rows.integer(0), 1);
    EXPECT_EQ(rows.text(1), std::string("a\0b'", 4));
    EXPECT_FALSE(rows.next());
  });
}

TEST(Database, MigratesOnceAndWholly) {
  const test::TemporaryDirectory directory;
  const auto path = directory.path() / "x.sqlite";
  {
    Database database(path, kOne);
    database.transaction([](SqlTransaction& sql) { sql.run("INSERT INTO t VALUES (1, 'x')"); });
  }
  EXPECT_THROW(Database(path, kBroken), Error);
  {
    Database database(path, kTwo);
    database.transaction([](SqlTransaction& sql) { sql.run("UPDATE t SET c = ?", {2.5}); });
    EXPECT_EQ(count(database), 1);
    EXPECT_EQ(count(database, "sqlite_master WHERE name = 'u'"), 0);
  }
  Database(path, kTwo);
  EXPECT_THAT(error_of([&] { Database(path, kOne); }), HasSubstr("written by a newer one"));
}

TEST(Database, TellsOfWhatIsNoDatabaseAndOfDamage) {
  const test::TemporaryDirectory directory;
  const auto path = directory.path() / "x.sqlite";
  std::ofstream(path) << std::string(5000, 'x');
  EXPECT_THAT(error_of([&] { Database(path, kOne); }), HasSubstr("x.sqlite: file is not a database; move it away"));
  std::filesystem::remove(path);
  {
    Database database(path, kOne);
    database.transaction([](SqlTransaction& sql) {
      for (int i = 0; i < 2000; ++i) sql.run("INSERT INTO t VALUES (?, ?)", {i, std::string(50, 'y')});
    });
  }
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(3 * 4096);
    file << std::string(4096, '\x5a');
  }
  EXPECT_THAT(error_of([&] { Database(path, kOne); }), HasSubstr("move it away and start again"));
  EXPECT_THAT(error_of([&] { Database(directory.path() / "none" / "x.sqlite", kOne); }),
              HasSubstr("cannot be written"));
}

TEST(Database, TransactionsOfThreadsAndOfConnectionsDoNotMix) {
  const test::TemporaryDirectory directory;
  const auto path = directory.path() / "x.sqlite";
  Database database(path, kOne), other(path, kOne);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i)
        (t == 3 ? other : database).transaction([&](SqlTransaction& sql) {
          SqlRows rows = sql.query("SELECT coalesce(max(a), 0) FROM t");
          rows.next();
          sql.run("INSERT INTO t VALUES (?, '')", {rows.integer(0) + 1});
        });
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count(database), 80);
}

TEST(StateDirectory, IsOneDaemonsAndThisUsersAlone) {
  const test::TemporaryDirectory directory;
  const auto path = directory.path() / "state";
  {
    const StateDirectory first(path);
    EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms::owner_all);
    EXPECT_THAT(error_of([&] { StateDirectory second(path); }), HasSubstr("another daemon keeps its jobs there"));
    EXPECT_NO_THROW(open_state_database(path));
  }
  EXPECT_NO_THROW(StateDirectory third(path));
  std::ofstream(directory.path() / "file") << "x";
  EXPECT_THAT(error_of([&] { StateDirectory fourth(directory.path() / "file"); }), HasSubstr("state directory"));
}

}  // namespace
}  // namespace hearth
