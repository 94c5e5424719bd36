// The form of POST /v1/files (reference: openai-http.md 2.7): purpose, file, and perhaps expires_after, in any order.
// The file's bytes go to disk as they come; what is wrong with a field is told as soon as it is there.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "server/files/file_store.h"
#include "server/multipart.h"

namespace hearth {

class FileUpload : public MultipartReceiver {
 public:
  static constexpr int64_t kMaxBytes = 512 << 20;       // of a file
  static constexpr int64_t kMaxBatchBytes = 200 << 20;  // of one with the purpose batch

  explicit FileUpload(FileStore& store) : store_(store) {}

  // Throw an ApiError that names the field.
  void begin_part(const MultipartPart& part) override;
  void part_data(std::string_view data) override;
  void end_part() override;
  // After the form's end.
  FileRecord finish();

 private:
  struct Field {
    std::string_view name;
    std::optional<std::string> value = {};
  };
  void begin_file(const MultipartPart& part);
  void check_purpose() const;
  void check_size() const;
  std::optional<std::chrono::seconds> expires_after() const;

  FileStore& store_;
  Field purpose_{"purpose"}, anchor_{"expires_after[anchor]"}, seconds_{"expires_after[seconds]"};
  Field* field_ = nullptr;  // whose value is arriving
  bool in_file_ = false;
  std::string filename_;
  std::unique_ptr<FileStore::Incoming> content_;  // null until the file begins
};

}  // namespace hearth
