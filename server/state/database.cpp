#include "server/state/database.h"

#include <utility>

#include <sqlite3.h>

#include "runtime/base/error.h"

namespace hearth {
namespace {

Error failure(sqlite3* connection, int code, const std::filesystem::path& path) {
  const std::string reason = connection ? sqlite3_errmsg(connection) : sqlite3_errstr(code);
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return data_corruption(
          "{}: {}; move it away and start again: outputs of jobs stay where they are, the list of jobs begins anew",
          path.string(), reason);
    case SQLITE_FULL:
      return unavailable("{}: the disk is full", path.string());
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return unavailable("{}: cannot be written ({}); is its directory this user's and not read-only?", path.string(),
                         reason);
    case SQLITE_IOERR:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM:
      return unavailable("{}: {}", path.string(), reason);
    default:
      return internal_error("{}: {}", path.string(), reason);
  }
}

}  // namespace

SqlRows::SqlRows(sqlite3* connection, const std::filesystem::path& path, std::string_view sql,
                 std::initializer_list<SqlValue> values)
    : connection_(connection), path_(path) {
  int code = sqlite3_prepare_v2(connection, sql.data(), static_cast<int>(sql.size()), &statement_, /*pzTail=*/nullptr);
  int index = 0;
  for (const SqlValue& value : values) {
    if (code != SQLITE_OK) break;
    ++index;
    switch (value.kind_) {
      case SqlValue::Kind::kNull:
        code = sqlite3_bind_null(statement_, index);
        break;
      case SqlValue::Kind::kInteger:
        code = sqlite3_bind_int64(statement_, index, value.integer_);
        break;
      case SqlValue::Kind::kReal:
        code = sqlite3_bind_double(statement_, index, value.real_);
        break;
      case SqlValue::Kind::kText:
        code = sqlite3_bind_text64(statement_, index, value.text_.data(), value.text_.size(), SQLITE_TRANSIENT,
                                   SQLITE_UTF8);
        break;
    }
  }
  if (code == SQLITE_OK) return;
  const Error error = failure(connection, code, path);
  sqlite3_finalize(statement_);
  throw Error(error);
}

SqlRows::~SqlRows() { sqlite3_finalize(statement_); }

bool SqlRows::next() {
  const int code = sqlite3_step(statement_);
  if (code != SQLITE_ROW && code != SQLITE_DONE) throw failure(connection_, code, path_);
  return code == SQLITE_ROW;
}

bool SqlRows::is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
int64_t SqlRows::integer(int column) const { return sqlite3_column_int64(statement_, column); }
double SqlRows::real(int column) const { return sqlite3_column_double(statement_, column); }

std::string SqlRows::text(int column) const {
  const auto* begin = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return begin ? std::string(begin, static_cast<size_t>(sqlite3_column_bytes(statement_, column))) : std::string();
}

std::optional<int64_t> SqlRows::optional_integer(int column) const {
  return is_null(column) ? std::nullopt : std::optional(integer(column));
}

std::optional<std::string> SqlRows::optional_text(int column) const {
  return is_null(column) ? std::nullopt : std::optional(text(column));
}

int64_t SqlTransaction::run(std::string_view sql, std::initializer_list<SqlValue> values) {
  SqlRows rows(connection_, path_, sql, values);
  while (rows.next()) {
  }
  return sqlite3_changes64(connection_);
}

int64_t SqlTransaction::last_row_id() const { return sqlite3_last_insert_rowid(connection_); }

Database::Scope::Scope(Database& database) : database_(database) { database_.execute("BEGIN IMMEDIATE"); }

Database::Scope::~Scope() {
  // Where the statement that failed has ended the transaction itself, there is nothing to roll back.
  if (open_ && sqlite3_get_autocommit(database_.connection_) == 0)
    sqlite3_exec(database_.connection_, "ROLLBACK", nullptr, nullptr, nullptr);
}

void Database::Scope::commit() {
  database_.execute("COMMIT");
  open_ = false;
}

Database::Database(std::filesystem::path path, std::span<const std::string_view> migrations) : path_(std::move(path)) {
  const int code = sqlite3_open_v2(path_.c_str(), &connection_,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, nullptr);
  try {
    if (code != SQLITE_OK) throw failure(connection_, code, path_);
    sqlite3_extended_result_codes(connection_, 1);
    sqlite3_busy_timeout(connection_, /*ms=*/5000);  // `hearth keys` writes while the daemon runs
    execute("PRAGMA journal_mode=WAL");
    execute("PRAGMA synchronous=FULL");
    execute("PRAGMA foreign_keys=ON");
    check_integrity();
    migrate(migrations);
  } catch (...) {
    sqlite3_close_v2(connection_);
    throw;
  }
}

Database::~Database() { sqlite3_close_v2(connection_); }

void Database::execute(const char* sql) {
  const int code = sqlite3_exec(connection_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) throw failure(connection_, code, path_);
}

void Database::check_integrity() {
  SqlRows rows(connection_, path_, "PRAGMA integrity_check(1)", {});
  if (!rows.next() || rows.text(0) == "ok") return;
  throw data_corruption(
      "{}: {}; move it away and start again: outputs of jobs stay where they are, the list of jobs begins anew",
      path_.string(), rows.text(0));
}

void Database::migrate(std::span<const std::string_view> migrations) {
  const auto known = static_cast<int64_t>(migrations.size());
  const int64_t seen = [&] {
    SqlRows rows(connection_, path_, "PRAGMA user_version", {});
    return rows.next() ? rows.integer(0) : 0;
  }();
  if (seen > known)
    throw failed_precondition("{}: has version {} of the tables, this hearth knows {}: it was written by a newer one",
                              path_.string(), seen, known);
  for (int64_t version = seen; version < known; ++version)
    transaction([&](SqlTransaction&) {
      // A process that opened it at the same time may have been first.
      SqlRows rows(connection_, path_, "PRAGMA user_version", {});
      if (rows.next() && rows.integer(0) > version) return;
      execute(std::string(migrations[static_cast<size_t>(version)]).c_str());
      execute(fmt::format("PRAGMA user_version={}", version + 1).c_str());
    });
}

}  // namespace hearth
