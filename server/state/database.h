// SQLite as the daemon uses it: one file in WAL mode, one connection, every access inside a transaction. What commit()
// has returned from survives a power cut (synchronous=FULL).
#pragma once

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

struct sqlite3;
struct sqlite3_stmt;

namespace hearth {

// A value that is bound to a `?` of a statement.
class SqlValue {
 public:
  SqlValue(std::nullopt_t) {}
  SqlValue(std::integral auto value) : kind_(Kind::kInteger), integer_(static_cast<int64_t>(value)) {}
  SqlValue(double value) : kind_(Kind::kReal), real_(value) {}
  SqlValue(std::string_view value) : kind_(Kind::kText), text_(value) {}
  SqlValue(const std::string& value) : SqlValue(std::string_view(value)) {}
  SqlValue(const char* value) : SqlValue(std::string_view(value)) {}
  template <class Value>
  SqlValue(const std::optional<Value>& value) {
    if (value) *this = SqlValue(*value);
  }

 private:
  friend class SqlRows;
  enum class Kind { kNull, kInteger, kReal, kText };
  Kind kind_ = Kind::kNull;
  int64_t integer_ = 0;
  double real_ = 0;
  std::string_view text_;  // of the caller, for as long as the statement runs
};

// The result of a statement, row by row; columns count from 0.
class SqlRows {
 public:
  ~SqlRows();
  SqlRows(const SqlRows&) = delete;
  SqlRows& operator=(const SqlRows&) = delete;

  bool next();  // the first row too
  bool is_null(int column) const;
  int64_t integer(int column) const;
  double real(int column) const;
  std::string text(int column) const;
  std::optional<int64_t> optional_integer(int column) const;
  std::optional<std::string> optional_text(int column) const;

 private:
  friend class SqlTransaction;
  friend class Database;
  SqlRows(sqlite3* connection, const std::filesystem::path& path, std::string_view sql,
          std::initializer_list<SqlValue> values);
  sqlite3* connection_;
  const std::filesystem::path& path_;
  sqlite3_stmt* statement_ = nullptr;
};

// What a function inside Database::transaction works with.
class SqlTransaction {
 public:
  SqlTransaction(const SqlTransaction&) = delete;
  SqlTransaction& operator=(const SqlTransaction&) = delete;

  // -> rows changed
  int64_t run(std::string_view sql, std::initializer_list<SqlValue> values = {});
  SqlRows query(std::string_view sql, std::initializer_list<SqlValue> values = {}) {
    return SqlRows(connection_, path_, sql, values);
  }
  int64_t last_row_id() const;

 private:
  friend class Database;
  SqlTransaction(sqlite3* connection, const std::filesystem::path& path) : connection_(connection), path_(path) {}
  sqlite3* connection_;
  const std::filesystem::path& path_;
};

class Database {
 public:
  // Makes the file where it is missing, checks its integrity, and runs those of `migrations` that it has not seen, each
  // in a transaction of its own; the list only ever grows at its end. Throws kDataCorruption, kFailedPrecondition for a
  // file of a newer hearth, kUnavailable with the system's reason (read-only, full).
  Database(std::filesystem::path path, std::span<const std::string_view> migrations);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Thread-safe, not to be nested. Calls function(SqlTransaction&) and commits; whatever is thrown undoes it all.
  // Throws kUnavailable where the system refuses (disk full).
  template <class Function>
  auto transaction(Function&& function) {
    const std::lock_guard lock(mutex_);
    Scope scope(*this);
    SqlTransaction transaction(connection_, path_);
    if constexpr (std::is_void_v<decltype(function(transaction))>) {
      function(transaction);
      scope.commit();
    } else {
      auto result = function(transaction);
      scope.commit();
      return result;
    }
  }

  const std::filesystem::path& path() const { return path_; }

 private:
  class Scope {
   public:
    explicit Scope(Database& database);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    void commit();

   private:
    Database& database_;
    bool open_ = true;
  };

  void execute(const char* sql);
  void check_integrity();
  void migrate(std::span<const std::string_view> migrations);

  std::filesystem::path path_;
  sqlite3* connection_ = nullptr;
  std::mutex mutex_;
};

}  // namespace hearth
