#include "server/state/schema.h"

namespace hearth {
namespace {

// Times are unix milliseconds. `sequence` orders rows as they were made; it is what pages go by.
constexpr std::string_view kJobs = R"sql(
CREATE TABLE jobs (
  sequence        INTEGER PRIMARY KEY AUTOINCREMENT,
  id              TEXT NOT NULL UNIQUE,
  kind            TEXT NOT NULL,           -- what the worker does with spec: 'train'
  state           TEXT NOT NULL,           -- JobState
  wanted          TEXT,                    -- the state that a running job was asked to reach: 'paused', 'cancelled'
  priority        INTEGER NOT NULL,        -- higher first
  created_at      INTEGER NOT NULL,
  started_at      INTEGER,                 -- first
  finished_at     INTEGER,
  not_before      INTEGER NOT NULL DEFAULT 0,
  spec            TEXT NOT NULL,           -- YAML
  directory       TEXT NOT NULL,           -- relative paths in spec start here
  request         TEXT NOT NULL,           -- JSON: what the API has to say of it besides
  owner           TEXT,                    -- name of the key
  idempotency_key TEXT UNIQUE,
  attempt         INTEGER NOT NULL DEFAULT 0,
  crashes         INTEGER NOT NULL DEFAULT 0,  -- in a row, without a step between
  worker          TEXT,                    -- JSON: how the executor finds it; set while an attempt may be running
  taken_in        INTEGER NOT NULL DEFAULT 0,  -- bytes of worker.jsonl
  progress        TEXT NOT NULL DEFAULT '{}',  -- JSON
  result          TEXT,                    -- JSON
  error           TEXT                     -- JSON
);
CREATE INDEX jobs_by_state ON jobs (state, priority DESC, sequence);
CREATE TABLE job_events (
  sequence   INTEGER PRIMARY KEY AUTOINCREMENT,
  id         TEXT NOT NULL UNIQUE,
  job        TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  created_at INTEGER NOT NULL,
  level      TEXT NOT NULL,                -- info, warn, error
  type       TEXT NOT NULL,                -- message, metrics
  message    TEXT NOT NULL,
  data       TEXT NOT NULL DEFAULT '{}'    -- JSON
);
CREATE INDEX job_events_by_job ON job_events (job, sequence);
CREATE TABLE job_checkpoints (
  sequence   INTEGER PRIMARY KEY AUTOINCREMENT,
  id         TEXT NOT NULL UNIQUE,
  job        TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  created_at INTEGER NOT NULL,
  step       INTEGER NOT NULL,
  path       TEXT NOT NULL,
  metrics    TEXT NOT NULL,                -- JSON
  UNIQUE (job, step)
);
)sql";

// A revoked key keeps its row and gives up its name.
constexpr std::string_view kKeys = R"sql(
CREATE TABLE api_keys (
  sequence            INTEGER PRIMARY KEY AUTOINCREMENT,
  name                TEXT NOT NULL,
  digest              TEXT NOT NULL UNIQUE,    -- SHA-256 of the key's text, hexadecimal
  ending              TEXT NOT NULL,           -- its last 4 characters
  scopes              TEXT NOT NULL,           -- 'infer,train'
  requests_per_minute INTEGER,                 -- null: as configured; 0: no limit
  created_at          INTEGER NOT NULL,
  expires_at          INTEGER,
  revoked_at          INTEGER,
  last_used_at        INTEGER
);
CREATE UNIQUE INDEX api_keys_by_name ON api_keys (name) WHERE revoked_at IS NULL;
)sql";

// What was uploaded, and what jobs gave back; the content is files/<id>.
constexpr std::string_view kFiles = R"sql(
CREATE TABLE files (
  sequence   INTEGER PRIMARY KEY AUTOINCREMENT,
  id         TEXT NOT NULL UNIQUE,
  purpose    TEXT NOT NULL,
  filename   TEXT NOT NULL,
  bytes      INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER
);
CREATE INDEX files_by_purpose ON files (purpose, sequence);
CREATE INDEX files_that_expire ON files (expires_at) WHERE expires_at IS NOT NULL;
)sql";

// Served again by the next daemon.
constexpr std::string_view kPulledModels = R"sql(
CREATE TABLE pulled_models (
  name      TEXT PRIMARY KEY,              -- as it was asked for: 'qwen3:0.6b', 'org/name'
  pulled_at INTEGER NOT NULL
);
)sql";

// Responses and chat completions whose clients let them be kept. An item (a message, a call, its output) is one row,
// however many conversations it is part of, and goes with the last of them.
constexpr std::string_view kStoredAnswers = R"sql(
CREATE TABLE stored_answers (
  sequence   INTEGER PRIMARY KEY AUTOINCREMENT,
  id         TEXT NOT NULL UNIQUE,
  kind       TEXT NOT NULL,                -- 'response', 'completion'
  owner      TEXT NOT NULL,                -- name of the key; empty: none was asked for
  model      TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  has_ended  INTEGER NOT NULL,             -- 0: it is being generated in the background
  bytes      INTEGER NOT NULL,             -- of object and pieces
  metadata   TEXT NOT NULL,                -- JSON
  object     TEXT NOT NULL,                -- JSON, without metadata
  pieces     TEXT                          -- JSON: how a response came, for its replay
);
CREATE INDEX stored_answers_by_kind ON stored_answers (kind, sequence);
CREATE TABLE stored_items (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  id       TEXT NOT NULL,
  owner    TEXT NOT NULL,
  bytes    INTEGER NOT NULL,
  item     TEXT NOT NULL                   -- JSON
);
CREATE INDEX stored_items_by_id ON stored_items (id);
CREATE TABLE stored_item_uses (
  answer    INTEGER NOT NULL REFERENCES stored_answers (sequence) ON DELETE CASCADE,
  place     INTEGER NOT NULL,              -- in the conversation
  item      INTEGER NOT NULL REFERENCES stored_items (sequence),
  is_output INTEGER NOT NULL,
  PRIMARY KEY (answer, place)
) WITHOUT ROWID;
CREATE INDEX stored_item_uses_by_item ON stored_item_uses (item);
CREATE TRIGGER stored_items_unused AFTER DELETE ON stored_item_uses
WHEN NOT EXISTS (SELECT 1 FROM stored_item_uses WHERE item = OLD.item)
BEGIN
  DELETE FROM stored_items WHERE sequence = OLD.item;
END;
)sql";

constexpr std::string_view kMigrations[] = {kJobs, kKeys, kFiles, kPulledModels, kStoredAnswers};

}  // namespace

std::span<const std::string_view> migrations() { return kMigrations; }

}  // namespace hearth
