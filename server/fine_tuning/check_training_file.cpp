#include "server/fine_tuning/check_training_file.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "finetune/datasets/convert.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "server/api_error.h"
#include "server/chat_messages.h"
#include "server/json_reader.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf", kSpace = " \t\r\n";
constexpr size_t kMostCause = 300, kProgress = size_t{16} << 20;

// The lines of a text that are not blank.
class Lines {
 public:
  explicit Lines(std::string_view text)
      : text_(text), at_(text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0) {}

  bool next() {
    while (at_ < text_.size()) {
      const size_t begin = at_, end = std::min(text_.size(), text_.find('\n', begin));
      at_ = std::min(text_.size(), end + 1);
      ++number_;
      line_ = text_.substr(begin, end - begin);
      const size_t first = line_.find_first_not_of(kSpace);
      if (first == std::string_view::npos) continue;
      line_ = line_.substr(first, line_.find_last_not_of(kSpace) + 1 - first);
      return true;
    }
    return false;
  }
  std::string_view line() const { return line_; }
  int64_t number() const { return number_; }
  size_t done() const { return at_; }

 private:
  std::string_view text_, line_;
  size_t at_;
  int64_t number_ = 0;
};

std::string text_at(const JsonReader& message, const char* key) {
  const JsonReader field = message[key];
  return field ? field.string() : "";
}

// Leading system messages, then what is asked (a user's message, or results of the tools that were called) and an
// answer in turn. `prompt_alone`: it ends with what is asked.
void check_order(const std::vector<JsonReader>& messages, bool prompt_alone) {
  std::string before;
  for (const JsonReader& message : messages) {
    const JsonReader field = message["role"];
    std::string role = field.string();
    if (role == "developer") role = "system";
    if (role == "system" && !before.empty() && before != "system")
      field.fail("a system message may only stand at the beginning");
    if (role == "assistant" && before != "user" && before != "tool")
      field.fail("an answer must follow a user's message or a tool's result");
    if (role == "user" && before == "user") field.fail("two messages of the user follow each other: write them as one");
    if (role == "user" && before == "tool") field.fail("the assistant's answer to the tool's result is missing");
    if (role == "tool" && before != "tool" && before != "calls")
      field.fail("a tool's result must follow the assistant's tool_calls");
    if (role == "function") field.fail("write 'tool', and 'tool_calls' in place of 'function_call'");
    if (message["function_call"]) message["function_call"].fail("is the old form: write 'tool_calls'");
    const bool calls = role == "assistant" && !message["tool_calls"].elements().empty();
    before = calls ? "calls" : role;
  }
  if (prompt_alone && before != "user" && before != "tool")
    messages.back()["role"].fail("the prompt must end with a user's message or a tool's result");
  if (!prompt_alone && before != "assistant" && before != "calls")
    messages.back()["role"].fail(fmt::format("the last message must be the assistant's, which is learnt; it is of '{}'",
                                             text_at(messages.back(), "role")));
}

void check_weights(const std::vector<JsonReader>& messages) {
  bool learns = false;
  for (const JsonReader& message : messages) {
    const JsonReader weight = message["weight"];
    const bool answers = text_at(message, "role") == "assistant";
    if (weight && !answers) weight.fail("only messages of the assistant have a weight");
    learns |= answers && (!weight || weight.integer(0, 1) == 1);
  }
  if (!learns) messages.front()["weight"].fail("every answer has weight 0: nothing is learnt");
}

using Texts = std::vector<std::string>;  // of an example, for the tokenizer

void add_texts(const JsonReader& messages, Texts& texts) {
  std::vector<ImageReference> images;
  const Json read = read_messages(messages, images);
  if (!images.empty())
    throw unsupported_field(images[0].field,
                            fmt::format("'{}': training files of this kind have no images", images[0].field));
  for (const Json& message : read) {
    texts.push_back(message.value("content", ""));
    if (message.contains("tool_calls")) texts.push_back(message["tool_calls"].dump());
  }
}

void check_chat(const JsonReader& line, Texts& texts) {
  const JsonReader messages = line.required("messages");
  add_texts(messages, texts);
  read_tools(line["tools"]);
  if (const JsonReader parallel = line["parallel_tool_calls"]) (void)parallel.boolean();
  const std::vector<JsonReader> list = messages.elements();
  check_order(list, /*prompt_alone=*/false);
  check_weights(list);
}

void check_preference(const JsonReader& line, Texts& texts) {
  const JsonReader input = line.required("input");
  const JsonReader messages = input.required("messages");
  add_texts(messages, texts);
  read_tools(input["tools"]);
  check_order(messages.elements(), /*prompt_alone=*/true);
  for (const char* key : {"preferred_output", "non_preferred_output"}) {
    const JsonReader output = line.required(key);
    add_texts(output, texts);
    const std::vector<JsonReader> answers = output.elements();
    if (answers.size() != 1) output.fail(fmt::format("must be one message, found {}", answers.size()));
    if (text_at(answers[0], "role") != "assistant") answers[0]["role"].fail("must be 'assistant'");
  }
}

void check_completion(const JsonReader& line, Texts& texts) {
  if (line["messages"]) line["messages"].fail("the lines before are of 'prompt' and 'completion': all must be");
  texts.push_back(line.required("prompt").string());
  texts.push_back(line.required("completion").string());
  if (texts.back().empty()) line["completion"].fail("is empty: nothing is learnt");
}

// As the job's dataset_info.json says it, which the reader makes its DatasetInfo of.
DatasetInfo reader_of(TrainingLines lines) {
  DatasetInfo info;
  info.tags = openai_tags();
  info.columns = {.prompt = {}, .query = {}, .response = {}, .messages = {}};
  if (lines == TrainingLines::kChat) {
    info.formatting = Formatting::kOpenaiChat;
    info.columns.messages = "messages";
    info.columns.tools = "tools";
  } else if (lines == TrainingLines::kPreference) {
    info.formatting = Formatting::kOpenaiPreference;
    info.ranking = true;
    info.columns.prompt = "input";
    info.columns.chosen = "preferred_output";
    info.columns.rejected = "non_preferred_output";
  } else {
    info.formatting = Formatting::kTrl;
    info.columns.prompt = "prompt";
    info.columns.response = "completion";
  }
  return info;
}

// Whole characters of the beginning.
std::string shortened(std::string text) {
  if (text.size() <= kMostCause) return text;
  size_t size = kMostCause;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
  text.resize(size);
  return text + "...";
}

class LineChecker {
 public:
  explicit LineChecker(const TrainingFileCheck& check) : check_(check), info_(reader_of(check.lines)) {}

  // -> tokens. Throws what is wrong.
  int64_t operator()(std::string_view text) const {
    if (text.size() > kMaxRowBytes)
      throw invalid_argument("it has {} MiB, at most {}", text.size() >> 20, kMaxRowBytes >> 20);
    Row row{parse_json(text, {}, "it"), "line", ""};
    const JsonReader line(row.value);
    if (!line.is_object()) throw invalid_argument("it must be an object, {{...}}");
    Texts texts;
    if (check_.lines == TrainingLines::kChat)
      check_chat(line, texts);
    else if (check_.lines == TrainingLines::kPreference)
      check_preference(line, texts);
    else
      check_completion(line, texts);
    int64_t tokens = 0;
    if (check_.count_tokens)
      for (const std::string& one : texts) tokens += check_.count_tokens(one);
    // What the reader would refuse, or leave out, is told now.
    try {
      const Aligned aligned = align(row, info_, {});
      if (!aligned.dropped.empty()) throw invalid_argument("{}", aligned.dropped);
    } catch (const BadExample& bad) {
      throw invalid_argument("'{}': {}", bad.column, bad.reason);
    }
    return tokens;
  }

 private:
  const TrainingFileCheck& check_;
  const DatasetInfo info_;
};

TrainingFileReport check_lines(std::string_view text, const TrainingFileCheck& check,
                               const std::function<void(size_t done)>& on_progress) {
  const LineChecker check_line(check);
  TrainingFileReport report;
  size_t told = 0;
  int64_t count = 0;
  for (Lines lines(text); lines.next();) {
    ++count;
    try {
      report.tokens += check_line(lines.line());
      ++report.examples;
    } catch (const Error& error) {
      report.has_more_errors = report.errors.size() == kMostErrors;
      if (report.has_more_errors) break;
      report.errors.push_back({lines.number(), shortened(error.what())});
    }
    if (lines.done() - told < kProgress) continue;
    told = lines.done();
    if (on_progress) on_progress(told);
  }
  if (count == 0) {
    report.errors.push_back({0, "it has no lines"});
  } else if (report.errors.empty() && count < check.fewest) {
    report.errors.push_back({0, fmt::format("it has {} examples, at least {} are needed", count, check.fewest)});
  }
  return report;
}

// Of a line that is none of them, kChat: the check will say what is wrong with it.
TrainingLines kind_of_line(std::string_view line) {
  if (line.size() > kMaxRowBytes) return TrainingLines::kChat;
  Json json;
  try {
    json = parse_json(line);
  } catch (const Error&) {
    return TrainingLines::kChat;
  }
  const auto has = [&](const char* key) { return json.is_object() && json.contains(key); };
  if (has("preferred_output") && !has("messages")) return TrainingLines::kPreference;
  return has("prompt") && !has("messages") ? TrainingLines::kCompletion : TrainingLines::kChat;
}

std::string_view text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

}  // namespace

TrainingFileReport check_training_text(std::string_view text, const TrainingFileCheck& check) {
  return check_lines(text, check, check.on_progress);
}

TrainingFileReport check_training_file(const std::filesystem::path& path, const TrainingFileCheck& check) {
  const std::shared_ptr<const MappedFile> file = MappedFile::open(path);
  size_t released = 0;
  return check_lines(text_of(*file), check, [&](size_t done) {
    file->release_pages(released, done - released);
    released = done;
    if (check.on_progress) check.on_progress(done);
  });
}

std::string describe(const TrainingFileReport& report) {
  std::string text;
  for (const LineError& error : report.errors) {
    if (!text.empty()) text += "; ";
    text += error.line > 0 ? fmt::format("line {}: {}", error.line, error.cause) : error.cause;
  }
  return report.has_more_errors ? text + "; and more" : text;
}

TrainingFileGlance glance_at_training_file(const std::filesystem::path& path) {
  const std::shared_ptr<const MappedFile> file = MappedFile::open(path);
  TrainingFileGlance glance;
  for (Lines lines(text_of(*file)); lines.next(); ++glance.examples)
    if (glance.examples == 0) glance.lines = kind_of_line(lines.line());
  return glance;
}

}  // namespace hearth
