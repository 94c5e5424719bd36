// A daemon, or another server of OpenAI's API, as its clients see it: JSON there and back, errors as Error, events as
// they come.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "runtime/base/error.h"

namespace hearth {

class DaemonClient {
 public:
  using Json = nlohmann::ordered_json;

  // `url`: with or without /v1. `cancelled` may be null (HttpClient).
  DaemonClient(std::string url, std::string api_key, const std::atomic<bool>* cancelled = nullptr);

  // `path`: what follows /v1: "/jobs?limit=5". All throw the server's error (kInvalidArgument, kNotFound,
  // kFailedPrecondition for a missing key, kResourceExhausted, kUnavailable), kUnavailable where there is no server,
  // and kDataCorruption for an answer that is not JSON.
  Json get(const std::string& path) const;
  Json post(const std::string& path, const Json& body) const;
  std::string get_text(const std::string& path) const;
  // Calls back with the data of each event, until the stream ends. `body`: to POST; without it a GET.
  void stream(const std::string& path, const std::optional<Json>& body,
              const std::function<void(const std::string& data)>& on_data) const;

  // The error that an object {"error": {...}} tells of, with the status it came with.
  Error error_from(int status, const Json& body, const std::string& path) const;
  const std::string& url() const { return url_; }  // with /v1

 private:
  std::string send(const std::string& path, const std::optional<Json>& body) const;

  std::string url_, api_key_;
  const std::atomic<bool>* cancelled_;
};

}  // namespace hearth
