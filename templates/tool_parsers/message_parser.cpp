#include "templates/tool_parsers/message_parser.h"

#include <utility>

#include "templates/tool_parsers/harmony.h"
#include "templates/tool_parsers/marked_calls.h"

namespace hearth {
namespace {

class PlainText : public MessageReader {
 public:
  explicit PlainText(MessageSink& sink) : sink_(sink) {}
  void read(char byte) override { sink_.text({&byte, 1}); }
  void finish(bool /*ended*/) override {}

 private:
  MessageSink& sink_;
};

// Takes the reasoning off the front; blanks around it belong to nothing.
class ReasoningReader {
 public:
  ReasoningReader(const ReasoningFormat& format, std::string_view prompt, MessageReader& rest, MessageSink& sink)
      : begin_(format.begin), rest_(rest), sink_(sink), end_({std::string(format.end)}, true) {
    if (has_begun(format, prompt))
      state_ = State::kFront;
    else if (format.empty() || has_ended(format, prompt))
      state_ = State::kRest;
  }

  void read(char byte) {
    switch (state_) {
      case State::kBefore:
        held_ += byte;
        if (is_blank(byte) && held_.find_first_not_of(kBlanks) == std::string::npos) return;
        read_begin();
        return;
      case State::kFront:
        if (is_blank(byte)) return;
        state_ = State::kInside;
        [[fallthrough]];
      case State::kInside: {
        std::string text;
        if (end_.read(byte, text)) state_ = State::kBehind;
        sink_.reasoning(text);
        return;
      }
      case State::kBehind:
        if (is_blank(byte)) return;
        state_ = State::kRest;
        [[fallthrough]];
      case State::kRest:
        return rest_.read(byte);
    }
  }

  void finish(bool ended) {
    for (const char byte : std::exchange(held_, {})) rest_.read(byte);
    if (state_ == State::kInside) sink_.reasoning(end_.take_held());
    rest_.finish(ended);
  }

  bool is_inside() const { return state_ == State::kFront || state_ == State::kInside; }

 private:
  static constexpr std::string_view kBlanks = " \n\t\r";
  enum class State { kBefore, kFront, kInside, kBehind, kRest };

  void read_begin() {
    const std::string_view word = std::string_view(held_).substr(held_.find_first_not_of(kBlanks));
    if (word == begin_) {
      held_.clear();
      state_ = State::kFront;
    } else if (!begin_.starts_with(word)) {
      state_ = State::kRest;
      for (const char byte : std::exchange(held_, {})) rest_.read(byte);
    }
  }

  std::string_view begin_;
  MessageReader& rest_;
  MessageSink& sink_;
  MarkFinder end_;
  State state_ = State::kBefore;
  std::string held_;
};

}  // namespace

struct MessageParser::Impl {
  Impl(const MessageFormat& format, const nlohmann::ordered_json& tools_json, std::string_view prompt)
      : tools(tools_json), reader(reader_of(format, tools_json, prompt)) {
    reasoning.emplace(harmony != nullptr ? ReasoningFormat{} : format.reasoning, prompt, *reader, sink);
  }

  std::unique_ptr<MessageReader> reader_of(const MessageFormat& format, const nlohmann::ordered_json& tools_json,
                                           std::string_view prompt) {
    if (format.calls != nullptr && format.calls->body == CallBody::kHarmony) {
      auto made = std::make_unique<HarmonyReader>(sink);
      harmony = made.get();
      return made;
    }
    // A prompt that ends within a call or its recipient says how the answer is to be read, tools or none.
    const bool in_call = format.calls != nullptr && !format.calls->text_name.empty() &&
                         prompt.ends_with(bare_mark(format.calls->call_begin));
    if (format.calls == nullptr || (tools_json.empty() && !in_call)) return std::make_unique<PlainText>(sink);
    return std::make_unique<MarkedCalls>(*format.calls, tools, in_call, sink);
  }

  MessageSink sink;
  KnownTools tools;
  const HarmonyReader* harmony = nullptr;
  std::unique_ptr<MessageReader> reader;
  std::optional<ReasoningReader> reasoning;
};

MessageParser::MessageParser(const MessageFormat& format, const nlohmann::ordered_json& tools, std::string_view prompt)
    : impl_(std::make_unique<Impl>(format, tools, prompt)) {}
MessageParser::~MessageParser() = default;
MessageParser::MessageParser(MessageParser&&) noexcept = default;

std::vector<MessagePiece> MessageParser::push(std::string_view text) {
  for (const char byte : text) impl_->reasoning->read(byte);
  return impl_->sink.take();
}

std::vector<MessagePiece> MessageParser::finish(bool ended) {
  impl_->reasoning->finish(ended);
  return impl_->sink.take();
}

size_t MessageParser::complete_calls() const { return impl_->sink.complete_calls(); }

bool MessageParser::is_reasoning() const {
  return impl_->harmony != nullptr ? impl_->harmony->is_reasoning() : impl_->reasoning->is_inside();
}

}  // namespace hearth
