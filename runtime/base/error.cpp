#include "runtime/base/error.h"

namespace hearth {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return "invalid_argument";
    case ErrorCode::kNotFound:
      return "not_found";
    case ErrorCode::kAlreadyExists:
      return "already_exists";
    case ErrorCode::kFailedPrecondition:
      return "failed_precondition";
    case ErrorCode::kResourceExhausted:
      return "resource_exhausted";
    case ErrorCode::kUnavailable:
      return "unavailable";
    case ErrorCode::kCancelled:
      return "cancelled";
    case ErrorCode::kDataCorruption:
      return "data_corruption";
    case ErrorCode::kInternal:
      return "internal";
  }
  return "internal";
}

void check_failed(const char* condition, const char* file, int line) {
  throw internal_error("{}:{}: check failed: {}", file, line, condition);
}

}  // namespace hearth
