#include "runtime/tokenizer/normalizer.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <optional>
#include <utility>

#include <utf8proc.h>

#include "runtime/base/error.h"
#include "runtime/tokenizer/utf8.h"

namespace hearth {
namespace {

// Builds the output of a step beside its input.
class Rewriter {
 public:
  explicit Rewriter(NormalizedText& text) : in_(text) { out_.text.reserve(text.text.size() + 16); }

  void copy(size_t begin, size_t end) {
    out_.text.append(in_.text, begin, end - begin);
    if (in_.aligned) out_.origin.insert(out_.origin.end(), in_.origin.begin() + begin, in_.origin.begin() + end);
  }
  // `content` stands for what began at `begin`.
  void put(std::string_view content, size_t begin) {
    out_.text.append(content);
    if (in_.aligned) out_.origin.insert(out_.origin.end(), content.size(), in_.origin[begin]);
  }
  void finish() {
    if (in_.aligned) out_.origin.push_back(in_.origin.back());
    in_.text = std::move(out_.text);
    in_.origin = std::move(out_.origin);
  }

 private:
  NormalizedText& in_;
  NormalizedText out_;
};

// utf8proc decomposes and composes; the reordering of marks between is ours, since utf8proc's is quadratic in a run of
// marks.
std::string nfc(std::string_view text) {
  std::vector<utf8proc_int32_t> points;
  points.reserve(text.size());
  for (size_t pos = 0; pos < text.size();) {
    utf8proc_int32_t parts[32];
    int boundary = 0;
    const utf8proc_ssize_t count =
        utf8proc_decompose_char(static_cast<utf8proc_int32_t>(utf8::decode(text, pos)), parts, std::size(parts),
                                static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE), &boundary);
    HEARTH_CHECK(count >= 0 && count <= static_cast<utf8proc_ssize_t>(std::size(parts)));
    points.insert(points.end(), parts, parts + count);
  }
  const auto combining_class = [](utf8proc_int32_t c) { return utf8proc_get_property(c)->combining_class; };
  for (auto begin = points.begin(); begin != points.end();) {
    begin = std::find_if(begin, points.end(), [&](utf8proc_int32_t c) { return combining_class(c) != 0; });
    const auto end = std::find_if(begin, points.end(), [&](utf8proc_int32_t c) { return combining_class(c) == 0; });
    std::stable_sort(begin, end,
                     [&](utf8proc_int32_t a, utf8proc_int32_t b) { return combining_class(a) < combining_class(b); });
    begin = end;
  }
  const utf8proc_ssize_t count =
      utf8proc_normalize_utf32(points.data(), static_cast<utf8proc_ssize_t>(points.size()),
                               static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  HEARTH_CHECK(count >= 0);
  std::string out;
  out.reserve(text.size());
  for (utf8proc_ssize_t i = 0; i < count; ++i) utf8::append(out, static_cast<char32_t>(points[static_cast<size_t>(i)]));
  return out;
}

class Nfc : public Normalizer {
 public:
  void apply(NormalizedText& text) const override {
    const size_t begin = stable_prefix(text.text, 0);
    if (begin == text.text.size()) return;
    Rewriter out(text);
    // Runs that end before a stable character normalise alone; in between everything is copied.
    for (size_t pos = 0; pos < text.text.size();) {
      const size_t stable = stable_prefix(text.text, pos);
      out.copy(pos, stable);
      const size_t end = unstable_end(text.text, stable);
      if (end > stable) out.put(nfc(std::string_view(text.text).substr(stable, end - stable)), stable);
      pos = end;
    }
    out.finish();
  }

 private:
  // Characters below U+0300 are composed already and combine with none of their kind.
  static bool is_low(std::string_view text, size_t pos) { return static_cast<unsigned char>(text[pos]) < 0xCC; }
  // Where the run of low characters at `pos` ends, less its last one if what follows might combine with it.
  static size_t stable_prefix(std::string_view text, size_t pos) {
    size_t last = pos, at = pos;
    while (at < text.size() && is_low(text, at)) {
      last = at;
      at += utf8::length_from_lead(static_cast<unsigned char>(text[at]));
    }
    return at == text.size() ? at : last;
  }
  // Where, from a last low character on, the next run of low characters begins.
  static size_t unstable_end(std::string_view text, size_t pos) {
    if (pos == text.size()) return pos;
    if (is_low(text, pos)) pos += utf8::length_from_lead(static_cast<unsigned char>(text[pos]));
    while (pos < text.size() && !is_low(text, pos))
      pos += utf8::length_from_lead(static_cast<unsigned char>(text[pos]));
    return pos;
  }
};

class Prepend : public Normalizer {
 public:
  explicit Prepend(std::string prefix) : prefix_(std::move(prefix)) {}
  void apply(NormalizedText& text) const override {
    if (text.text.empty()) return;
    text.text.insert(0, prefix_);
    if (text.aligned) text.origin.insert(text.origin.begin(), prefix_.size(), text.origin.front());
  }

 private:
  std::string prefix_;
};

class Replace : public Normalizer {
 public:
  Replace(const std::string& pattern, bool is_regex, std::string content)
      : pattern_(pattern), content_(std::move(content)) {
    if (is_regex) regex_.emplace(pattern);
  }
  void apply(NormalizedText& text) const override {
    Rewriter out(text);
    const std::string_view in = text.text;
    size_t done = 0;
    for (size_t from = 0; from <= in.size() && !in.empty();) {
      const std::optional<ByteRange> match = find(in, from);
      if (!match) break;
      out.copy(done, match->begin);
      out.put(content_, match->begin);
      done = from = match->end;
      if (match->begin == match->end)
        from += from < in.size() ? utf8::length_from_lead(static_cast<unsigned char>(in[from])) : 1;
    }
    out.copy(done, in.size());
    out.finish();
  }

 private:
  std::optional<ByteRange> find(std::string_view text, size_t from) const {
    if (regex_) return regex_->find(text, from);
    const size_t at = pattern_.empty() ? std::string_view::npos : text.find(pattern_, from);
    if (at == std::string_view::npos) return std::nullopt;
    return ByteRange{at, at + pattern_.size()};
  }

  std::string pattern_;
  std::optional<Regex> regex_;
  std::string content_;
};

class Sequence : public Normalizer {
 public:
  explicit Sequence(std::vector<std::unique_ptr<Normalizer>> steps) : steps_(std::move(steps)) {}
  void apply(NormalizedText& text) const override {
    for (const auto& step : steps_) step->apply(text);
  }

 private:
  std::vector<std::unique_ptr<Normalizer>> steps_;
};

}  // namespace

std::unique_ptr<Normalizer> make_nfc() { return std::make_unique<Nfc>(); }
std::unique_ptr<Normalizer> make_prepend(const std::string& prefix) { return std::make_unique<Prepend>(prefix); }
std::unique_ptr<Normalizer> make_replace(const std::string& pattern, bool is_regex, const std::string& content) {
  return std::make_unique<Replace>(pattern, is_regex, content);
}
std::unique_ptr<Normalizer> make_normalizer_sequence(std::vector<std::unique_ptr<Normalizer>> steps) {
  return std::make_unique<Sequence>(std::move(steps));
}

NormalizedText to_normalize(std::string_view text, bool aligned) {
  NormalizedText out{std::string(text), aligned, {}};
  if (aligned) {
    out.origin.resize(text.size() + 1);
    std::iota(out.origin.begin(), out.origin.end(), size_t{0});
  }
  return out;
}

}  // namespace hearth
