#include "server/tls.h"

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/log.h"

namespace hearth {
namespace {

// OpenSSL's reason for the last failure of this thread.
std::string reason() {
  const unsigned long error = ERR_peek_last_error();
  const char* text = ERR_reason_error_string(error);
  return text ? text : "unknown reason";
}

void check_readable(const char* key, const std::filesystem::path& file) {
  if (file.empty()) throw invalid_argument("{} is missing: TLS takes both tls_certificate and tls_key, PEM files", key);
  if (std::error_code ignored; std::filesystem::is_directory(file, ignored))
    throw invalid_argument("{} {}: is a directory", key, file.string());
  if (::access(file.c_str(), R_OK) != 0)
    throw invalid_argument("{} {}: cannot be read: {}", key, file.string(), std::strerror(errno));
}

// Instead of OpenSSL's own, which asks on the terminal.
int no_password(char*, int, int, void*) { return -1; }

}  // namespace

void TlsSessionDeleter::operator()(ssl_st* session) const { SSL_free(session); }

TlsContext::TlsContext(TlsFiles files) : files_(std::move(files)), loaded_(times()), context_(load()) {}

TlsContext::Times TlsContext::times() const {
  std::error_code ignored;  // a file that is being replaced has none for a moment
  return {std::filesystem::last_write_time(files_.certificate, ignored),
          std::filesystem::last_write_time(files_.key, ignored)};
}

std::shared_ptr<ssl_ctx_st> TlsContext::load() const {
  check_readable("tls_certificate", files_.certificate);
  check_readable("tls_key", files_.key);
  ERR_clear_error();
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context) throw unavailable("TLS cannot be set up: {}", reason());
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);  // tickets need no memory here
  SSL_CTX_set_default_passwd_cb(context.get(), no_password);
  if (SSL_CTX_use_certificate_chain_file(context.get(), files_.certificate.c_str()) != 1)
    throw invalid_argument("tls_certificate {}: is no certificate in PEM ({})", files_.certificate.string(), reason());
  if (SSL_CTX_use_PrivateKey_file(context.get(), files_.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    if (ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH)
      throw invalid_argument("tls_key {}: is not the key of tls_certificate {}", files_.key.string(),
                             files_.certificate.string());
    throw invalid_argument("tls_key {}: is no private key in PEM without a password ({})", files_.key.string(),
                           reason());
  }
  if (SSL_CTX_check_private_key(context.get()) != 1)
    throw invalid_argument("tls_key {}: is not the key of tls_certificate {}", files_.key.string(),
                           files_.certificate.string());
  return context;
}

void TlsContext::reload_when_changed() {
  const Times now = times();
  if (now == loaded_) return;
  loaded_ = now;
  try {
    context_ = load();
    log::info("tls_certificate {} was read again", files_.certificate.string());
  } catch (const std::exception& error) {
    log::error("the certificate stays the one that was read before: {}", error.what());
  }
}

TlsSession TlsContext::session(int fd) noexcept {
  const std::lock_guard lock(mutex_);
  reload_when_changed();
  TlsSession session(SSL_new(context_.get()));
  if (!session || SSL_set_fd(session.get(), fd) != 1) return nullptr;
  SSL_set_accept_state(session.get());
  return session;
}

}  // namespace hearth
