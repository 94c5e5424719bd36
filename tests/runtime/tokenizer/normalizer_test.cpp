// Normalisers and character classes against the library's over all of Unicode, and where order or place matters.
#include "runtime/tokenizer/normalizer.h"

#include "golden.h"
#include "runtime/tokenizer/base64.h"
#include "runtime/tokenizer/bert_normalizer.h"
#include "runtime/tokenizer/precompiled_charsmap.h"
#include "runtime/tokenizer/pretokenizer.h"
#include "runtime/tokenizer/utf8.h"

namespace hearth {
namespace {

constexpr char32_t kBlock = 4096;

std::string normalize(const Normalizer& normalizer, std::string_view text) {
  NormalizedText normal = to_normalize(text, false);
  normalizer.apply(normal);
  return normal.text;
}

std::string between_letters(char32_t c) {
  std::string text = "a";
  utf8::append(text, c);
  return text + "a";
}

bool is_surrogate(char32_t c) { return c >= 0xD800 && c < 0xE000; }

uint32_t hash_block(const Normalizer& normalizer, char32_t begin) {
  std::string text;  // at once: nothing reaches over the letters
  for (char32_t c = begin; c < begin + kBlock; ++c) {
    if (!is_surrogate(c)) text += between_letters(c);
  }
  uint32_t value = 0x811C9DC5;  // FNV-1a
  for (const char byte : normalize(normalizer, text)) value = (value ^ static_cast<unsigned char>(byte)) * 0x01000193;
  return value;
}

TEST(Normalizers, MapEveryCodePointAsTheReference) {
  std::vector<std::pair<const char*, std::unique_ptr<Normalizer>>> normalizers;
  normalizers.emplace_back("NFC", make_nfc());
  normalizers.emplace_back("NFD", make_nfd());
  normalizers.emplace_back("NFKC", make_nfkc());
  normalizers.emplace_back("NFKD", make_nfkd());
  normalizers.emplace_back("Lowercase", make_lowercase());
  normalizers.emplace_back("StripAccents", make_strip_accents());
  normalizers.emplace_back("Nmt", make_nmt());
  normalizers.emplace_back("BertNormalizer", make_bert_normalizer({}));
  const nlohmann::json maps = read_json(std::string(kGoldenFolder) + "unicode.json").at("maps");
  for (const auto& [name, normalizer] : normalizers) {
    for (size_t block = 0; block < 0x110000 / kBlock; ++block) {
      const auto begin = static_cast<char32_t>(block * kBlock);
      EXPECT_EQ(hash_block(*normalizer, begin), maps.at(name).at(block).get<uint32_t>())
          << name << " from U+" << std::hex << static_cast<uint32_t>(begin);
    }
  }
}

TEST(PreTokenizers, CutAtTheCodePointsOfTheReference) {
  std::vector<std::pair<const char*, std::unique_ptr<PreTokenizer>>> classes;
  classes.emplace_back("Punctuation", make_punctuation(SplitBehavior::kIsolated));
  classes.emplace_back("Digits", make_digits(/*individual=*/true));
  classes.emplace_back("WhitespaceSplit", make_whitespace_split());
  const nlohmann::json golden = read_json(std::string(kGoldenFolder) + "unicode.json").at("classes");
  for (const auto& [name, pre_tokenizer] : classes) {
    std::vector<std::pair<uint32_t, uint32_t>> ranges;
    PieceList pieces;
    for (char32_t c = 0; c < 0x110000; ++c) {
      if (is_surrogate(c)) continue;
      const std::string text = between_letters(c);
      pieces.text = text;
      pieces.ranges.assign(1, {0, text.size()});
      pre_tokenizer->split(pieces);
      if (pieces.ranges.size() == 1) continue;
      if (!ranges.empty() && ranges.back().second + 1 == c) {
        ranges.back().second = c;
      } else {
        ranges.emplace_back(c, c);
      }
    }
    EXPECT_EQ(nlohmann::json(ranges), golden.at(name)) << name;
  }
}

TEST(Normalizers, TheFormsOrderMarksAndCompose) {
  EXPECT_EQ(normalize(*make_nfd(), "\u1ea5"), "a\u0302\u0301");
  EXPECT_EQ(normalize(*make_nfc(), "a\u0323\u0302 \u1100\u1161\u11a8"), "\u1ead \uac01");
  EXPECT_EQ(normalize(*make_nfkc(), "ﬁ①Ⅷ\u00a0½"), "fi1VIII 1\u20442");
  EXPECT_EQ(normalize(*make_nfkd(), "ﬁ\u1e9b\u0323"), "fis\u0323\u0307");
  EXPECT_EQ(normalize(*make_nfc(), "\U00011935\U00011930"), "\U00011935\U00011930");  // newer than the library's tables
}

TEST(Normalizers, StripTellsThatTheBeginningIsGone) {
  NormalizedText text = to_normalize("\u3000 a b \n", true);
  make_strip(true, true)->apply(text);
  EXPECT_EQ(text.text, "a b");
  EXPECT_TRUE(text.lost_begin);
  EXPECT_EQ(text.origin, (std::vector<size_t>{4, 5, 6, 9}));
  NormalizedText right = to_normalize("a  ", false);
  make_strip(true, true)->apply(right);
  EXPECT_FALSE(right.lost_begin);
}

TEST(PrecompiledCharsmap, ReplacesShortGraphemesAsAWhole) {
  const nlohmann::json json = read_json(std::string(kGoldenFolder) + "families/t5/tokenizer.json");
  const std::optional<std::string> blob =
      decode_base64(json.at("normalizer").at("precompiled_charsmap").get<std::string>());
  ASSERT_TRUE(blob);
  const PrecompiledCharsmap charsmap(*blob);
  EXPECT_EQ(charsmap.replacement("ﬁ"), "fi");
  EXPECT_EQ(charsmap.replacement("x"), std::nullopt);
  EXPECT_EQ(normalize(charsmap, "ﬁx"), "fix");
  EXPECT_EQ(normalize(charsmap, "ﬁ\u0301x"), "fix");  // one grapheme of five bytes: the shortest match stands for all
  EXPECT_EQ(normalize(charsmap, "a\r\nb"), "a b");
  EXPECT_EQ(normalize(charsmap, std::string_view("a\0b", 3)), std::string_view("a\0b", 3));
}

TEST(PrecompiledCharsmap, BrokenBlobsAreRefusedOrMatchNothing) {
  EXPECT_THROW(PrecompiledCharsmap(""), Error);
  EXPECT_THROW(PrecompiledCharsmap(std::string_view("\x08\0\0\0abcd", 8)), Error);
  EXPECT_THROW(PrecompiledCharsmap(std::string_view("\0\0\0\0\xFF", 5)), Error);
  // Every unit leads out of the array, or to a text that is not there.
  for (const char fill : {'\x00', '\x61', '\xFF', '\x7F'}) {
    std::string blob("\x40\0\0\0", 4);
    blob += std::string(64, fill) + "ab";
    const PrecompiledCharsmap charsmap(blob);
    for (const char c : {'a', '\x01', '\x7F'}) (void)charsmap.replacement(std::string(3, c));
  }
}

TEST(Base64, ReadsWhatIsWellFormedOnly) {
  EXPECT_EQ(decode_base64("aGk="), "hi");
  EXPECT_EQ(decode_base64("aGk"), "hi");
  EXPECT_EQ(decode_base64("/+8="), "\xFF\xEF");
  EXPECT_EQ(decode_base64(""), "");
  for (const char* text : {"a", "a=b=", "aG k", "-_", "abcde"}) EXPECT_EQ(decode_base64(text), std::nullopt) << text;
}

}  // namespace
}  // namespace hearth
