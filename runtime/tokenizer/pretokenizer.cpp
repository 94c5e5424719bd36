#include "runtime/tokenizer/pretokenizer.h"

#include <utility>

#include <fmt/format.h>

#include "runtime/tokenizer/utf8.h"

namespace hearth {
namespace {

struct Part {
  ByteRange range;
  bool is_match;
};

class Split : public PreTokenizer {
 public:
  Split(const std::string& pattern, SplitBehavior behavior, bool invert)
      : regex_(pattern), behavior_(behavior), invert_(invert) {}

  void split(PieceList& pieces) const override {
    std::vector<ByteRange> out = std::move(pieces.scratch);
    out.clear();
    for (const ByteRange& range : pieces.ranges) {
      if (behavior_ == SplitBehavior::kIsolated) {
        isolate(pieces.text, range, out);
      } else {
        split_piece(pieces.text, range, out);
      }
    }
    pieces.scratch = std::exchange(pieces.ranges, std::move(out));
  }

 private:
  // Matches and gaps alike are pieces.
  void isolate(std::string_view text, const ByteRange& range, std::vector<ByteRange>& out) const {
    for_each_part(text, range, [&](const ByteRange& part, bool) { push(out, part.begin, part.end); });
  }

  // fn(range, is_match) for the matches and what lies between them, in order; empty ones too.
  template <class Fn>
  void for_each_part(std::string_view text, const ByteRange& range, Fn&& fn) const {
    const std::string_view piece = text.substr(range.begin, range.end - range.begin);
    size_t done = 0, from = 0;
    while (from < piece.size()) {
      const std::optional<ByteRange> match = regex_.find(piece, from);
      if (!match) break;
      if (match->begin > done) fn(ByteRange{range.begin + done, range.begin + match->begin}, invert_);
      fn(ByteRange{range.begin + match->begin, range.begin + match->end}, !invert_);
      done = from = match->end;
      if (match->begin == match->end && from < piece.size())
        from += utf8::length_from_lead(static_cast<unsigned char>(piece[from]));
    }
    if (done < piece.size()) fn(ByteRange{range.begin + done, range.end}, invert_);
  }

  void split_piece(std::string_view text, const ByteRange& range, std::vector<ByteRange>& out) const {
    ByteRange open{range.begin, range.begin};  // grown until it is known where the piece ends
    bool open_is_match = false, first = true;
    const auto flush = [&] { push(out, open.begin, open.end); };
    for_each_part(text, range, [&](const ByteRange& part, bool is_match) {
      bool joins = false;
      if (!first) {
        if (behavior_ == SplitBehavior::kMergedWithPrevious) joins = is_match && !open_is_match;
        if (behavior_ == SplitBehavior::kMergedWithNext) joins = open_is_match && !is_match;
        if (behavior_ == SplitBehavior::kContiguous) joins = is_match == open_is_match;
      }
      if (joins) {
        open.end = part.end;
      } else {
        if (!(behavior_ == SplitBehavior::kRemoved && open_is_match)) flush();
        open = part;
      }
      open_is_match = is_match;
      first = false;
    });
    if (!(behavior_ == SplitBehavior::kRemoved && open_is_match)) flush();
  }

  static void push(std::vector<ByteRange>& out, size_t begin, size_t end) {
    if (begin < end) out.push_back({begin, end});
  }

  Regex regex_;
  SplitBehavior behavior_;
  bool invert_;
};

class ByteLevel : public PreTokenizer {
 public:
  ByteLevel(bool add_prefix_space, bool use_regex) : add_prefix_space_(add_prefix_space) {
    if (use_regex) regex_ = make_split(kGpt2Regex, SplitBehavior::kIsolated, false);
  }

  void split(PieceList& pieces) const override {
    if (add_prefix_space_) prefix(pieces);
    if (regex_) regex_->split(pieces);
  }

 private:
  static void prefix(PieceList& pieces) {
    std::string text;
    text.reserve(pieces.text.size() + pieces.ranges.size());
    for (ByteRange& range : pieces.ranges) {
      const size_t begin = text.size();
      const std::string_view piece = pieces.text.substr(range.begin, range.end - range.begin);
      if (piece.front() != ' ') text += ' ';
      text += piece;
      range = {begin, text.size()};
    }
    pieces.storage = std::move(text);
    pieces.text = pieces.storage;
  }

  bool add_prefix_space_;
  std::unique_ptr<PreTokenizer> regex_;
};

class Metaspace : public PreTokenizer {
 public:
  Metaspace(std::string replacement, PrependScheme scheme, bool split)
      : replacement_(std::move(replacement)), scheme_(scheme) {
    if (split) split_ = make_split(escape_regex(replacement_), SplitBehavior::kMergedWithNext, false);
  }

  void split(PieceList& pieces) const override {
    std::string text;
    text.reserve(pieces.text.size() + pieces.text.size() / 4 + replacement_.size());
    for (ByteRange& range : pieces.ranges) {
      const std::string_view piece = pieces.text.substr(range.begin, range.end - range.begin);
      const bool prepends = scheme_ == PrependScheme::kAlways ||
                            (scheme_ == PrependScheme::kFirst && pieces.text_start && range.begin == 0);
      const size_t begin = text.size();
      if (prepends && piece.front() != ' ' && !piece.starts_with(replacement_)) text += replacement_;
      for (const char c : piece) {
        if (c == ' ') {
          text += replacement_;
        } else {
          text += c;
        }
      }
      range = {begin, text.size()};
    }
    pieces.storage = std::move(text);
    pieces.text = pieces.storage;
    if (split_) split_->split(pieces);
  }

 private:
  std::string replacement_;
  PrependScheme scheme_;
  std::unique_ptr<PreTokenizer> split_;
};

class Sequence : public PreTokenizer {
 public:
  explicit Sequence(std::vector<std::unique_ptr<PreTokenizer>> steps) : steps_(std::move(steps)) {}
  void split(PieceList& pieces) const override {
    for (const auto& step : steps_) step->split(pieces);
  }

 private:
  std::vector<std::unique_ptr<PreTokenizer>> steps_;
};

// Rust's char::is_numeric: N, with what came to it since PCRE2's Unicode 14.
constexpr const char* kNumeric =
    R"(\p{N}\x{10D40}-\x{10D49}\x{116D0}-\x{116E3}\x{11BF0}-\x{11BF9}\x{11DE0}-\x{11DE9}\x{11F50}-\x{11F59})"
    R"(\x{16130}-\x{16139}\x{16D70}-\x{16D79}\x{16FF4}-\x{16FF6}\x{1CCF0}-\x{1CCF9}\x{1D2C0}-\x{1D2D3})"
    R"(\x{1E4F0}-\x{1E4F9}\x{1E5F1}-\x{1E5FA})";

}  // namespace

std::unique_ptr<PreTokenizer> make_split(const std::string& pattern, SplitBehavior behavior, bool invert) {
  return std::make_unique<Split>(pattern, behavior, invert);
}

std::unique_ptr<PreTokenizer> make_digits(bool individual) {
  return make_split(fmt::format("[{}]{}", kNumeric, individual ? "" : "+"), SplitBehavior::kIsolated, false);
}

std::unique_ptr<PreTokenizer> make_byte_level(bool add_prefix_space, bool use_regex) {
  return std::make_unique<ByteLevel>(add_prefix_space, use_regex);
}

std::unique_ptr<PreTokenizer> make_metaspace(const std::string& replacement, PrependScheme scheme, bool split) {
  return std::make_unique<Metaspace>(replacement, scheme, split);
}

std::unique_ptr<PreTokenizer> make_sequence(std::vector<std::unique_ptr<PreTokenizer>> steps) {
  return std::make_unique<Sequence>(std::move(steps));
}

std::string escape_regex(std::string_view text) {
  std::string pattern;
  for (const char c : text) {
    if (std::string_view(R"(\^$.[]|()?*+{}#-&~ )").find(c) != std::string_view::npos) pattern += '\\';
    pattern += c;
  }
  return pattern;
}

}  // namespace hearth
