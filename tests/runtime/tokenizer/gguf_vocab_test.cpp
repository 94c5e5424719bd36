#include <algorithm>
#include <ctime>
#include <sstream>

#include "golden.h"
#include "tests/support/image_builder.h"

namespace hearth {
namespace {

constexpr uint32_t kInt = 5, kString = 8;  // GGUF's value types

// A file that is a vocabulary and nothing else. The first two tokens are control tokens, the first of them bos.
std::shared_ptr<const Tokenizer> tokenizer_of(const nlohmann::json& vocabulary, const std::string& model,
                                              const std::string& pre) {
  const auto tokens = vocabulary.at("tokens").get<std::vector<std::string>>();
  const auto merges = vocabulary.at("merges").get<std::vector<std::string>>();
  test::GgufBuilder b(0, 6);
  b.key("tokenizer.ggml.model", kString).text(model);
  b.key("tokenizer.ggml.pre", kString).text(pre);
  b.key("tokenizer.ggml.bos_token_id", kInt).put<int32_t>(0);
  b.array("tokenizer.ggml.tokens", kString, tokens.size());
  for (const std::string& token : tokens) b.text(token);
  b.array("tokenizer.ggml.token_type", kInt, tokens.size());
  for (const std::string& token : tokens)
    b.put<int32_t>(token == "<|endoftext|>" ? 3 : token == "<unk>" ? 2 : token.starts_with("<0x") ? 6 : 1);
  b.array("tokenizer.ggml.merges", kString, merges.size());
  for (const std::string& merge : merges) b.text(merge);
  return load_tokenizer(*GgufFile::parse(test::as_image(b.bytes()), "v.gguf"));
}

// FNV-1a over the ids' bytes, as tests/golden/make_gguf_vocabularies.py writes it.
std::string hash_of(const std::vector<TokenId>& ids) {
  uint32_t hash = 2166136261;
  for (const TokenId id : ids) {
    for (int shift = 0; shift < 32; shift += 8) hash = (hash ^ (static_cast<uint32_t>(id) >> shift & 0xFF)) * 16777619;
  }
  return fmt::format("{:08x}", hash);
}

void expect_hashes(const Tokenizer& tokenizer, const nlohmann::json& texts, const std::string& hashes,
                   const std::string& name) {
  std::istringstream expected(hashes);
  for (const auto& text : texts) {
    std::string hash;
    ASSERT_TRUE(expected >> hash);
    const std::vector<TokenId> ids = tokenizer.encode(text.get<std::string>());
    std::vector<std::string> tokens;
    for (const TokenId id : ids) tokens.push_back(tokenizer.token_text(id));
    EXPECT_EQ(hash_of(ids), hash) << name << " cuts " << text << " into " << testing::PrintToString(tokens);
  }
}

TEST(GgufVocab, DefaultModelEncodesAndDecodesAsItsPublishedTokenizer) {
  expect_matches_golden(default_tokenizer(), "smollm2");
}

TEST(GgufVocab, ScoredVocabularyEncodesAsSentencepiece) {
  expect_matches_golden(load_tokenizer(*GgufFile::open(std::string(kGoldenFolder) + "llama2.gguf")), "llama2_gguf");
}

TEST(GgufVocab, EveryPreEncodesAsThePublishedTokenizersOfItsModels) {
  const nlohmann::json golden = read_json(std::string(kGoldenFolder) + "gguf_pre.json");
  ASSERT_GE(golden.at("hashes").size(), 35);
  for (const auto& [pre, hashes] : golden.at("hashes").items()) {
    const std::shared_ptr<const Tokenizer> tokenizer = tokenizer_of(golden, "gpt2", pre);
    expect_hashes(*tokenizer, golden.at("texts"), hashes.get<std::string>(), pre);
    const bool adds_bos = tokenizer->encode("x", {.add_special = true}).front() == 0;
    const auto& add_bos = golden.at("add_bos");
    EXPECT_EQ(adds_bos, std::find(add_bos.begin(), add_bos.end(), pre) != add_bos.end()) << pre;
  }
}

// Quadratic time would be minutes, and a regular expression that needs stack for every character would run out of it.
TEST(GgufVocab, LongRunsTakeNearLinearTime) {
  const nlohmann::json golden = read_json(std::string(kGoldenFolder) + "gguf_pre.json");
  std::vector<std::string> texts;
  for (const std::string_view unit : {"a", "1", " ", "漢", "a "}) {
    std::string& text = texts.emplace_back();
    while (text.size() < 150'000) text += unit;
    text += 'x';
  }
  for (const char* pre : {"exaone-moe", "deepseek-llm", "kimi-k2", "tiny_aya", "superbpe", "falcon"}) {
    const std::shared_ptr<const Tokenizer> tokenizer = tokenizer_of(golden, "gpt2", pre);
    for (const std::string& text : texts) {
      const std::clock_t start = std::clock();
      EXPECT_FALSE(tokenizer->encode(text).empty());
      EXPECT_LT(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC, 5.0) << pre << ' ' << text.substr(0, 4);
    }
  }
}

TEST(GgufVocab, MergesOfCharactersEncodeAsGemma) {
  const nlohmann::json golden = read_json(std::string(kGoldenFolder) + "gguf_pre.json");
  const nlohmann::json& gemma = golden.at("metaspace");
  for (const auto& [model, pre] : {std::pair("gemma4", "default"), std::pair("gpt2", "sarvam-moe")})
    expect_hashes(*tokenizer_of(gemma, model, pre), golden.at("texts"), gemma.at("hashes").get<std::string>(), pre);
  EXPECT_EQ(tokenizer_of(gemma, "gemma4", "default")->decode(tokenizer_of(gemma, "gemma4", "")->encode(" a  \u4F60")),
            " a  \u4F60");
}

}  // namespace
}  // namespace hearth
