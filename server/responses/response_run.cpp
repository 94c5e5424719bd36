#include "server/responses/response_run.h"

#include <utility>

#include "runtime/base/log.h"
#include "server/responses/response_object.h"

namespace hearth {
namespace {

constexpr auto kIdleAfter = std::chrono::seconds(15);

}  // namespace

ResponseRun::ResponseRun(ResponseRequest request, const std::shared_ptr<ServedModel>& model, App& app,
                         AnswerStore* store, std::string owner, std::chrono::steady_clock::time_point received)
    : store_(request.store ? store : nullptr),
      owner_(std::move(owner)),
      with_logprobs_(request.chat.generation.top_logprobs >= 0),
      streams_(request.chat.generation.stream),
      input_(std::move(request.input)),
      response_(new_response(request, *model)),
      answers_(request.names.translated(
          [&] { return std::make_unique<ChatAnswers>(std::move(request.chat), model, app, received); })) {}

Error daemon_ended() { return unavailable("the daemon ended while this response ran; send the request again"); }

void ResponseRun::shut_down() {
  is_shut_down_ = true;
  cancel();
}

StoredAnswer ResponseRun::stored() const {
  return {.kind = AnswerKind::kResponse, .owner = owner_, .object = response_};
}

void ResponseRun::keep_beginning() {
  StoredAnswer answer = stored();
  answer.has_ended = false;
  store_->add(answer, input_, {});
}

void ResponseRun::run(const ResponseWriter::Sink& event, const std::function<void()>& idle) {
  ResponseWriter writer(response_, event);
  std::vector<ResponsePiece> pieces;
  try {
    writer.begin();
    while (!answers_->finished()) {
      const std::optional<ChatPiece> piece = answers_->next(kIdleAfter);
      if (!piece) {
        idle();
        continue;
      }
      pieces.push_back(response_piece(*piece, with_logprobs_));
      writer.take(pieces.back());
    }
    writer.stop();
    response_ = ended_response(std::move(response_), writer.output(), answers_->usage(), pieces.back().text);
  } catch (const std::exception& error) {
    failure_ = std::current_exception();
    writer.stop();
    response_ = is_shut_down_ ? failed_response(std::move(response_), writer.output(), daemon_ended())
                              : failed_response(std::move(response_), writer.output(), error);
  }
  keep(pieces);
  writer.end(response_);
}

void ResponseRun::keep(const std::vector<ResponsePiece>& pieces) {
  if (!store_) return;
  if (failure_ && !streams_ && !is_background()) return;  // its client gets an error and never its id
  try {
    StoredAnswer answer = stored();
    answer.pieces = pieces_json(pieces);
    std::vector<StoredItem> output;
    for (const auto& item : response_["output"]) output.push_back({item});
    if (is_background())
      store_->finish(answer, output);
    else
      store_->add(answer, input_, output);
  } catch (const Error& error) {  // the answer is there all the same
    log::error("{} is not stored: {}", id(), error.what());
  }
}

}  // namespace hearth
