// A model hub on loopback for tests, over plain sockets so that it can misbehave: cut connections, wrong bytes,
// redirects to a second origin. Speaks the part of the Hugging Face hub's API that pulling uses; one thread a
// connection, one request a connection.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace hearth {

class SmallHub {
 public:
  struct File {
    std::string content;
    bool large = false;       // large-file storage: SHA-256, served by a redirect to the second origin
    std::string stated_hash;  // instead of the true one
  };
  struct Request {
    std::string method, target;
    std::map<std::string, std::string> headers;  // names in lower case
    bool at_second_origin = false;
    std::string header(const std::string& name) const;
  };

  SmallHub();
  ~SmallHub();
  SmallHub(const SmallHub&) = delete;
  SmallHub& operator=(const SmallHub&) = delete;

  std::string endpoint() const;  // "http://127.0.0.1:port"

  // To be set before requests come.
  std::map<std::string, File> files;
  std::string repo = "tiny/llama", commit = std::string(40, 'a');
  std::string required_token;      // 401 without it
  size_t cut_after = 0;            // bodies of /content are cut after so many bytes ...
  int cuts = 0;                    // ... so many times
  int unavailable_answers = 0;     // 503 so many times
  bool ignore_ranges = false;      // 200 with everything
  bool list_hashes = true;         // as ?blobs=true does
  int milliseconds_per_piece = 0;  // slow bodies, pieces of 4 kB
  std::string redirect_loop;       // this file's URL redirects to itself

  std::vector<Request> requests() const;
  int most_at_once() const { return most_at_once_; }   // bodies being sent at the same time
  uint64_t body_bytes() const { return body_bytes_; }  // of files, sent so far

 private:
  struct Listener {
    int fd = -1, port = 0;
  };
  static Listener listen_on_loopback();
  void accept_loop(Listener listener, bool second);
  void serve(int fd, bool second);
  void answer(int fd, const Request& request);
  void answer_file(int fd, const Request& request, const std::string& path);
  void send_content(int fd, const Request& request, const std::string& path);
  std::string list_files() const;
  std::string hash_of(const File& file) const;

  Listener first_, second_;
  std::atomic<bool> closing_{false};
  std::atomic<int> at_once_{0}, most_at_once_{0};
  std::atomic<uint64_t> body_bytes_{0};
  mutable std::mutex mutex_;
  std::vector<Request> requests_;
  std::vector<std::thread> connections_;
  std::thread acceptors_[2];
};

}  // namespace hearth
