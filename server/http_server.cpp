#include "server/http_server.h"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>
#include <unordered_set>

#include <httplib.h>

#include "runtime/base/log.h"
#include "server/api_error.h"
#include "server/disconnect_watcher.h"
#include "server/ids.h"
#include "server/worker_pool.h"

namespace hearth {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kIdleTick = std::chrono::seconds(1);  // how soon an idle connection makes room when threads run out
constexpr int kBacklog = 1024;
// Written as it is, before a thread or a parser exists for the connection.
constexpr std::string_view kTooManyConnections =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\nRetry-After: 1\r\n"
    "Content-Length: 139\r\n\r\n"
    R"({"error":{"message":"too many connections are open; try again in a moment","type":"server_error","param":null,"code":"server_overloaded"}})"
    "\n";

class ConnectionStream : public httplib::Stream {
 public:
  explicit ConnectionStream(Connection& connection) : connection_(connection) {}
  bool is_readable() const override { return connection_.readable_now(); }
  bool is_writable() const override { return !connection_.peer_gone() && connection_.writable(); }
  ssize_t read(char* data, size_t size) override { return connection_.read(data, size); }
  ssize_t write(const char* data, size_t size) override {
    return connection_.write(data, size) ? static_cast<ssize_t>(size) : -1;
  }
  void get_remote_ip_and_port(std::string& ip, int& port) const override { address(::getpeername, ip, port); }
  void get_local_ip_and_port(std::string& ip, int& port) const override { address(::getsockname, ip, port); }
  socket_t socket() const override { return connection_.fd(); }

 private:
  template <class Get>
  void address(Get get, std::string& ip, int& port) const {
    sockaddr_storage storage{};
    socklen_t size = sizeof(storage);
    char host[NI_MAXHOST], service[NI_MAXSERV];
    auto* name = reinterpret_cast<sockaddr*>(&storage);
    if (get(connection_.fd(), name, &size) != 0 ||
        ::getnameinfo(name, size, host, sizeof(host), service, sizeof(service), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
      return;
    ip = host;
    port = std::atoi(service);
  }
  Connection& connection_;
};

class ConnectionClient : public Client {
 public:
  ConnectionClient(Connection& connection, DisconnectWatcher& watcher) : connection_(connection), watcher_(watcher) {}
  bool gone() const override { return connection_.peer_gone(); }
  std::shared_ptr<void> on_gone(std::function<void()> callback) override {
    return watcher_.watch(connection_.fd(), std::move(callback));
  }

 private:
  Connection& connection_;
  DisconnectWatcher& watcher_;
};

class SinkWriter : public BodyWriter {
 public:
  explicit SinkWriter(httplib::DataSink& sink) : sink_(sink) {}
  bool write(std::string_view data) override { return ok_ && (ok_ = sink_.write(data.data(), data.size())); }

 private:
  httplib::DataSink& sink_;
  bool ok_ = true;
};

bool is_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

ApiError too_large(const std::string& found, size_t limit) {
  return {ErrorCode::kInvalidArgument,
          fmt::format("the body has {} bytes; at most {} are taken here", found, limit),
          {.code = "request_too_large", .status = 413}};
}

ApiError took_too_long() {
  return {
      ErrorCode::kInvalidArgument, "the request took too long to arrive", {.code = "request_timeout", .status = 408}};
}

// What makes the end of a request's body ambiguous (and two servers disagree about where the next one starts) is
// refused. Returns whether there is a body.
bool check_framing(const Headers& headers) {
  const auto coding = headers.find("Transfer-Encoding");
  const auto length = headers.find("Content-Length");
  if (coding != headers.end()) {
    if (length != headers.end() || headers.count("Transfer-Encoding") > 1 || coding->second != "chunked")
      throw invalid_argument("the request's body must be either chunked or have a Content-Length");
    return true;
  }
  if (length == headers.end()) return false;
  if (headers.count("Content-Length") > 1 || !is_digits(length->second))
    throw invalid_argument("Content-Length '{}' is not one number", length->second);
  return length->second != "0";
}

// Of a body whose framing is right.
void check_body(const Request& request, size_t max_bytes) {
  if (request.method != "POST") throw invalid_argument("{} takes no body", request.method);
  const auto length = request.headers.find("Content-Length");
  if (length != request.headers.end() && (length->second.size() > 18 || std::stoull(length->second) > max_bytes))
    throw too_large(length->second, max_bytes);
  const auto encoding = request.headers.find("Content-Encoding");
  if (encoding != request.headers.end() && encoding->second != "identity")
    throw ApiError(ErrorCode::kInvalidArgument, "compressed request bodies are not taken; send it plain",
                   {.code = "unsupported_media_type", .status = 415});
  const auto type = request.headers.find("Content-Type");
  if (!request.streams_body && type != request.headers.end() && type->second.starts_with("multipart/"))
    throw ApiError(ErrorCode::kInvalidArgument, "this route takes JSON, not a form",
                   {.code = "unsupported_media_type", .status = 415});
}

// One request and its reply on a connection.
struct Exchange {
  Request request;
  std::optional<Reply> refusal;
  bool understood = false;  // its headers are
  bool has_body = false, body_read = false;
  bool close = false;  // after the reply
  int status = 0;
};

// A connection lives on one thread from its first byte to its last, and cpp-httplib's handlers do not get to know which
// connection they serve.
thread_local Connection* current_connection = nullptr;
thread_local Exchange* current_exchange = nullptr;

// The body of the current exchange as the library reads it. Exceptions do not pass through the library.
class ContentBody : public BodyReader {
 public:
  ContentBody(const httplib::ContentReader& content, size_t max_bytes) : content_(content), max_bytes_(max_bytes) {}

  void read(const std::function<void(std::string_view)>& take) override {
    std::exception_ptr failure;
    size_t bytes = 0;
    current_exchange->body_read = content_([&](const char* data, size_t size) {
      bytes += size;
      if (bytes > max_bytes_) return false;
      try {
        take({data, size});
        return true;
      } catch (...) {
        failure = std::current_exception();
        return false;
      }
    });
    if (current_exchange->body_read) return;
    if (failure) std::rethrow_exception(failure);
    if (bytes > max_bytes_) throw too_large("more than " + std::to_string(max_bytes_), max_bytes_);
    if (current_connection->timed_out()) throw took_too_long();
    throw invalid_argument("the request's body is incomplete");
  }

 private:
  const httplib::ContentReader& content_;
  const size_t max_bytes_;
};

class NoBody : public BodyReader {
 public:
  void read(const std::function<void(std::string_view)>&) override {}
};

}  // namespace

Reply HttpHandler::error_answer(const Request&, const std::exception& error) { return error_reply(error); }

class HttpServer::Impl : private httplib::Server {
 public:
  Impl(HttpHandler& handler, const HttpLimits& limits, TlsContext* tls)
      : handler_(handler), limits_(limits), tls_(tls), pool_(limits.max_connections) {
    set_payload_max_length(std::max(limits.max_body_bytes, limits.max_upload_bytes));
    set_keep_alive_timeout(std::chrono::ceil<std::chrono::seconds>(limits.idle_timeout).count());
    set_keep_alive_max_count(1'000'000);
    set_tcp_nodelay(true);
    set_socket_options([](socket_t fd) {
      // Not the default's SO_REUSEPORT: with that, a second daemon would take half of the first one's connections.
      const int yes = 1;
      ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    });
    new_task_queue = [this] { return new Queue(*this); };
    set_expect_100_continue_handler([this](const httplib::Request& request, httplib::Response& response) {
      Exchange& exchange = *current_exchange;
      if (!exchange.refusal) return 100;
      answer(*exchange.refusal, request, response);
      return exchange.refusal->status;  // anything but 100 and 417 sends the response as it is
    });
    set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
      Exchange& exchange = *current_exchange;
      if (!exchange.refusal && exchange.has_body) return HandlerResponse::Unhandled;
      NoBody none;
      answer(exchange.refusal ? *exchange.refusal : handle(none), request, response);
      return HandlerResponse::Handled;
    });
    Post("/",
         [this](const httplib::Request& request, httplib::Response& response, const httplib::ContentReader& reader) {
           ContentBody body(reader, max_bytes(current_exchange->request));
           answer(handle(body), request, response);
         });
    // Called for every status from 400 on; what the library refuses on its own has no body yet.
    const Handler complete = [this](const httplib::Request& request, httplib::Response& response) {
      if (response.body.empty()) answer_unparsed(request, response);
    };
    set_error_handler(complete);
  }

  ~Impl() override { halt(); }

  void start(const std::string& host, int port) {
    port_ = port;
    if (port != 0 ? !bind_to_port(host, port) : (port_ = bind_to_any_port(host)) < 0)
      throw unavailable("cannot listen on {}:{}: {}; is another server running there?", host, port,
                        std::strerror(errno));
    ::listen(svr_sock_, kBacklog);  // cpp-httplib asks for 5, too few for clients that start together
    acceptor_ = std::thread([this] { listen_after_bind(); });
    while (!is_running()) std::this_thread::yield();  // httplib's stop() does nothing before
  }

  int port() const { return port_; }

  bool wait_idle(std::chrono::milliseconds timeout) {
    std::unique_lock lock(mutex_);
    return idle_.wait_for(lock, timeout, [this] { return serving_ == 0; });
  }

  void halt() {
    if (!acceptor_.joinable()) return;
    stopping_ = true;
    httplib::Server::stop();
    {
      const std::lock_guard lock(mutex_);
      for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
    }
    acceptor_.join();
    pool_.shutdown();
  }

 private:
  class Queue : public httplib::TaskQueue {
   public:
    explicit Queue(Impl& server) : server_(server) {}
    void enqueue(std::function<void()> work) override {
      if (server_.pool_.try_run(work)) return;
      refusing_ = true;
      work();  // on the accepting thread: says 503 and closes
      refusing_ = false;
    }
    void shutdown() override { server_.pool_.shutdown(); }
    static bool refusing() { return refusing_; }

   private:
    Impl& server_;
    static thread_local bool refusing_;
  };

  class OpenSocket {
   public:
    OpenSocket(Impl& server, int fd) : server_(server), fd_(fd) {
      const std::lock_guard lock(server_.mutex_);
      server_.open_.insert(fd);
    }
    ~OpenSocket() {
      const std::lock_guard lock(server_.mutex_);
      server_.open_.erase(fd_);
    }
    OpenSocket(const OpenSocket&) = delete;
    OpenSocket& operator=(const OpenSocket&) = delete;

   private:
    Impl& server_;
    int fd_;
  };

  bool process_and_close_socket(socket_t fd) override {
    if (Queue::refusing()) {
      const Connection refused(fd, limits_);  // under TLS it ends without a word: a handshake takes time
      if (!tls_) ::send(fd, kTooManyConnections.data(), kTooManyConnections.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      return false;
    }
    Connection connection(fd, limits_, tls_);
    const OpenSocket open(*this, fd);
    if (stopping_ || !connection.handshake()) return false;
    current_connection = &connection;
    bool linger = false;
    while (wait_for_request(connection)) {
      Exchange exchange;
      current_exchange = &exchange;
      const bool go_on = serve_one(connection, exchange);
      current_exchange = nullptr;
      linger = exchange.close;
      if (!go_on) break;
    }
    current_connection = nullptr;
    if (linger && !stopping_) connection.linger();
    return true;
  }

  bool wait_for_request(Connection& connection) {
    const auto deadline = Clock::now() + limits_.idle_timeout;
    while (!stopping_) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
      if (left.count() <= 0) return false;
      if (connection.wait_for_request(std::min<std::chrono::milliseconds>(left, kIdleTick))) return !stopping_;
      if (connection.peer_gone() || pool_.saturated()) return false;
    }
    return false;
  }

  bool serve_one(Connection& connection, Exchange& exchange) {
    ConnectionClient client(connection, watcher_);
    exchange.request.client = &client;
    exchange.request.id = random_id("req_");
    exchange.request.received = Clock::now();
    ConnectionStream stream(connection);
    bool closed = false;
    const bool written =
        process_request(stream, false, closed, [&](httplib::Request& request) { begin(request, exchange); });
    const double seconds = std::chrono::duration<double>(Clock::now() - exchange.request.received).count();
    if (exchange.status != 0) handler_.finished(exchange.request, exchange.understood ? exchange.status : 0, seconds);
    if (exchange.understood) {
      const std::lock_guard lock(mutex_);
      if (--serving_ == 0) idle_.notify_all();
    }
    if (exchange.has_body && !exchange.body_read) exchange.close = true;
    return written && !closed && !exchange.close;
  }

  // With the headers; what the library would do to the request further on is turned off here.
  void begin(httplib::Request& parsed, Exchange& exchange) {
    exchange.understood = true;
    {
      const std::lock_guard lock(mutex_);
      ++serving_;
    }
    Request& request = exchange.request;
    request.received = Clock::now();
    request.method = parsed.method == "HEAD" ? "GET" : parsed.method;
    request.path = parsed.path;
    const size_t question = parsed.target.find('?');
    if (question != std::string::npos) request.query = parsed.target.substr(question + 1);
    for (const auto& [name, value] : parsed.headers)
      if (name != "REMOTE_ADDR" && name != "REMOTE_PORT") request.headers.emplace(name, value);
    request.remote_address = parsed.remote_addr;
    parsed.path = "/";  // routes are ours; the library's regular expressions recurse per character
    parsed.headers.erase("Accept-Encoding");  // no compression
    parsed.headers.erase("Content-Type");     // and no parsing of forms
    parsed.ranges.clear();
    exchange.has_body = true;  // or there may be one
    try {
      exchange.has_body = check_framing(request.headers);
      exchange.refusal = handler_.refuse(request);
      if (!exchange.refusal && exchange.has_body) check_body(request, max_bytes(request));
    } catch (const std::exception& error) {
      exchange.refusal = handler_.error_answer(request, error);
    }
    if (exchange.refusal && exchange.has_body) {
      parsed.headers.erase("Connection");
      parsed.headers.emplace("Connection", "close");
    }
    current_connection->begin_body(request.streams_body ? BodyDeadline::kMinimumRate : BodyDeadline::kWhole);
  }

  size_t max_bytes(const Request& request) const {
    const size_t most = request.streams_body ? limits_.max_upload_bytes : limits_.max_body_bytes;
    return request.max_body_bytes ? std::min(request.max_body_bytes, most) : most;
  }

  Reply handle(BodyReader& body) {
    Exchange& exchange = *current_exchange;
    Request& request = exchange.request;
    Reply reply;
    try {
      if (request.streams_body) {
        request.body_reader = &body;
      } else {
        body.read([&](std::string_view piece) { request.body += piece; });
      }
      reply = handler_.handle(request);
    } catch (const std::exception& error) {
      reply = handler_.error_answer(request, error);
    }
    request.body_reader = nullptr;
    if (exchange.has_body && !exchange.body_read) reply.headers.emplace("Connection", "close");
    return reply;
  }

  // For what the library refuses on its own.
  void answer_unparsed(const httplib::Request& request, httplib::Response& response) {
    Reply reply;
    if (current_connection->timed_out()) {
      reply = error_reply(took_too_long());
    } else if (current_connection->headers_too_large()) {
      reply = error_reply(ApiError(ErrorCode::kInvalidArgument, "the request's headers are too large",
                                   {.code = "headers_too_large", .status = 431}));
    } else {
      const int status = response.status >= 400 ? response.status : 400;
      reply = error_reply(ApiError(ErrorCode::kInvalidArgument, "the request is not understood as HTTP/1.1",
                                   {.code = "malformed_request", .status = status}));
    }
    reply.headers.emplace("Connection", "close");
    current_exchange->close = true;
    answer(std::move(reply), request, response);
  }

  void answer(Reply reply, const httplib::Request& parsed, httplib::Response& response) {
    Exchange& exchange = *current_exchange;
    handler_.decorate(exchange.request, reply);
    exchange.status = response.status = reply.status;
    for (const auto& [name, value] : reply.headers) response.set_header(name, value);
    response.set_header("x-request-id", exchange.request.id);
    const auto elapsed =
        std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - exchange.request.received);
    response.set_header("openai-processing-ms", std::to_string(elapsed.count()));
    if (!reply.stream) {
      if (!reply.body.empty()) response.set_content(reply.body, reply.content_type);
      return;
    }
    auto provider = [stream = std::move(reply.stream)](size_t, httplib::DataSink& sink) {
      SinkWriter writer(sink);
      try {
        stream(writer);
      } catch (const std::exception& error) {
        log::error("a stream ended early: {}", error.what());
        return false;
      }
      sink.done();
      return true;
    };
    if (parsed.version == "HTTP/1.0") {  // knows no chunks: the end of the connection ends the body
      exchange.close = true;
      response.set_content_provider(reply.content_type, std::move(provider));
    } else {
      response.set_chunked_content_provider(reply.content_type, std::move(provider));
    }
  }

  HttpHandler& handler_;
  const HttpLimits limits_;
  TlsContext* const tls_;  // null for plain HTTP
  DisconnectWatcher watcher_;
  WorkerPool pool_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::condition_variable idle_;
  std::unordered_set<int> open_;  // sockets that stop() has to end
  int serving_ = 0;               // requests whose headers came and whose reply is not complete
  int port_ = 0;
  std::thread acceptor_;
};

thread_local bool HttpServer::Impl::Queue::refusing_ = false;

HttpServer::HttpServer(HttpHandler& handler, HttpLimits limits, TlsContext* tls)
    : impl_(std::make_unique<Impl>(handler, limits, tls)) {}
HttpServer::~HttpServer() = default;
void HttpServer::start(const std::string& host, int port) { impl_->start(host, port); }
int HttpServer::port() const { return impl_->port(); }
bool HttpServer::wait_idle(std::chrono::milliseconds timeout) { return impl_->wait_idle(timeout); }
void HttpServer::stop() { impl_->halt(); }

}  // namespace hearth
