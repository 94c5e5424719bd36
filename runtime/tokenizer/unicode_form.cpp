// NFC, NFD, NFKC and NFKD as unicode-normalization-alignments has them (Unicode 9). utf8proc decomposes and composes;
// the reordering of marks between is ours, since utf8proc's is quadratic in a run of marks.
#include <algorithm>
#include <iterator>
#include <vector>

#include <utf8proc.h>

#include "runtime/base/error.h"
#include "runtime/tokenizer/rewriter.h"
#include "runtime/tokenizer/unicode_age.h"

namespace hearth {
namespace {

using Points = std::vector<utf8proc_int32_t>;

bool is_newer(utf8proc_int32_t c) { return unicode::is_newer_than_9(static_cast<char32_t>(c)); }

void decompose(std::string_view text, int form, Points& points) {
  points.reserve(text.size());
  for (size_t pos = 0; pos < text.size();) {
    const char32_t c = utf8::decode(text, pos);
    if (unicode::is_newer_than_9(c)) {
      points.push_back(static_cast<utf8proc_int32_t>(c));
      continue;
    }
    utf8proc_int32_t parts[32];
    int boundary = 0;
    const utf8proc_ssize_t count =
        utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts, std::size(parts),
                                static_cast<utf8proc_option_t>(form | UTF8PROC_DECOMPOSE), &boundary);
    HEARTH_CHECK(count >= 0 && count <= static_cast<utf8proc_ssize_t>(std::size(parts)));
    points.insert(points.end(), parts, parts + count);
  }
}

int combining_class(utf8proc_int32_t c) {
  const utf8proc_propval_t value = utf8proc_get_property(c)->combining_class;
  return value != 0 && is_newer(c) ? 0 : value;
}

void order_marks(Points& points) {
  for (auto begin = points.begin(); begin != points.end();) {
    begin = std::find_if(begin, points.end(), [&](utf8proc_int32_t c) { return combining_class(c) != 0; });
    const auto end = std::find_if(begin, points.end(), [&](utf8proc_int32_t c) { return combining_class(c) == 0; });
    std::stable_sort(begin, end,
                     [&](utf8proc_int32_t a, utf8proc_int32_t b) { return combining_class(a) < combining_class(b); });
    begin = end;
  }
}

class UnicodeForm : public Normalizer {
 public:
  UnicodeForm(bool compatibility, bool composes)
      : form_(UTF8PROC_STABLE | (compatibility ? UTF8PROC_COMPAT : 0)),
        composes_(composes),
        // Characters below U+0300 are composed already and combine with none of their kind; the other forms change all
        // but ASCII.
        low_lead_(composes && !compatibility ? 0xCC : 0x80) {}

  void apply(NormalizedText& text) const override {
    const size_t begin = stable_prefix(text.text, 0);
    if (begin == text.text.size()) return;
    Rewriter out(text);
    // Runs that end before a stable character normalise alone; in between everything is copied.
    for (size_t pos = 0; pos < text.text.size();) {
      const size_t stable = stable_prefix(text.text, pos);
      out.copy(pos, stable);
      const size_t end = unstable_end(text.text, stable);
      if (end > stable) out.put(normalize(std::string_view(text.text).substr(stable, end - stable)), stable);
      pos = end;
    }
    out.finish();
  }

 private:
  std::string normalize(std::string_view text) const {
    Points points;
    decompose(text, form_, points);
    order_marks(points);
    std::string out;
    out.reserve(text.size());
    // A newer character composes with nothing, whatever utf8proc knows of it.
    for (auto begin = points.begin(); begin != points.end();) {
      const auto end =
          std::find_if(begin + 1, points.end(), [&](utf8proc_int32_t c) { return is_newer(*begin) || is_newer(c); });
      utf8proc_ssize_t count = end - begin;
      if (composes_ && count > 1) {
        count = utf8proc_normalize_utf32(&*begin, count,
                                         static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
        HEARTH_CHECK(count >= 0);
      }
      for (utf8proc_ssize_t i = 0; i < count; ++i) utf8::append(out, static_cast<char32_t>(begin[i]));
      begin = end;
    }
    return out;
  }

  bool is_low(std::string_view text, size_t pos) const { return static_cast<unsigned char>(text[pos]) < low_lead_; }
  // Where the run of low characters at `pos` ends, less its last one if what follows might combine with it.
  size_t stable_prefix(std::string_view text, size_t pos) const {
    size_t last = pos, at = pos;
    while (at < text.size() && is_low(text, at)) {
      last = at;
      at += utf8::length_from_lead(static_cast<unsigned char>(text[at]));
    }
    return at == text.size() ? at : last;
  }
  // Where, from a last low character on, the next run of low characters begins.
  size_t unstable_end(std::string_view text, size_t pos) const {
    if (pos == text.size()) return pos;
    if (is_low(text, pos)) pos += utf8::length_from_lead(static_cast<unsigned char>(text[pos]));
    while (pos < text.size() && !is_low(text, pos))
      pos += utf8::length_from_lead(static_cast<unsigned char>(text[pos]));
    return pos;
  }

  int form_;
  bool composes_;
  unsigned char low_lead_;
};

}  // namespace

std::unique_ptr<Normalizer> make_nfc() { return std::make_unique<UnicodeForm>(false, true); }
std::unique_ptr<Normalizer> make_nfd() { return std::make_unique<UnicodeForm>(false, false); }
std::unique_ptr<Normalizer> make_nfkc() { return std::make_unique<UnicodeForm>(true, true); }
std::unique_ptr<Normalizer> make_nfkd() { return std::make_unique<UnicodeForm>(true, false); }

}  // namespace hearth
