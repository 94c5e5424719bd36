#include "server/stored/answer_store.h"

#include <algorithm>
#include <utility>

#include "runtime/base/error.h"
#include "server/http_types.h"
#include "server/state/clock.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kSweepShare = 64;  // of max_bytes that may be added between two sweeps
constexpr std::string_view kColumns = "kind, owner, object, metadata, pieces, has_ended";

std::string_view name_of(AnswerKind kind) { return kind == AnswerKind::kResponse ? "response" : "completion"; }

StoredAnswer answer_of(const SqlRows& row) {
  StoredAnswer answer{.kind = row.text(0) == "response" ? AnswerKind::kResponse : AnswerKind::kCompletion,
                      .owner = row.text(1),
                      .object = Json::parse(row.text(2)),
                      .has_ended = row.integer(5) != 0};
  answer.object["metadata"] = Json::parse(row.text(3));
  if (const auto pieces = row.optional_text(4)) answer.pieces = Json::parse(*pieces);
  return answer;
}

Error no_answer(AnswerKind kind, std::string_view id) {
  return not_found("there is no {} '{}': it was not stored, has expired, or is another key's",
                   kind == AnswerKind::kResponse ? "response" : "chat completion", id.substr(0, 64));
}

// -> the row's number
int64_t require(SqlTransaction& sql, AnswerKind kind, std::string_view owner, std::string_view id) {
  SqlRows rows = sql.query("SELECT sequence FROM stored_answers WHERE id = ? AND kind = ? AND owner = ?",
                           {id, name_of(kind), owner});
  if (!rows.next()) throw no_answer(kind, id);
  return rows.integer(0);
}

struct AnswerText {
  std::string object, metadata;
  std::optional<std::string> pieces;
  int64_t bytes() const { return static_cast<int64_t>(object.size() + (pieces ? pieces->size() : 0)); }
};

AnswerText text_of(const StoredAnswer& answer) {
  Json object = answer.object;
  const Json metadata = std::exchange(object["metadata"], nullptr);
  object.erase("metadata");
  return {to_text(object), to_text(metadata),
          answer.pieces.is_null() ? std::nullopt : std::optional(to_text(answer.pieces))};
}

bool is_there(SqlTransaction& sql, int64_t item) {
  return item != 0 && sql.query("SELECT 1 FROM stored_items WHERE sequence = ?", {item}).next();
}

// Behind what the conversation has already. -> bytes that were added
int64_t add_items(SqlTransaction& sql, int64_t answer, const std::string& owner, const std::vector<StoredItem>& items,
                  bool is_output) {
  SqlRows last = sql.query("SELECT COALESCE(MAX(place), -1) FROM stored_item_uses WHERE answer = ?", {answer});
  last.next();
  int64_t place = last.integer(0), bytes = 0;
  for (const StoredItem& item : items) {
    int64_t sequence = item.sequence;
    if (!is_there(sql, sequence)) {  // it is new, or went with its answer a moment ago
      const std::string text = to_text(item.item);
      bytes += static_cast<int64_t>(text.size());
      sql.run("INSERT INTO stored_items (id, owner, bytes, item) VALUES (?, ?, ?, ?)",
              {item.item.at("id").get_ref<const std::string&>(), owner, text.size(), text});
      sequence = sql.last_row_id();
    }
    sql.run("INSERT INTO stored_item_uses (answer, place, item, is_output) VALUES (?, ?, ?, ?)",
            {answer, ++place, sequence, is_output});
  }
  return bytes;
}

int64_t number(SqlTransaction& sql, std::string_view query) {
  SqlRows rows = sql.query(query);
  rows.next();
  return rows.integer(0);
}

int64_t bytes_of_all(SqlTransaction& sql) {
  return number(sql,
                "SELECT (SELECT COALESCE(SUM(bytes), 0) FROM stored_answers) + "
                "(SELECT COALESCE(SUM(bytes), 0) FROM stored_items)");
}

}  // namespace

AnswerStore::AnswerStore(Database& database, AnswerStoreOptions options)
    : database_(database), options_(std::move(options)) {
  if (!options_.now) options_.now = unix_milliseconds;
  sweep();
}

void AnswerStore::add(const StoredAnswer& answer, const std::vector<StoredItem>& input,
                      const std::vector<StoredItem>& output) {
  const AnswerText text = text_of(answer);
  const int64_t items = database_.transaction([&](SqlTransaction& sql) {
    sql.run(
        "INSERT INTO stored_answers (id, kind, owner, model, created_at, has_ended, bytes, metadata, object, pieces) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        {answer.object.at("id").get_ref<const std::string&>(), name_of(answer.kind), answer.owner,
         answer.object.at("model").get_ref<const std::string&>(), options_.now(), answer.has_ended, text.bytes(),
         text.metadata, text.object, text.pieces});
    const int64_t row = sql.last_row_id();
    return add_items(sql, row, answer.owner, input, false) + add_items(sql, row, answer.owner, output, true);
  });
  sweep_after(text.bytes() + items);
}

void AnswerStore::finish(const StoredAnswer& answer, const std::vector<StoredItem>& output) {
  const AnswerText text = text_of(answer);
  const std::string& id = answer.object.at("id").get_ref<const std::string&>();
  const int64_t items = database_.transaction([&](SqlTransaction& sql) -> int64_t {
    if (sql.run("UPDATE stored_answers SET has_ended = 1, bytes = ?, object = ?, pieces = ? "
                "WHERE id = ? AND has_ended = 0",
                {text.bytes(), text.object, text.pieces, id}) == 0)
      return 0;
    return add_items(sql, require(sql, answer.kind, answer.owner, id), answer.owner, output, true);
  });
  sweep_after(text.bytes() + items);
}

std::vector<StoredAnswer> AnswerStore::unfinished() {
  return database_.transaction([&](SqlTransaction& sql) {
    std::vector<StoredAnswer> answers;
    SqlRows rows = sql.query(fmt::format("SELECT {} FROM stored_answers WHERE has_ended = 0", kColumns));
    while (rows.next()) answers.push_back(answer_of(rows));
    return answers;
  });
}

StoredAnswer AnswerStore::get(AnswerKind kind, std::string_view owner, std::string_view id) {
  return database_.transaction([&](SqlTransaction& sql) {
    SqlRows rows =
        sql.query(fmt::format("SELECT {} FROM stored_answers WHERE id = ? AND kind = ? AND owner = ?", kColumns),
                  {id, name_of(kind), owner});
    if (!rows.next()) throw no_answer(kind, id);
    return answer_of(rows);
  });
}

void AnswerStore::remove(AnswerKind kind, std::string_view owner, std::string_view id) {
  database_.transaction([&](SqlTransaction& sql) {
    sql.run("DELETE FROM stored_answers WHERE sequence = ?", {require(sql, kind, owner, id)});
  });
}

void AnswerStore::set_metadata(AnswerKind kind, std::string_view owner, std::string_view id, const Json& metadata) {
  database_.transaction([&](SqlTransaction& sql) {
    sql.run("UPDATE stored_answers SET metadata = ? WHERE sequence = ?",
            {to_text(metadata), require(sql, kind, owner, id)});
  });
}

std::vector<StoredItem> AnswerStore::conversation(AnswerKind kind, std::string_view owner, std::string_view id,
                                                  bool with_output) {
  return database_.transaction([&](SqlTransaction& sql) {
    SqlRows rows = sql.query(
        "SELECT i.item, i.sequence FROM stored_item_uses AS u JOIN stored_items AS i ON i.sequence = u.item "
        "WHERE u.answer = ? AND (? OR NOT u.is_output) ORDER BY u.place",
        {require(sql, kind, owner, id), with_output});
    std::vector<StoredItem> items;
    while (rows.next()) items.push_back({Json::parse(rows.text(0)), rows.integer(1)});
    return items;
  });
}

std::vector<Json> AnswerStore::list(const AnswerQuery& query) {
  return database_.transaction([&](SqlTransaction& sql) {
    std::optional<int64_t> cursor;
    if (query.after) cursor = require(sql, query.kind, query.owner, *query.after);
    const std::string wanted = query.metadata.empty() ? "{}" : to_text(Json(query.metadata));
    SqlRows rows = sql.query(
        fmt::format("SELECT {} FROM stored_answers WHERE kind = ?1 AND owner = ?2 AND (?3 = '' OR model = ?3) "
                    "AND (?4 IS NULL OR sequence {} ?4) "
                    "AND NOT EXISTS (SELECT 1 FROM json_each(?5) AS w WHERE NOT EXISTS (SELECT 1 FROM "
                    "json_each(metadata) AS m WHERE m.key = w.key AND m.value = w.value)) "
                    "ORDER BY sequence {} LIMIT ?6",
                    kColumns, query.oldest_first ? ">" : "<", query.oldest_first ? "ASC" : "DESC"),
        {name_of(query.kind), query.owner, query.model, cursor, wanted, query.limit});
    std::vector<Json> objects;
    while (rows.next()) objects.push_back(answer_of(rows).object);
    return objects;
  });
}

std::optional<StoredItem> AnswerStore::find_item(std::string_view owner, std::string_view id) {
  return database_.transaction([&](SqlTransaction& sql) -> std::optional<StoredItem> {
    SqlRows rows =
        sql.query("SELECT item, sequence FROM stored_items WHERE id = ? AND owner = ? ORDER BY sequence DESC LIMIT 1",
                  {id, owner});
    if (!rows.next()) return std::nullopt;
    return StoredItem{Json::parse(rows.text(0)), rows.integer(1)};
  });
}

void AnswerStore::sweep() {
  added_bytes_ = 0;
  database_.transaction([&](SqlTransaction& sql) {
    const int64_t retention = std::chrono::milliseconds(options_.retention).count();
    sql.run("DELETE FROM stored_answers WHERE created_at <= ?", {options_.now() - retention});
    while (bytes_of_all(sql) > options_.max_bytes) {
      const int64_t some = 1 + number(sql, "SELECT COUNT(*) FROM stored_answers") / kSweepShare;
      if (sql.run("DELETE FROM stored_answers WHERE sequence IN (SELECT sequence FROM stored_answers "
                  "ORDER BY sequence LIMIT ?)",
                  {some}) == 0)
        return;
    }
  });
}

void AnswerStore::sweep_after(int64_t added_bytes) {
  if ((added_bytes_ += added_bytes) > options_.max_bytes / kSweepShare) sweep();
}

}  // namespace hearth
