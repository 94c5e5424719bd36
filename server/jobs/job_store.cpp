#include "server/jobs/job_store.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/ranges.h>

#include "runtime/base/error.h"
#include "runtime/base/nearest_name.h"
#include "server/ids.h"

namespace hearth {
namespace {

constexpr std::array<std::string_view, 7> kStateNames = {"validating", "queued", "running",  "paused",
                                                         "succeeded",  "failed", "cancelled"};

constexpr std::string_view kColumns =
    "sequence, id, kind, state, wanted, priority, created_at, started_at, finished_at, spec, directory, request, "
    "owner, "
    "attempt, crashes, worker, taken_in, progress, result, error";

JobJson json_or_null(const std::optional<std::string>& text) { return text ? JobJson::parse(*text) : JobJson(); }

std::optional<std::string> text_or_null(const JobJson& json) {
  return json.is_null() ? std::nullopt : std::optional(json.dump());
}

Job job_of(const SqlRows& row) {
  Job job;
  int column = 0;
  job.sequence = row.integer(column++);
  job.id = row.text(column++);
  job.kind = row.text(column++);
  job.state = parse_job_state(row.text(column++));
  if (const auto wanted = row.optional_text(column++)) job.wanted = parse_job_state(*wanted);
  job.priority = static_cast<int>(row.integer(column++));
  job.created_at = row.integer(column++);
  job.started_at = row.optional_integer(column++);
  job.finished_at = row.optional_integer(column++);
  job.spec = row.text(column++);
  job.directory = row.text(column++);
  job.request = JobJson::parse(row.text(column++));
  job.owner = row.optional_text(column++);
  job.attempt = static_cast<int>(row.integer(column++));
  job.crashes = static_cast<int>(row.integer(column++));
  job.worker = json_or_null(row.optional_text(column++));
  job.taken_in = row.integer(column++);
  job.progress = JobJson::parse(row.text(column++));
  job.result = json_or_null(row.optional_text(column++));
  job.error = json_or_null(row.optional_text(column++));
  return job;
}

std::optional<Job> find(SqlTransaction& sql, std::string_view column, std::string_view value) {
  SqlRows rows = sql.query(fmt::format("SELECT {} FROM jobs WHERE {} = ?", kColumns, column), {value});
  return rows.next() ? std::optional(job_of(rows)) : std::nullopt;
}

Job require(SqlTransaction& sql, std::string_view id) {
  std::optional<Job> job = find(sql, "id", id);
  if (!job) throw not_found("there is no job '{}'", id);
  return *std::move(job);
}

// Whether `attempt` still is what runs the job: what an older one says comes too late.
bool runs(const Job& job, int attempt) { return job.state == JobState::kRunning && job.attempt == attempt; }

JobEvent message(std::string text) {
  JobEvent event;
  event.message = std::move(text);
  return event;
}

void insert_event(SqlTransaction& sql, std::string_view job, const JobEvent& event) {
  sql.run("INSERT INTO job_events (id, job, created_at, level, type, message, data) VALUES (?, ?, ?, ?, ?, ?, ?)",
          {event.id.empty() ? random_id("ftevent-") : event.id, job,
           event.created_at ? event.created_at : unix_milliseconds(), event.level, event.type, event.message,
           event.data.dump(-1, ' ', false, JobJson::error_handler_t::replace)});
}

// Of a job that no worker runs.
void set_state(SqlTransaction& sql, std::string_view id, JobState state, int64_t now) {
  sql.run("UPDATE jobs SET state = ?, wanted = NULL, worker = NULL, finished_at = ? WHERE id = ?",
          {to_string(state), is_final(state) ? std::optional(now) : std::nullopt, id});
}

// The sequence number of the row that a page begins behind.
int64_t sequence_of(SqlTransaction& sql, std::string_view table, std::string_view id) {
  SqlRows rows = sql.query(fmt::format("SELECT sequence FROM {} WHERE id = ?", table), {id});
  if (!rows.next()) throw invalid_argument("after: there is no '{}' in this list", id);
  return rows.integer(0);
}

JobEvent event_of(const SqlRows& row) {
  return {.sequence = row.integer(0),
          .id = row.text(1),
          .created_at = row.integer(2),
          .level = row.text(3),
          .type = row.text(4),
          .message = row.text(5),
          .data = JobJson::parse(row.text(6))};
}

constexpr std::string_view kEventColumns = "sequence, id, created_at, level, type, message, data";

}  // namespace

std::string_view to_string(JobState state) { return kStateNames.at(static_cast<size_t>(state)); }

JobState parse_job_state(std::string_view name) {
  const auto* const found = std::find(kStateNames.begin(), kStateNames.end(), name);
  if (found == kStateNames.end())
    throw invalid_argument("'{}' is no state of a job{}; there are {}", name, did_you_mean(name, kStateNames),
                           fmt::join(kStateNames, ", "));
  return static_cast<JobState>(found - kStateNames.begin());
}

Job JobStore::submit(const NewJob& job) {
  const std::string id = job.id.empty() ? random_id("job-") : job.id;
  Job made = database_.transaction([&](SqlTransaction& sql) {
    if (job.idempotency_key)
      if (std::optional<Job> first = find(sql, "idempotency_key", *job.idempotency_key)) return *std::move(first);
    const int64_t now = unix_milliseconds();
    sql.run(
        "INSERT INTO jobs (id, kind, state, priority, created_at, spec, directory, request, owner, idempotency_key) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        {id, job.kind, to_string(job.state), job.priority, now, job.spec, job.directory, job.request.dump(), job.owner,
         job.idempotency_key});
    insert_event(sql, id, message(fmt::format("created: {}", id)));
    return require(sql, id);
  });
  changed();
  return made;
}

Job JobStore::get(std::string_view id) {
  return database_.transaction([&](SqlTransaction& sql) { return require(sql, id); });
}

std::vector<Job> JobStore::list(const JobQuery& query) {
  return database_.transaction([&](SqlTransaction& sql) {
    const int64_t before = query.after ? sequence_of(sql, "jobs", *query.after) : INT64_MAX;
    std::vector<std::string_view> states;
    for (const JobState state : query.states) states.push_back(to_string(state));
    const std::string wanted = JobJson(query.metadata).dump();
    SqlRows rows = sql.query(
        fmt::format(
            "SELECT {} FROM jobs WHERE sequence < ?1 AND substr(id, 1, length(?2)) = ?2 "
            "AND (?3 = '[]' OR state IN (SELECT value FROM json_each(?3))) AND (?4 IS NULL OR owner = ?4) "
            "AND NOT (?5 AND json_type(request, '$.metadata') = 'object') "
            "AND NOT EXISTS (SELECT 1 FROM json_each(?6) AS w WHERE NOT EXISTS (SELECT 1 FROM json_each(request, "
            "'$.metadata') AS m WHERE m.key = w.key AND m.value = w.value)) "
            "ORDER BY sequence DESC LIMIT ?7",
            kColumns),
        {before, query.id_prefix, JobJson(states).dump(), query.owner, query.without_metadata,
         query.metadata.empty() ? "{}" : wanted, query.limit});
    std::vector<Job> jobs;
    while (rows.next()) jobs.push_back(job_of(rows));
    return jobs;
  });
}

std::vector<JobEvent> JobStore::events(std::string_view id, const std::optional<std::string>& after, int limit) {
  return database_.transaction([&](SqlTransaction& sql) {
    require(sql, id);
    const int64_t before = after ? sequence_of(sql, "job_events", *after) : INT64_MAX;
    SqlRows rows =
        sql.query(fmt::format("SELECT {} FROM job_events WHERE job = ? AND sequence < ? ORDER BY sequence DESC LIMIT ?",
                              kEventColumns),
                  {id, before, limit});
    std::vector<JobEvent> events;
    while (rows.next()) events.push_back(event_of(rows));
    return events;
  });
}

std::vector<JobEvent> JobStore::events_since(std::string_view id, int64_t sequence, int limit) {
  return database_.transaction([&](SqlTransaction& sql) {
    SqlRows rows =
        sql.query(fmt::format("SELECT {} FROM job_events WHERE job = ? AND sequence > ? ORDER BY sequence LIMIT ?",
                              kEventColumns),
                  {id, sequence, limit});
    std::vector<JobEvent> events;
    while (rows.next()) events.push_back(event_of(rows));
    return events;
  });
}

std::vector<JobCheckpoint> JobStore::checkpoints(std::string_view id, const std::optional<std::string>& after,
                                                 int limit) {
  return database_.transaction([&](SqlTransaction& sql) {
    require(sql, id);
    const int64_t before = after ? sequence_of(sql, "job_checkpoints", *after) : INT64_MAX;
    SqlRows rows = sql.query(
        "SELECT sequence, id, created_at, step, path, metrics FROM job_checkpoints WHERE job = ? AND sequence < ? "
        "ORDER BY sequence DESC LIMIT ?",
        {id, before, limit});
    std::vector<JobCheckpoint> checkpoints;
    while (rows.next())
      checkpoints.push_back({.sequence = rows.integer(0),
                             .id = rows.text(1),
                             .created_at = rows.integer(2),
                             .step = rows.integer(3),
                             .path = rows.text(4),
                             .metrics = JobJson::parse(rows.text(5))});
    return checkpoints;
  });
}

int64_t JobStore::event_sequence(std::string_view id, std::string_view event) {
  return database_.transaction([&](SqlTransaction& sql) {
    SqlRows rows = sql.query("SELECT sequence FROM job_events WHERE id = ? AND job = ?", {event, id});
    if (!rows.next()) throw invalid_argument("after: job '{}' has no event '{}'", id, event);
    return rows.integer(0);
  });
}

void JobStore::add_event(std::string_view id, const JobEvent& event) {
  database_.transaction([&](SqlTransaction& sql) { insert_event(sql, id, event); });
  changed();
}

void JobStore::validated(std::string_view id, const JobJson& error) {
  database_.transaction([&](SqlTransaction& sql) {
    if (require(sql, id).state != JobState::kValidating) return;  // cancelled meanwhile
    set_state(sql, id, error.is_null() ? JobState::kQueued : JobState::kFailed, unix_milliseconds());
    sql.run("UPDATE jobs SET error = ? WHERE id = ?", {text_or_null(error), id});
    JobEvent event = message("the files are valid; the job is queued");
    if (!error.is_null()) {
      event.level = "error";
      event.message = error.value("message", "");
    }
    insert_event(sql, id, event);
  });
  changed();
}

std::optional<Job> JobStore::claim(int64_t now) {
  std::optional<Job> claimed = database_.transaction([&](SqlTransaction& sql) -> std::optional<Job> {
    const std::string id = [&]() -> std::string {
      SqlRows rows = sql.query(
          "SELECT id FROM jobs WHERE state = 'queued' AND not_before <= ? ORDER BY priority DESC, sequence LIMIT 1",
          {now});
      return rows.next() ? rows.text(0) : "";
    }();
    if (id.empty()) return std::nullopt;
    sql.run(
        "UPDATE jobs SET state = 'running', wanted = NULL, attempt = attempt + 1, started_at = coalesce(started_at, "
        "?), "
        "worker = NULL, taken_in = 0, progress = json_set(progress, '$.phase', 'preparing') WHERE id = ?",
        {now, id});
    return require(sql, id);
  });
  if (claimed) changed();
  return claimed;
}

void JobStore::started(std::string_view id, int attempt, const JobJson& worker) {
  database_.transaction([&](SqlTransaction& sql) {
    sql.run("UPDATE jobs SET worker = ? WHERE id = ? AND attempt = ? AND state = 'running'",
            {worker.dump(), id, attempt});
  });
}

void JobStore::take_in(std::string_view id, int attempt, const WorkerNews& news) {
  database_.transaction([&](SqlTransaction& sql) {
    const Job job = require(sql, id);
    if (!runs(job, attempt) || news.taken_in <= job.taken_in) return;
    for (const JobEvent& event : news.events) insert_event(sql, id, event);
    // A step that is made again after a crash leaves its checkpoint as it was.
    for (const JobCheckpoint& checkpoint : news.checkpoints)
      sql.run(
          "INSERT INTO job_checkpoints (id, job, created_at, step, path, metrics) VALUES (?, ?, ?, ?, ?, ?) "
          "ON CONFLICT (job, step) DO NOTHING",
          {random_id("ftckpt-"), id, checkpoint.created_at, checkpoint.step, checkpoint.path,
           checkpoint.metrics.dump()});
    sql.run(
        "UPDATE jobs SET taken_in = ?, crashes = ?, progress = ? WHERE id = ?",
        {news.taken_in, news.stepped ? 0 : job.crashes, (news.progress ? *news.progress : job.progress).dump(), id});
  });
  changed();
}

bool JobStore::finish(std::string_view id, int attempt, const JobOutcome& outcome, int64_t now) {
  const bool done = database_.transaction([&](SqlTransaction& sql) {
    const Job before = require(sql, id);
    if (!runs(before, attempt)) return false;
    // What was asked of it is done now that nothing runs.
    set_state(sql, id, outcome.state == JobState::kQueued && before.wanted ? *before.wanted : outcome.state, now);
    sql.run("UPDATE jobs SET result = ?, error = ?, crashes = crashes + ?, not_before = ? WHERE id = ?",
            {text_or_null(outcome.result), text_or_null(outcome.error), outcome.crashed, outcome.not_before, id});
    if (outcome.event) insert_event(sql, id, *outcome.event);
    return true;
  });
  if (done) changed();
  return done;
}

Job JobStore::move_to(std::string_view id, JobState target) {
  const bool cancels = target == JobState::kCancelled;
  Job job = database_.transaction([&](SqlTransaction& sql) {
    const Job before = require(sql, id);
    if (is_final(before.state) || before.state == target || (before.state == JobState::kValidating && !cancels))
      throw failed_precondition("job '{}' is {}, so it cannot be {}", id, to_string(before.state), to_string(target));
    if (before.state == JobState::kRunning) {
      if (before.wanted == JobState::kCancelled && !cancels)
        throw failed_precondition("job '{}' is being cancelled, so it cannot be {}", id, to_string(target));
      sql.run("UPDATE jobs SET wanted = ? WHERE id = ?", {to_string(target), id});
      insert_event(sql, id, message(cancels ? "asked to be cancelled" : "asked to pause"));
    } else {
      set_state(sql, id, target, unix_milliseconds());
      insert_event(sql, id, message(std::string(to_string(target))));
    }
    return require(sql, id);
  });
  changed();
  return job;
}

Job JobStore::pause(std::string_view id) { return move_to(id, JobState::kPaused); }
Job JobStore::cancel(std::string_view id) { return move_to(id, JobState::kCancelled); }

Job JobStore::resume(std::string_view id) {
  Job job = database_.transaction([&](SqlTransaction& sql) {
    const Job before = require(sql, id);
    if (before.state == JobState::kPaused) {
      set_state(sql, id, JobState::kQueued, 0);
      sql.run("UPDATE jobs SET not_before = 0, crashes = 0 WHERE id = ?", {id});
    } else if (before.state == JobState::kRunning && before.wanted == JobState::kPaused) {
      sql.run("UPDATE jobs SET wanted = NULL WHERE id = ?", {id});
    } else {
      throw failed_precondition("job '{}' is {}, only a paused one is resumed", id, to_string(before.state));
    }
    insert_event(sql, id, message("resumed"));
    return require(sql, id);
  });
  changed();
  return job;
}

void JobStore::set_result(std::string_view id, const JobJson& result) {
  database_.transaction([&](SqlTransaction& sql) {
    sql.run("UPDATE jobs SET result = ? WHERE id = ? AND state = 'succeeded'", {result.dump(), id});
  });
  changed();
}

void JobStore::remove(std::string_view id) {
  database_.transaction([&](SqlTransaction& sql) {
    const Job job = require(sql, id);
    if (!is_final(job.state)) throw failed_precondition("job '{}' is {}; cancel it first", id, to_string(job.state));
    sql.run("DELETE FROM jobs WHERE id = ?", {id});
  });
  changed();
}

std::vector<Job> JobStore::ended_before(int64_t time) {
  return database_.transaction([&](SqlTransaction& sql) {
    SqlRows rows =
        sql.query(fmt::format("SELECT {} FROM jobs WHERE finished_at < ? ORDER BY sequence", kColumns), {time});
    std::vector<Job> jobs;
    while (rows.next()) jobs.push_back(job_of(rows));
    return jobs;
  });
}

std::vector<Job> JobStore::in_state(JobState state) {
  return database_.transaction([&](SqlTransaction& sql) {
    SqlRows rows =
        sql.query(fmt::format("SELECT {} FROM jobs WHERE state = ? ORDER BY sequence", kColumns), {to_string(state)});
    std::vector<Job> jobs;
    while (rows.next()) jobs.push_back(job_of(rows));
    return jobs;
  });
}

std::map<JobState, int64_t> JobStore::counts() {
  std::map<JobState, int64_t> counts;
  for (const std::string_view state : kStateNames) counts[parse_job_state(state)] = 0;
  database_.transaction([&](SqlTransaction& sql) {
    SqlRows rows = sql.query("SELECT state, count(*) FROM jobs GROUP BY state");
    while (rows.next()) counts[parse_job_state(rows.text(0))] = rows.integer(1);
  });
  return counts;
}

void JobStore::changed() {
  {
    const std::lock_guard lock(mutex_);
    ++changes_;
  }
  change_.notify_all();
}

uint64_t JobStore::wait_for_change(uint64_t seen, std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  change_.wait_for(lock, timeout, [&] { return changes_ != seen; });
  return changes_;
}

}  // namespace hearth
