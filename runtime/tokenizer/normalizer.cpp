#include "runtime/tokenizer/normalizer.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <optional>
#include <utility>

#include <utf8proc.h>

#include "runtime/tokenizer/byte_level.h"
#include "runtime/tokenizer/rewriter.h"
#include "runtime/tokenizer/unicode_age.h"
#include "runtime/tokenizer/utf8.h"

namespace hearth {
namespace {

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

class Strip : public Normalizer {
 public:
  Strip(bool left, bool right) : left_(left), right_(right) {}
  void apply(NormalizedText& text) const override {
    const std::string_view in = text.text;
    size_t begin = 0, end = in.size();
    while (left_ && begin < end) {
      size_t next = begin;
      if (!utf8::is_space(utf8::decode(in, next))) break;
      begin = next;
    }
    while (right_ && end > begin) {
      size_t before = end;
      if (!utf8::is_space(utf8::decode_back(in, before))) break;
      end = before;
    }
    if (begin == 0 && end == in.size()) return;
    Rewriter out(text);
    out.copy(begin, end);
    out.finish();
  }

 private:
  bool left_, right_;
};

// Letters that utf8proc's Unicode 14 does not know; `offset` leads to the small one.
struct NewCapitals {
  char32_t first, last;
  int32_t offset;
};
constexpr NewCapitals kNewCapitals[] = {{0x1C89, 0x1C89, 1},      {0xA7CB, 0xA7CB, 0x264 - 0xA7CB},
                                        {0xA7CC, 0xA7CC, 1},      {0xA7CE, 0xA7CE, 1},
                                        {0xA7D2, 0xA7D2, 1},      {0xA7D4, 0xA7D4, 1},
                                        {0xA7DA, 0xA7DA, 1},      {0xA7DC, 0xA7DC, 0x19B - 0xA7DC},
                                        {0x10D50, 0x10D65, 0x20}, {0x16EA0, 0x16EB8, 0x1B}};

// Rust's char::to_lowercase: without regard to what stands around.
void lowercase(char32_t c, Rewriter& out, size_t begin) {
  if (c == 0x130) return out.put("i\u0307", begin);  // the only one that becomes two
  for (const NewCapitals& range : kNewCapitals) {
    if (c >= range.first && c <= range.last)
      return out.put(static_cast<char32_t>(static_cast<int32_t>(c) + range.offset), begin);
  }
  out.put(static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))), begin);
}

void strip_accent(char32_t c, Rewriter& out, size_t begin) {
  if (!unicode::is_mark_9(c)) out.put(c, begin);
}

// Sentencepiece's nmt rules: control characters vanish, what looks like a space becomes one.
void nmt(char32_t c, Rewriter& out, size_t begin) {
  const bool vanishes =
      (c >= 0x01 && c <= 0x08) || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F;
  if (vanishes) return;
  const bool is_space = c == 0x09 || c == 0x0A || c == 0x0C || c == 0x0D || c == 0x1680 ||
                        (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xFEFF ||
                        c == 0xFFFD;
  out.put(is_space ? U' ' : c, begin);
}

void map_bytes(char32_t c, Rewriter& out, size_t begin) {
  std::string character;
  utf8::append(character, c);
  out.put(byte_level::encode(character), begin);
}

using CharacterRule = void (*)(char32_t, Rewriter&, size_t);
std::unique_ptr<Normalizer> by_character(CharacterRule rule) {
  return std::make_unique<CharacterNormalizer<CharacterRule>>(rule);
}

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

std::unique_ptr<Normalizer> make_strip(bool left, bool right) { return std::make_unique<Strip>(left, right); }
std::unique_ptr<Normalizer> make_lowercase() { return by_character(lowercase); }
std::unique_ptr<Normalizer> make_strip_accents() { return by_character(strip_accent); }
std::unique_ptr<Normalizer> make_nmt() { return by_character(nmt); }
std::unique_ptr<Normalizer> make_byte_level_normalizer() { return by_character(map_bytes); }
std::unique_ptr<Normalizer> make_prepend(const std::string& prefix) { return std::make_unique<Prepend>(prefix); }
std::unique_ptr<Normalizer> make_replace(const std::string& pattern, bool is_regex, const std::string& content) {
  return std::make_unique<Replace>(pattern, is_regex, content);
}
std::unique_ptr<Normalizer> make_normalizer_sequence(std::vector<std::unique_ptr<Normalizer>> steps) {
  return std::make_unique<Sequence>(std::move(steps));
}

NormalizedText to_normalize(std::string_view text, bool aligned) {
  NormalizedText out{.text = std::string(text), .aligned = aligned, .origin = {}};
  if (aligned) {
    out.origin.resize(text.size() + 1);
    std::iota(out.origin.begin(), out.origin.end(), size_t{0});
  }
  return out;
}

}  // namespace hearth
