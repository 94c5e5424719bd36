#include "runtime/tokenizer/number_splits.h"

#include <utility>

#include "runtime/tokenizer/regex.h"
#include "runtime/tokenizer/utf8.h"

namespace hearth {
namespace {

// Lets `cut(piece, out)` replace every piece.
template <class Cut>
void replace_pieces(PieceList& pieces, Cut&& cut) {
  std::vector<ByteRange> out = std::move(pieces.scratch);
  out.clear();
  for (const ByteRange& piece : pieces.ranges) cut(piece, out);
  pieces.scratch = std::exchange(pieces.ranges, std::move(out));
}

// Takes the places where a piece is cut, in order and perhaps twice, and appends the parts.
class Cutter {
 public:
  Cutter(const ByteRange& piece, std::vector<ByteRange>& out) : begin_(piece.begin), end_(piece.end), out_(out) {}
  ~Cutter() { at(end_); }
  void at(size_t place) {
    if (place > begin_) out_.push_back({begin_, place});
    begin_ = place;
  }

 private:
  size_t begin_, end_;
  std::vector<ByteRange>& out_;
};

class DigitGroups : public PreTokenizer {
 public:
  // `runs` matches the digits to group; `isolated`: a run is cut off from what surrounds it.
  DigitGroups(const char* runs, bool isolated) : runs_(runs), isolated_(isolated) {}

  void split(PieceList& pieces) const override {
    replace_pieces(pieces, [&](const ByteRange& piece, std::vector<ByteRange>& out) {
      const std::string_view text = pieces.text.substr(piece.begin, piece.end - piece.begin);
      Cutter cut(piece, out);
      for (size_t from = 0; from < text.size();) {
        const std::optional<ByteRange> run = runs_.find(text, from);
        if (!run) break;
        if (isolated_) cut.at(piece.begin + run->begin);
        size_t left = 0;  // digits from here to the end of the run
        for (size_t pos = run->begin; pos < run->end; pos += length(text, pos)) ++left;
        for (size_t pos = run->begin; pos < run->end; pos += length(text, pos)) {
          if (left-- % 3 == 0) cut.at(piece.begin + pos);
        }
        if (isolated_) cut.at(piece.begin + run->end);
        from = run->end;
      }
    });
  }

 private:
  static size_t length(std::string_view text, size_t pos) {
    return utf8::length_from_lead(static_cast<unsigned char>(text[pos]));
  }

  Regex runs_;
  bool isolated_;
};

class ByteDigits : public PreTokenizer {
 public:
  explicit ByteDigits(bool individual) : individual_(individual) {}

  void split(PieceList& pieces) const override {
    replace_pieces(pieces, [&](const ByteRange& piece, std::vector<ByteRange>& out) {
      Cutter cut(piece, out);
      bool was_numeric = false;
      for (size_t pos = piece.begin; pos < piece.end; ++pos) {
        const bool numeric = is_numeric(static_cast<unsigned char>(pieces.text[pos]));
        if (numeric != was_numeric || (numeric && individual_)) cut.at(pos);
        was_numeric = numeric;
      }
    });
  }

 private:
  static bool is_numeric(unsigned char byte) {
    return (byte >= '0' && byte <= '9') || byte == 0xB2 || byte == 0xB3 || byte == 0xB9 ||
           (byte >= 0xBC && byte <= 0xBE);
  }

  bool individual_;
};

}  // namespace

std::unique_ptr<PreTokenizer> make_number_groups() {
  std::vector<std::unique_ptr<PreTokenizer>> steps;
  steps.push_back(make_digits(/*individual=*/false));
  steps.push_back(std::make_unique<DigitGroups>(R"(\d++)", /*isolated=*/false));
  return make_sequence(std::move(steps));
}

std::unique_ptr<PreTokenizer> make_digit_groups() {
  return std::make_unique<DigitGroups>(R"((?<!\d)\d++(?!\w))", /*isolated=*/true);
}

std::unique_ptr<PreTokenizer> make_byte_digits(bool individual) { return std::make_unique<ByteDigits>(individual); }

}  // namespace hearth
