// How far a download is. DownloadProgress prints it: one bar with rate and time left where the output is a terminal,
// else a plain line a file and one every ten seconds.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <string>
#include <string_view>

namespace hearth {

// What is told of a download. add() and file_done() come from several threads, the others from the one that called.
class PullProgress {
 public:
  virtual ~PullProgress() = default;
  virtual void start(uint64_t total_bytes, uint64_t present_bytes) = 0;
  virtual void add(int64_t bytes) = 0;  // that arrived, or (negative) that were thrown away
  virtual void file_done(std::string_view path, uint64_t bytes) = 0;
  virtual void tick() {}    // several times a second
  virtual void finish() {}  // all are there
};

class DownloadProgress : public PullProgress {
 public:
  DownloadProgress(std::string title, std::FILE* out, bool terminal);
  ~DownloadProgress() override {
    DownloadProgress::finish();
  }  // also when the download failed: what is said of it begins a line
  DownloadProgress(const DownloadProgress&) = delete;
  DownloadProgress& operator=(const DownloadProgress&) = delete;

  void start(uint64_t total_bytes, uint64_t present_bytes) override;
  void add(int64_t bytes) override { done_.fetch_add(bytes, std::memory_order_relaxed); }
  void file_done(std::string_view path, uint64_t bytes) override;
  void tick() override;  // draws when it is time
  // Ends the bar's line; further calls do nothing.
  void finish() override;

 private:
  std::string line(double seconds) const;
  double seconds_since_start() const;

  const std::string title_;
  std::FILE* const out_;
  const bool terminal_;
  std::chrono::steady_clock::time_point started_;
  double last_drawn_ = 0;
  uint64_t total_ = 0;
  int64_t present_ = 0;  // bytes that were there before
  std::atomic<int64_t> done_{0};
  std::mutex writing_;
  bool drawn_ = false;
};

// "98.4 MB": SI units, as download sizes are given.
std::string format_bytes(uint64_t bytes);
// "0:07", "12:30", "1:02:03".
std::string format_duration(double seconds);

}  // namespace hearth
