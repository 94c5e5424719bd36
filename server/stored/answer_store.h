// Responses and chat completions that their clients let the daemon keep, in the state database: each with the
// conversation that led to it. A key sees what it stored itself. Answers go when they are older than the retention, and
// the oldest first when all together take too much; an item that a younger conversation has too stays with that one.
// Thread-safe.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "server/state/database.h"

namespace hearth {

enum class AnswerKind { kResponse, kCompletion };

struct AnswerStoreOptions {
  std::chrono::hours retention{30 * 24};  // 0: nothing is kept
  int64_t max_bytes = int64_t{1} << 30;   // of all answers and their conversations; may be passed by a 64th for moments
  std::function<int64_t()> now = {};      // unix milliseconds; empty: the clock
};

// A message, a call of a function, its output; has an "id".
struct StoredItem {
  nlohmann::ordered_json item;
  int64_t sequence = 0;  // where it is stored already; 0: nowhere
};

struct StoredAnswer {
  AnswerKind kind = AnswerKind::kResponse;
  std::string owner;                        // name of the key; empty: none was asked for
  nlohmann::ordered_json object;            // as clients see it: with id, model and metadata (an object)
  nlohmann::ordered_json pieces = nullptr;  // how a response came (server/responses/response_pieces.h)
  bool has_ended = true;
};

struct AnswerQuery {
  AnswerKind kind = AnswerKind::kCompletion;
  std::string owner;
  std::string model = {};                            // empty: of all
  std::map<std::string, std::string> metadata = {};  // that they have
  std::optional<std::string> after = {};             // id of the last one of the page before
  int limit = 20;
  bool oldest_first = false;
};

class AnswerStore {
 public:
  // `database` outlives it. Removes what has expired.
  explicit AnswerStore(Database& database, AnswerStoreOptions options = {});

  bool keeps_answers() const { return options_.retention.count() > 0; }

  // `input` led to the answer, `output` is what it adds to the conversation.
  void add(const StoredAnswer& answer, const std::vector<StoredItem>& input, const std::vector<StoredItem>& output);
  // Of one that was added before it ended. Nothing happens where it was removed meanwhile.
  void finish(const StoredAnswer& answer, const std::vector<StoredItem>& output);
  // Those that were added and have not ended, of all owners.
  std::vector<StoredAnswer> unfinished();

  // These throw kNotFound, for another's answer too.
  StoredAnswer get(AnswerKind kind, std::string_view owner, std::string_view id);
  void remove(AnswerKind kind, std::string_view owner, std::string_view id);
  void set_metadata(AnswerKind kind, std::string_view owner, std::string_view id,
                    const nlohmann::ordered_json& metadata);
  // In order; with the answer's own output or without.
  std::vector<StoredItem> conversation(AnswerKind kind, std::string_view owner, std::string_view id, bool with_output);
  // Objects. Throws kNotFound where there is no answer `after`.
  std::vector<nlohmann::ordered_json> list(const AnswerQuery& query);
  // The newest of that id.
  std::optional<StoredItem> find_item(std::string_view owner, std::string_view id);

  // Removes what has expired, and the oldest while all together have too many bytes.
  void sweep();

 private:
  void sweep_after(int64_t added_bytes);

  Database& database_;
  AnswerStoreOptions options_;
  std::atomic<int64_t> added_bytes_{0};  // since the last sweep
};

}  // namespace hearth
