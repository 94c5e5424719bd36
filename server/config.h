// What the daemon and the chat are started with, and what must hold of it; the daemon's options are read by
// server/serve_options.h, LLaMA-Factory's inference YAML here. Every function throws kInvalidArgument, which main turns
// into exit code 2.
#pragma once

#include <chrono>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/loader.h"
#include "runtime/base/log.h"
#include "runtime/weight.h"
#include "server/images/image_urls.h"
#include "server/jobs/executor.h"
#include "server/tls.h"

namespace hearth {

struct ModelSpec {
  std::string reference;           // a path, a name in the cache or org/name[@revision] (models/resolver.h)
  std::string name;                // the id in the API; empty: from the file's or directory's name
  std::string template_name = {};  // in place of ServeConfig::chat's
  std::vector<std::string> adapter_name_or_path = {};  // directories; the model answers with all of them
  bool is_reward_model = false;                        // stage: rm, which takes a value head

  std::string id() const;
};

// "NAME=PATH" or "PATH_OR_NAME".
ModelSpec parse_model_spec(std::string_view text);

// An adapter that is served beside its model.
struct AdapterSpec {
  std::string name;        // the id in the API, besides "model:name"
  std::string path;        // of peft's directory
  std::string model = {};  // the id of the model it is for; empty: the only one
};

// "NAME=DIR", "MODEL:NAME=DIR" (the last colon counts), or "DIR", which names it.
AdapterSpec parse_adapter_spec(std::string_view text);
// Without a name it gets its directory's.
AdapterSpec with_name(AdapterSpec spec);

inline constexpr int kSlurmJobs = 16;

struct ServeConfig {
  std::vector<ModelSpec> models;  // empty: the default model
  std::vector<AdapterSpec> adapters;
  std::string host = "127.0.0.1";
  int port = 8000;                        // 0: any free port
  std::vector<std::string> api_keys;      // empty: no authentication, loopback only
  std::vector<std::string> cors_origins;  // "*" or origins; empty: no CORS headers
  ComputeDtype infer_dtype = ComputeDtype::kAuto;
  int cache_tokens = 8192;                // capacity of a model's KV cache
  int max_running = 64;                   // sequences in a batch
  int max_queued = 256;                   // waiting requests of a model; one more is refused
  int64_t model_memory = 0;               // bytes that loaded models may take together; 0: 3/4 of the machine's
  std::chrono::seconds load_timeout{60};  // of a request for a model that is not loaded
  // What requests that leave a sampling parameter out get, before the checkpoint's own defaults; and max_tokens (0:
  // what the context holds).
  GenerationDefaults generation;
  int default_max_tokens = 0;
  ChatOptions chat;                                     // of every model
  std::string tool_call_parser;                         // of every model; empty: by its template
  int requests_per_minute = 0, requests_in_flight = 0;  // of a key; 0: as many as it likes
  std::chrono::seconds drain_timeout{30};
  TlsFiles tls;                                 // empty: plain HTTP
  ImageUrls image_urls;                         // which of other servers' images are fetched
  int64_t max_files_bytes = int64_t{20} << 30;  // of all uploaded files
  std::filesystem::path state_dir;              // empty: the user's (server/state/state_directory.h)
  int max_jobs = 0;                // at once; 0: one, or with Slurm kSlurmJobs, and Slurm says when they run
  ExecutorOptions executor;        // of jobs
  bool jobs_in_background = true;  // they get the CPUs that nobody else wants
  int job_retention_days = 0;      // of jobs that ended; 0: for ever
  int stored_days = 30;            // that responses and stored chat completions are kept; 0: none is kept
  int64_t max_stored_bytes = int64_t{1} << 30;  // of all of them
  log::Format log_format = log::Format::kText;

  ChatOptions chat_of(const ModelSpec& model) const;
  // Those that are served beside the model.
  std::vector<AdapterSpec> adapters_of(const std::string& model_id) const;
};

// LLaMA-Factory's inference (or training) YAML with `key=value` overrides. Keys without a meaning on a CPU are
// collected into `warnings`, one line in all. Keys that would change the answers and that hearth does not support are
// errors.
struct InferenceConfig {
  ServeConfig serve;
  std::vector<std::string> warnings;
};
InferenceConfig load_inference_config(const std::filesystem::path& path, std::span<const std::string> overrides = {});

ComputeDtype parse_infer_dtype(std::string_view text);

// What must hold between the options before a socket is opened. Whether there is a key is not only theirs to say:
// check_exposure.
void check_serve_config(const ServeConfig& config);

// True for 127.0.0.0/8, ::1 and localhost.
bool is_loopback(std::string_view host);
// Throws kInvalidArgument when `host` is not a loopback address and no key is asked for.
void check_exposure(std::string_view host, bool needs_key);

}  // namespace hearth
