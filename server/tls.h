// The certificate that the daemon shows (TLS 1.2 and later, by OpenSSL). The files are read again when they change, as
// they do every few weeks where certificates are renewed by a program.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <utility>

struct ssl_ctx_st;
struct ssl_st;

namespace hearth {

struct TlsFiles {
  std::filesystem::path certificate, key;  // PEM: the chain, the server's own first; its private key without password

  bool empty() const { return certificate.empty() && key.empty(); }
};

struct TlsSessionDeleter {
  void operator()(ssl_st* session) const;
};
using TlsSession = std::unique_ptr<ssl_st, TlsSessionDeleter>;

class TlsContext {
 public:
  // Throws kInvalidArgument: a file that cannot be read, is not PEM, or a key that is not the certificate's.
  explicit TlsContext(TlsFiles files);

  // The server's side of a connection over this socket, which must not block; null without memory for one. Thread-safe.
  // New files that cannot be used are logged, and the old ones stay.
  TlsSession session(int fd) noexcept;

 private:
  using Times = std::pair<std::filesystem::file_time_type, std::filesystem::file_time_type>;
  Times times() const;
  void reload_when_changed();
  std::shared_ptr<ssl_ctx_st> load() const;

  const TlsFiles files_;
  std::mutex mutex_;
  Times loaded_;
  std::shared_ptr<ssl_ctx_st> context_;
};

}  // namespace hearth
