#include "golden.h"
#include "runtime/base/random.h"
#include "runtime/tokenizer/utf8.h"

namespace hearth {
namespace {

std::vector<std::shared_ptr<const Tokenizer>> tokenizers_with_bytes() {
  return {default_tokenizer(), load_tokenizer(std::filesystem::path(kGoldenFolder) / "llama2"),
          load_tokenizer(std::filesystem::path(kGoldenFolder) / "spm"),
          load_tokenizer(std::filesystem::path(kGoldenFolder) / "metaspace_always")};
}

// Mostly tokens of one byte, which can be put together to anything.
std::vector<TokenId> noise(const Tokenizer& tokenizer, Random& random) {
  std::vector<TokenId> ids;
  for (uint64_t i = 0, n = random.below(24); i < n; ++i) {
    auto id = static_cast<TokenId>(random.below(static_cast<uint64_t>(tokenizer.vocab_size())));
    for (int attempt = 0; attempt < 20 && tokenizer.token_bytes(id).size() > 1; ++attempt) {
      id = static_cast<TokenId>(random.below(static_cast<uint64_t>(std::min<int64_t>(tokenizer.vocab_size(), 600))));
    }
    ids.push_back(id);
  }
  return ids;
}

TEST(StreamDecoder, PiecesAreWholeCharactersAndMakeUpTheDecodedText) {
  Random random(11);
  for (const auto& tokenizer : tokenizers_with_bytes()) {
    for (int round = 0; round < 2000; ++round) {
      const std::vector<TokenId> ids = noise(*tokenizer, random);
      StreamDecoder decoder(tokenizer);
      std::string text;
      for (const TokenId id : ids) {
        const std::string piece = decoder.push(id);
        EXPECT_EQ(utf8::find_invalid(piece), std::string::npos);
        text += piece;
      }
      EXPECT_EQ(text + decoder.finish(), tokenizer->decode(ids));
    }
  }
}

TEST(StreamDecoder, HoldsBackAnUnfinishedCharacterOnly) {
  const auto tokenizer = default_tokenizer();
  const std::vector<TokenId> ids = tokenizer->encode("😀");
  ASSERT_EQ(ids.size(), 3);
  StreamDecoder decoder(tokenizer);
  EXPECT_EQ(decoder.push(ids[0]), "");
  EXPECT_EQ(decoder.push(ids[1]), "");
  EXPECT_EQ(decoder.push(ids[2]), "😀");
  EXPECT_EQ(decoder.push(ids[0]), "");
  EXPECT_EQ(decoder.finish(), "\uFFFD");
}

TEST(StreamDecoder, GivesTextAsSoonAsItIsCertain) {
  const auto tokenizer = default_tokenizer();
  StreamDecoder decoder(tokenizer);
  for (const TokenId id : tokenizer->encode("plain text, one token at a time"))
    EXPECT_EQ(decoder.push(id), tokenizer->token_bytes(id));
  EXPECT_EQ(decoder.finish(), "");
}

TEST(StreamDecoder, LeavesOutControlTokensUnlessAskedForThem) {
  const auto tokenizer = default_tokenizer();
  const std::vector<TokenId> ids = tokenizer->encode("a<|im_end|>b");
  EXPECT_EQ(stream(tokenizer, ids, /*skip_special=*/true), "ab");
  EXPECT_EQ(stream(tokenizer, ids, /*skip_special=*/false), "a<|im_end|>b");
}

// Models have rows for more ids than their tokenizers have tokens.
TEST(StreamDecoder, IdsWithoutATokenAddNothing) {
  const auto tokenizer = default_tokenizer();
  StreamDecoder decoder(tokenizer);
  EXPECT_EQ(decoder.push(-1), "");
  EXPECT_EQ(decoder.push(static_cast<TokenId>(tokenizer->vocab_size())), "");
  EXPECT_THROW((void)tokenizer->token_bytes(static_cast<TokenId>(tokenizer->vocab_size())), Error);
}

TEST(StreamDecoder, DropsTheLeadingSpaceOfSentencepieceOnce) {
  const auto tokenizer = load_tokenizer(std::filesystem::path(kGoldenFolder) / "llama2");
  StreamDecoder decoder(tokenizer);
  std::string text;
  for (const TokenId id : tokenizer->encode("  two spaces, then words")) text += decoder.push(id);
  EXPECT_EQ(text + decoder.finish(), "  two spaces, then words");
}

TEST(Utf8, InvalidBytesBecomeReplacementCharactersByMaximalSubparts) {
  const auto lossy = [](std::string_view bytes) {
    std::string out;
    utf8::append_lossy(bytes, /*final=*/true, out);
    return out;
  };
  const std::string r(utf8::kReplacement);
  EXPECT_EQ(lossy("\xF0\x9F\x98"), r);                  // truncated: one
  EXPECT_EQ(lossy("\xF0\x9F\x98x"), r + "x");           // broken off
  EXPECT_EQ(lossy("\xED\xA0\x80"), r + r + r);          // surrogate
  EXPECT_EQ(lossy("\xC0\xAF"), r + r);                  // overlong
  EXPECT_EQ(lossy("\xF4\x90\x80\x80"), r + r + r + r);  // above U+10FFFF
  EXPECT_EQ(lossy("\xE2\x82\xE2\x82\xAC"), r + "€");
  EXPECT_EQ(lossy("a\x80z\xFF"), "a" + r + "z" + r);
}

}  // namespace
}  // namespace hearth
