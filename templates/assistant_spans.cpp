#include "templates/assistant_spans.h"

#include <algorithm>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "runtime/base/error.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

bool is_assistant(const Json& message) {
  const auto role = message.find("role");
  return role != message.end() && *role == "assistant";
}

bool calls_tools(const Json& message) {
  const auto calls = message.find("tool_calls");
  return calls != message.end() && calls->is_array() && !calls->empty();
}

void probe_arguments(Json& call, const std::string& probe) {
  if (!call.is_object()) return;
  Json& function = call.contains("function") ? call["function"] : call;
  if (!function.is_object()) return;
  Json& arguments = function["arguments"];
  if (arguments.is_string()) {
    arguments = Json{{"probe", probe}}.dump();
  } else if (arguments.is_object() && !arguments.empty()) {
    for (auto& argument : arguments) argument = probe;
  } else {
    arguments = Json{{"probe", probe}};
  }
}

// Behind a probe: what it stands in. Both are equally long.
constexpr const char *kInText = "text", *kInCall = "call";

// The message with other words: its texts and the arguments of its calls, in the shape they have. A call's name stays,
// because templates repeat it in the tool's result.
Json probed(Json message, const std::string& probe) {
  Json& content = message["content"];
  if (content.is_array()) {
    for (Json& part : content)
      if (part.is_object() && part.contains("text")) part["text"] = probe + kInText;
  } else if (!calls_tools(message) || (content.is_string() && content != "")) {
    content = probe + kInText;
  }
  if (calls_tools(message)) {
    if (content.is_null()) message.erase("content");
    for (Json& call : message["tool_calls"]) probe_arguments(call, probe + kInCall);
  }
  return message;
}

bool inside(const ByteRange& inner, const std::vector<ByteRange>& ranges) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [&](const ByteRange& range) { return range.begin <= inner.begin && inner.end <= range.end; });
}

bool overlap(const ByteRange& a, const std::vector<ByteRange>& ranges) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [&](const ByteRange& range) { return range.begin < a.end && a.begin < range.end; });
}

class SpanFinder {
 public:
  SpanFinder(const ChatTemplate& chat_template, const ChatTemplateInputs& inputs)
      : template_(chat_template), inputs_(inputs) {
    if (!inputs_.now) inputs_.now = std::time(nullptr);  // one time for all renderings
    whole_ = template_.render(inputs_);
    while (whole_.text.find(probe_) != std::string::npos) probe_ += 'x';
    while (whole_.text.find(anchor_) != std::string::npos) anchor_ += 'x';
  }

  AssistantSpans find() {
    std::vector<ByteRange> spans;
    if (marks_every_turn()) {
      spans = whole_.generated;
    } else {
      for (size_t i = 0; i < inputs_.messages.size(); ++i) {
        if (!is_assistant(inputs_.messages[i])) continue;
        const ByteRange found = span(i);
        if (!spans.empty() && found.begin < spans.back().end) throw unknown(i, "it lies within the one before");
        spans.push_back(found);
      }
    }
    return {std::move(whole_), std::move(spans)};
  }

 private:
  static Error unknown(size_t i, std::string_view why) {
    return invalid_argument(
        "messages[{}]: the chat template does not show which part of its text the assistant wrote: {}; name a template "
        "of `hearth templates` with 'template'",
        i, why);
  }

  RenderedPrompt render(size_t i, Json messages, bool add_generation_prompt) const {
    ChatTemplateInputs inputs;
    inputs.messages = std::move(messages);
    inputs.tools = inputs_.tools;
    inputs.extra = inputs_.extra;
    inputs.add_generation_prompt = add_generation_prompt;
    inputs.now = inputs_.now;
    try {
      return template_.render(inputs);
    } catch (const Error& error) {
      throw unknown(i, fmt::format("a part of the conversation does not render: {}", error.what()));
    }
  }

  static std::string_view behind_last(std::string_view probe, std::string_view text, size_t i) {
    const size_t at = text.rfind(probe);
    if (at == std::string_view::npos) throw unknown(i, "a message is left out when others are not there");
    return text.substr(at + probe.size() + std::string_view(kInText).size());
  }

  // The first `count` messages.
  Json first(size_t count) const {
    Json messages = Json::array();
    for (size_t i = 0; i < count; ++i) messages.push_back(inputs_.messages[i]);
    return messages;
  }

  // The whole conversation with other words in message i.
  RenderedPrompt probed_whole(size_t i) const {
    Json messages = inputs_.messages;
    messages[i] = probed(std::move(messages[i]), probe_);
    RenderedPrompt prompt = render(i, std::move(messages), inputs_.add_generation_prompt);
    const bool calls = calls_tools(inputs_.messages[i]);
    if (prompt.text.find(probe_ + (calls ? kInCall : kInText)) == std::string::npos)
      throw unknown(i, calls ? "it leaves out the arguments of tool calls" : "it leaves out the text");
    return prompt;
  }

  bool marks_every_turn() const {
    if (whole_.generated.empty()) return false;
    for (const ByteRange& mark : whole_.generated)
      if (overlap(mark, whole_.literal)) return false;
    for (size_t i = 0; i < inputs_.messages.size(); ++i) {
      if (!is_assistant(inputs_.messages[i])) continue;
      const RenderedPrompt prompt = probed_whole(i);
      for (size_t at = prompt.text.find(probe_); at != std::string::npos; at = prompt.text.find(probe_, at + 1))
        if (!inside({at, at + probe_.size()}, prompt.generated)) return false;
    }
    return true;
  }

  // What the template writes after the messages before a turn.
  struct Before {
    std::string prompt;
    std::string header = {};  // what the generation prompt adds; empty where it adds nothing, or not only
    bool closing = false;     // an end of sequence stands where no generation prompt does
  };
  Before before_turn(size_t i) const {
    Before before{render(i, first(i), true).text};
    size_t asked = i;  // behind an answer, a template may leave out more than the header
    while (asked > 0 && is_assistant(inputs_.messages[asked - 1])) --asked;
    const std::string& eos = template_.eos_token();
    try {
      const std::string without = render(i, first(asked), false).text;
      const std::string with = asked == i ? before.prompt : render(i, first(asked), true).text;
      if (with.starts_with(without))
        before.header = with.substr(without.size());
      else
        before.closing = !eos.empty() && without.ends_with(eos) &&
                         with.starts_with(std::string_view(without).substr(0, without.size() - eos.size()));
    } catch (const Error&) {
      return before;  // a template need not render a conversation that stops there
    }
    return before;
  }

  // Outside of the span, the whole text is the same whatever the message says: that is checked, byte for byte.
  ByteRange span(size_t i) const {
    const std::string other = probed_whole(i).text;
    const Before before = before_turn(i);
    const size_t begin = whole_.text.starts_with(before.prompt) ? before.prompt.size() : begin_of_turn(i, before);
    const std::string_view behind = std::string_view(other).substr(end_of_turn(i, before, other));
    const std::string_view ahead = std::string_view(other).substr(0, std::min(begin, other.find(probe_)));
    if (!whole_.text.starts_with(ahead) || !whole_.text.ends_with(behind) || begin + behind.size() > whole_.text.size())
      throw unknown(i, "what it says changes the text before or behind it");
    const ByteRange found = {begin, whole_.text.size() - behind.size()};
    if (overlap(found, whole_.literal)) throw unknown(i, "a user's or a tool's text lies in it");
    return found;
  }

  // Where the whole text does not begin with the prompt of the turn: because the template writes earlier turns
  // otherwise once there are later ones, or because its generation prompt has more than its answers ("<think>"). Looked
  // for with a plain text in the place of the message, so that nothing but the header stands before the probe.
  size_t begin_of_turn(size_t i, const Before& before) const {
    Json messages = inputs_.messages;
    messages[i] = {{"role", "assistant"}, {"content", probe_ + kInText}};
    std::string plain;
    try {
      plain = render(i, messages, inputs_.add_generation_prompt).text;
    } catch (const Error&) {  // a tool's result behind a text, where the template minds
      messages[i] = probed(inputs_.messages[i], probe_);
      plain = render(i, messages, inputs_.add_generation_prompt).text;
    }
    const std::string_view ahead = std::string_view(plain).substr(0, plain.find(probe_));
    size_t begin = ahead.size();
    if (!before.prompt.starts_with(ahead) && (before.header.empty() || !ahead.ends_with(before.header)))
      begin -= own_prefix(i, std::move(messages), ahead);
    if (!whole_.text.starts_with(ahead.substr(0, begin))) throw unknown(i, kBegin);
    return begin;
  }

  // How many bytes before the probe are the answer's own, for a template whose generation prompt cannot be told from
  // the end of the message before: what stands between the words of that message and the probe is compared with what
  // stands behind them in the prompt.
  size_t own_prefix(size_t i, Json messages, std::string_view ahead) const {
    if (i == 0) throw unknown(i, kBegin);
    Json earlier = first(i);
    messages[i - 1] = earlier[i - 1] = probed(std::move(earlier[i - 1]), anchor_);
    const std::string prompt = render(i, std::move(earlier), true).text;
    const std::string whole = render(i, std::move(messages), inputs_.add_generation_prompt).text;
    const std::string_view expected = behind_last(anchor_, prompt, i);
    const std::string_view between = behind_last(anchor_, std::string_view(whole).substr(0, whole.find(probe_)), i);
    if (!ahead.ends_with(between)) throw unknown(i, kBegin);
    if (between.starts_with(expected)) return between.size() - expected.size();
    if (expected.starts_with(between)) return 0;
    throw unknown(i, kBegin);
  }

  // In `other`: where the turn ends. What the template writes behind it is what stands there when the conversation
  // stops, or when nothing but a generation prompt follows (it may leave the last message open, or close it otherwise).
  size_t end_of_turn(size_t i, const Before& before, const std::string& other) const {
    Json messages = first(i + 1);
    messages[i] = probed(std::move(messages[i]), probe_);
    const std::string_view rest = behind_last(probe_, other, i);
    const std::string stopped = render(i, messages, false).text;
    std::string_view end = behind_last(probe_, stopped, i);
    if (before.closing && end.ends_with(template_.eos_token())) end.remove_suffix(template_.eos_token().size());
    std::optional<size_t> size;
    if (rest.starts_with(end)) size = end.size();
    if (!before.header.empty()) {
      const std::string prompted = render(i, std::move(messages), true).text;
      end = behind_last(probe_, prompted, i);
      if (end.ends_with(before.header)) {
        end.remove_suffix(before.header.size());
        if (rest.starts_with(end)) size = std::max(size.value_or(0), end.size());
      }
    } else if (i + 1 == inputs_.messages.size() && !goes_on_after(end, i, std::move(messages))) {
      // A template that does not heed add_generation_prompt may have written its header there.
      throw unknown(i, kEnd);
    }
    if (!size) throw unknown(i, kEnd);
    return other.size() - rest.size() + *size;
  }

  // Whether the turn ends alike when another message follows.
  bool goes_on_after(std::string_view end, size_t i, Json messages) const {
    Json next = {{"role", "user"}, {"content", anchor_}};
    if (calls_tools(messages[i])) {
      const Json& call = messages[i]["tool_calls"][0];
      next["role"] = "tool";
      if (call.is_object() && call.contains("id")) next["tool_call_id"] = call["id"];
    }
    messages.push_back(std::move(next));
    const std::string longer = render(i, std::move(messages), false).text;
    return behind_last(probe_, longer, i).starts_with(end);
  }

  static constexpr const char* kBegin = "it begins otherwise than the generation prompt";
  static constexpr const char* kEnd = "it ends otherwise when something follows";

  const ChatTemplate& template_;
  ChatTemplateInputs inputs_;
  RenderedPrompt whole_;
  std::string probe_ = "hearthprobe", anchor_ = "hearthanchor";
};

}  // namespace

AssistantSpans assistant_spans(const ChatTemplate& chat_template, const ChatTemplateInputs& inputs) {
  return SpanFinder(chat_template, inputs).find();
}

}  // namespace hearth
