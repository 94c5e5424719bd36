#include "templates/tool_parsers/harmony.h"

#include <utility>

namespace hearth {
namespace {

constexpr std::string_view kBlanks = " \n\t\r";

// The word behind `key` in a message's header.
std::string word_behind(const std::string& header, std::string_view key) {
  const size_t at = header.find(key);
  if (at == std::string::npos) return "";
  const size_t begin = at + key.size();
  return header.substr(begin, header.find_first_of(" <\n", begin) - begin);
}

}  // namespace

HarmonyReader::HarmonyReader(MessageSink& sink)
    : sink_(sink),
      header_end_({"<|message|>"}, false),
      body_end_({"<|end|>", "<|call|>", "<|return|>", "<|start|>"}, false) {}

void HarmonyReader::read(char byte) {
  if (!in_body_) return read_header(byte);
  std::string text;
  const bool is_done = body_end_.read(byte, text).has_value();
  put(text);
  if (!is_done) return;
  in_body_ = has_mark_ = false;
  header_.clear();
}

void HarmonyReader::read_header(char byte) {
  if (header_end_.read(byte, header_)) return begin_body();
  has_mark_ = has_mark_ || byte == '<';
  // A model that knows no channels writes text at once.
  if (has_mark_ || header_.find_first_not_of(kBlanks) == std::string::npos) return;
  if (header_.starts_with(" to=") || std::string_view(" to=").starts_with(header_)) return;
  in_body_ = true;
  kind_ = Kind::kText;
  put(std::exchange(header_, {}));
}

void HarmonyReader::begin_body() {
  in_body_ = true;
  std::string recipient = word_behind(header_, "to=");
  constexpr std::string_view kNamespace = "functions.";
  if (recipient.starts_with(kNamespace)) {
    kind_ = Kind::kCall;
    arguments_end_ = JsonValueEnd();
    arguments_done_ = false;
    sink_.call(recipient.substr(kNamespace.size()));
  } else {
    kind_ = word_behind(header_, "<|channel|>") == "analysis" ? Kind::kReasoning : Kind::kText;
  }
}

void HarmonyReader::put(const std::string& text) {
  if (kind_ == Kind::kReasoning) return sink_.reasoning(text);
  if (kind_ == Kind::kText) return sink_.text(text);
  for (const char byte : text) {
    if (arguments_done_) return;
    sink_.arguments({&byte, 1});
    if (arguments_end_.read(byte) != ReadStep::kDone) continue;
    arguments_done_ = true;
    sink_.complete_call();
  }
}

void HarmonyReader::finish(bool /*ended*/) {
  if (in_body_) return put(body_end_.take_held());
  const std::string left = header_ + header_end_.take_held();
  if (left.find("<|channel|>") == left.npos && !left.starts_with(" to=")) sink_.text(left);
}

}  // namespace hearth
