// One response from the request that was read to the object that is kept.
#pragma once

#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "server/chat_answers.h"
#include "server/responses/response_request.h"
#include "server/responses/response_writer.h"
#include "server/stored/answer_store.h"

namespace hearth {

class ResponseRun {
 public:
  // Submits it; throws for whatever can be refused, with the request's own names of fields. `store` may be null where
  // the request is not to be stored, and otherwise outlives it.
  ResponseRun(ResponseRequest request, const std::shared_ptr<ServedModel>& model, App& app, AnswerStore* store,
              std::string owner, std::chrono::steady_clock::time_point received);

  std::string id() const { return response_.at("id"); }
  // As it is when it begins, and once run() has returned, as it has ended.
  const nlohmann::ordered_json& response() const { return response_; }
  bool is_background() const { return response_.at("background"); }
  bool streams() const { return streams_; }

  // Keeps it before it has run, so that it can be asked for meanwhile.
  void keep_beginning();
  // To the end, on this thread, once. `event` gets what happens; `idle` is called when nothing has for a while. The
  // response is stored before the last event tells of it. Throws nothing that comes from the model.
  void run(const ResponseWriter::Sink& event, const std::function<void()>& idle);
  // What made it fail or end early; null: nothing.
  const std::exception_ptr& failure() const { return failure_; }

  // Thread-safe, as shut_down is: the response ends within moments, cancelled or failed.
  void cancel() { answers_->cancel(); }
  void shut_down();
  std::shared_ptr<void> watch(Client* client) { return answers_->watch(client); }

 private:
  void keep(const std::vector<ResponsePiece>& pieces);
  StoredAnswer stored() const;

  AnswerStore* store_;  // null: it is not stored
  const std::string owner_;
  const bool with_logprobs_, streams_;
  std::vector<StoredItem> input_;
  nlohmann::ordered_json response_;
  std::unique_ptr<ChatAnswers> answers_;
  std::exception_ptr failure_;
  std::atomic<bool> is_shut_down_{false};
};

// Why a response failed that ran when the daemon stopped or died.
Error daemon_ended();

}  // namespace hearth
