// `hearth export` from top to bottom: a model with its adapters worked in, as files that other programs load. The
// directory appears whole or not at all; memory holds one tensor at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "finetune/spec/export_spec.h"

namespace hearth {

inline constexpr const char* kGgufFile = "model.gguf";  // in the export of one

class ExportMonitor {
 public:
  virtual ~ExportMonitor() = default;
  virtual void on_note(const std::string& line) = 0;
  virtual void on_warning(const std::string& line) = 0;
  virtual void on_written(uint64_t bytes, uint64_t total) = 0;  // of the weights
  virtual bool stop_requested() = 0;
};

struct ExportResult {
  std::filesystem::path directory;
  std::vector<std::string> files;  // sorted
  uint64_t bytes = 0;              // of all of them
};

// Throws kCancelled when it was asked to stop, kFailedPrecondition for an export_dir that holds something else than an
// export, kResourceExhausted for a disk that is too small, and what loading the model and its adapters throws.
ExportResult export_model(const ExportSpec& spec, ExportMonitor& monitor);

}  // namespace hearth
