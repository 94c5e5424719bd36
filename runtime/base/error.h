// The one exception of hearth. Throw it anywhere; it is translated in exactly three places: the HTTP server (status and
// OpenAI error object), main (one line and an exit code) and the training worker (job event). A message says what,
// where, what was found and the remedy.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace hearth {

enum class ErrorCode {
  kInvalidArgument,     // the caller asked for something that can never work
  kNotFound,            // a named thing does not exist
  kAlreadyExists,       // a named thing exists already
  kFailedPrecondition,  // possible in another state
  kResourceExhausted,   // a limit was reached: memory, queue, context length
  kUnavailable,         // try again later: loading, draining, network
  kCancelled,           // the caller gave up
  kDataCorruption,      // a file is not what it should be
  kInternal,            // our own bug
};

// "invalid_argument", "not_found", ...
std::string_view to_string(ErrorCode code);

class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

template <class... Args>
Error make_error(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  return Error(code, fmt::format(format, std::forward<Args>(args)...));
}

// throw invalid_argument("job '{}': lora_rank is {}, must be at least 1", name, rank);
#define HEARTH_ERROR_FACTORY(name, code)                                     \
  template <class... Args>                                                   \
  Error name(fmt::format_string<Args...> format, Args&&... args) {           \
    return make_error(ErrorCode::code, format, std::forward<Args>(args)...); \
  }
HEARTH_ERROR_FACTORY(invalid_argument, kInvalidArgument)
HEARTH_ERROR_FACTORY(not_found, kNotFound)
HEARTH_ERROR_FACTORY(already_exists, kAlreadyExists)
HEARTH_ERROR_FACTORY(failed_precondition, kFailedPrecondition)
HEARTH_ERROR_FACTORY(resource_exhausted, kResourceExhausted)
HEARTH_ERROR_FACTORY(unavailable, kUnavailable)
HEARTH_ERROR_FACTORY(cancelled, kCancelled)
HEARTH_ERROR_FACTORY(data_corruption, kDataCorruption)
HEARTH_ERROR_FACTORY(internal_error, kInternal)
#undef HEARTH_ERROR_FACTORY

[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace hearth

// For our own bugs only: throws kInternal with file and line. A daemon never aborts.
#define HEARTH_CHECK(condition)                                               \
  do {                                                                        \
    if (!(condition)) ::hearth::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)
