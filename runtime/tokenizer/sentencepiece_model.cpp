#include "runtime/tokenizer/sentencepiece_model.h"

#include <cstdint>
#include <cstring>
#include <optional>

namespace hearth {
namespace {

class ProtoReader {
 public:
  explicit ProtoReader(std::string_view bytes) : bytes_(bytes) {}

  struct Field {
    uint64_t number = 0, varint = 0;
    std::string_view message = {};  // of a length-delimited field
  };
  std::optional<Field> next() {
    const std::optional<uint64_t> tag = varint();
    if (!tag) return std::nullopt;
    Field field{.number = *tag >> 3};
    switch (*tag & 7) {
      case 0: {
        const std::optional<uint64_t> value = varint();
        if (!value) return std::nullopt;
        field.varint = *value;
        return field;
      }
      case 1:
        return take(8, field);
      case 2: {
        const std::optional<uint64_t> size = varint();
        if (!size) return std::nullopt;
        return take(*size, field);
      }
      case 5:
        return take(4, field);
      default:
        return std::nullopt;
    }
  }

 private:
  std::optional<uint64_t> varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && !bytes_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(bytes_.front());
      bytes_.remove_prefix(1);
      value |= uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return value;
    }
    return std::nullopt;
  }
  std::optional<Field> take(uint64_t size, Field field) {
    if (size > bytes_.size()) return std::nullopt;
    field.message = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return field;
  }

  std::string_view bytes_;
};

// fn(field) for each.
template <class Fn>
void for_each_field(std::string_view message, Fn&& fn) {
  ProtoReader reader(message);
  while (const std::optional<ProtoReader::Field> field = reader.next()) fn(*field);
}

SentencePieceModel::Piece read_piece(std::string_view message) {
  constexpr uint64_t kText = 1, kScore = 2, kType = 3;
  SentencePieceModel::Piece piece;
  for_each_field(message, [&](const ProtoReader::Field& field) {
    if (field.number == kText) piece.text = field.message;
    if (field.number == kScore && field.message.size() == sizeof(float))
      std::memcpy(&piece.score, field.message.data(), sizeof(float));
    if (field.number == kType && field.varint >= kNormalToken && field.varint <= kByteToken)
      piece.type = static_cast<GgufTokenType>(field.varint);
  });
  return piece;
}

}  // namespace

SentencePieceModel read_sentencepiece_model(std::string_view bytes) {
  constexpr uint64_t kPieces = 1, kTrainer = 2, kNormalizer = 3;
  constexpr uint64_t kModelType = 3, kBpe = 2, kRemoveExtraWhitespaces = 4;
  SentencePieceModel model;
  for_each_field(bytes, [&](const ProtoReader::Field& field) {
    if (field.number == kPieces) model.pieces.push_back(read_piece(field.message));
    if (field.number == kTrainer)
      for_each_field(field.message, [&](const ProtoReader::Field& of) {
        if (of.number == kModelType) model.is_bpe = of.varint == kBpe;
      });
    if (field.number == kNormalizer)
      for_each_field(field.message, [&](const ProtoReader::Field& of) {
        if (of.number == kRemoveExtraWhitespaces) model.remove_extra_whitespaces = of.varint != 0;
      });
  });
  return model;
}

}  // namespace hearth
