#include "server/routes/file_upload.h"

#include <algorithm>
#include <charconv>

#include "finetune/datasets/utf8.h"
#include "server/api_error.h"

namespace hearth {
namespace {

constexpr size_t kMaxFieldBytes = 256, kMaxFilenameBytes = 1024;
constexpr int64_t kLeastSeconds = 3600, kMostSeconds = 2'592'000;  // an hour to 30 days
constexpr std::string_view kPurposes[] = {"fine-tune", "batch", "vision", "user_data", "evals", "assistants"};

ApiError missing(const std::string& param, const std::string& message) {
  return {ErrorCode::kInvalidArgument, message, {.code = "missing_required_parameter", .param = param}};
}

ApiError file_too_large(int64_t limit, std::string_view of) {
  return {ErrorCode::kInvalidArgument,
          fmt::format("the file has more than {} bytes, which is the most{}", limit, of),
          {.code = "request_too_large", .param = "file", .status = 413}};
}

// Calls what stores; a disk that takes no more is not the client's fault, but sending the same again does not help
// either: 507, which clients are told not to retry.
template <class Function>
auto stored(Function&& function) {
  try {
    return function();
  } catch (const Error& error) {
    const bool full = error.code() == ErrorCode::kResourceExhausted;
    if (!full && error.code() != ErrorCode::kUnavailable) throw;
    throw ApiError(error.code(), fmt::format("the file cannot be stored: {}", error.what()),
                   {.code = full ? "storage_full" : "storage_unavailable", .status = 507});
  }
}

void check_filename(std::string_view name) {
  const bool has_control = std::any_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (name.empty() || name.size() > kMaxFilenameBytes || has_control || !is_utf8(name))
    throw invalid_field("file", fmt::format("the file's name must be 1 to {} bytes of UTF-8 without control characters",
                                            kMaxFilenameBytes));
}

}  // namespace

void FileUpload::begin_part(const MultipartPart& part) {
  if (part.name == "file") return begin_file(part);
  for (Field* field : {&purpose_, &anchor_, &seconds_}) {
    if (part.name != field->name) continue;
    if (field->value) throw invalid_field(part.name, fmt::format("the form has two fields '{}'", part.name));
    field->value.emplace();
    field_ = field;
  }
}

void FileUpload::begin_file(const MultipartPart& part) {
  if (content_) throw invalid_field("file", "the form has two fields 'file'; a request uploads one");
  if (!part.filename) throw invalid_field("file", "'file' must be a file with a filename, not a text");
  check_filename(*part.filename);
  filename_ = *part.filename;
  content_ = stored([&] { return store_.begin(); });
  in_file_ = true;
}

void FileUpload::part_data(std::string_view data) {
  if (in_file_) {
    stored([&] { content_->write(data); });
    check_size();
  } else if (field_) {
    if (field_->value->size() + data.size() > kMaxFieldBytes)
      throw invalid_field(std::string(field_->name),
                          fmt::format("{} has more than {} bytes", field_->name, kMaxFieldBytes));
    *field_->value += data;
  }  // fields that are not known are passed over, as those of JSON bodies are
}

void FileUpload::end_part() {
  if (field_ == &purpose_) check_purpose();
  field_ = nullptr;
  in_file_ = false;
}

void FileUpload::check_purpose() const {
  if (std::find(std::begin(kPurposes), std::end(kPurposes), *purpose_.value) == std::end(kPurposes))
    throw invalid_field("purpose",
                        fmt::format("purpose is '{}', must be one of {}", *purpose_.value, fmt::join(kPurposes, ", ")));
}

void FileUpload::check_size() const {
  if (content_->bytes() > kMaxBytes) throw file_too_large(kMaxBytes, "");
  if (purpose_.value == "batch" && content_->bytes() > kMaxBatchBytes)
    throw file_too_large(kMaxBatchBytes, " of a batch");
}

std::optional<std::chrono::seconds> FileUpload::expires_after() const {
  if (!anchor_.value && !seconds_.value) return std::nullopt;
  if (anchor_.value.value_or("") != "created_at")
    throw invalid_field("expires_after[anchor]",
                        fmt::format("expires_after[anchor] is '{}', must be created_at", anchor_.value.value_or("")));
  const std::string text = seconds_.value.value_or("");
  int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size() || seconds < kLeastSeconds || seconds > kMostSeconds)
    throw invalid_field("expires_after[seconds]", fmt::format("expires_after[seconds] is '{}', must be from {} to {}",
                                                              text, kLeastSeconds, kMostSeconds));
  return std::chrono::seconds(seconds);
}

FileRecord FileUpload::finish() {
  if (!purpose_.value)
    throw missing("purpose", fmt::format("the form lacks 'purpose', one of {}", fmt::join(kPurposes, ", ")));
  if (!content_) throw missing("file", "the form lacks 'file'");
  if (content_->bytes() == 0) throw invalid_field("file", "the file is empty");
  check_size();
  const NewFile file{*purpose_.value, filename_, expires_after()};
  return stored([&] { return content_->commit(file); });
}

}  // namespace hearth
