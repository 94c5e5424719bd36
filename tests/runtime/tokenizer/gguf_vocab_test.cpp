#include <algorithm>
#include <ctime>
#include <sstream>
#include <type_traits>

#include "golden.h"
#include "tests/support/image_builder.h"

namespace hearth {
namespace {

constexpr uint32_t kByte = 0, kInt = 5, kFloat = 6, kString = 8;  // GGUF's value types

int32_t type_of(const std::string& token) {
  if (token == "<unk>") return 2;
  if (token.starts_with("<0x")) return 6;
  return token == "<|endoftext|>" || token == "<pad>" || token == "</s>" ||
                 (token.size() > 2 && token.starts_with("[") && token.ends_with("]"))
             ? 3
             : 1;
}

template <class T>
void put_array(test::GgufBuilder& b, std::string_view key, uint32_t type, const std::vector<T>& values) {
  b.array(key, type, values.size());
  for (const T& value : values) {
    if constexpr (std::is_same_v<T, std::string>) {
      b.text(value);
    } else {
      b.put(value);
    }
  }
}

// A file that is a vocabulary and nothing else.
std::shared_ptr<const Tokenizer> tokenizer_of(const nlohmann::json& vocabulary, const std::string& model,
                                              const std::vector<std::pair<std::string, int32_t>>& ids,
                                              const std::string& pre = "default") {
  const auto tokens = vocabulary.at("tokens").get<std::vector<std::string>>();
  std::vector<int32_t> types(tokens.size());
  std::transform(tokens.begin(), tokens.end(), types.begin(), type_of);
  const bool merges = vocabulary.contains("merges"), charsmap = vocabulary.contains("charsmap");
  test::GgufBuilder b(0, 4 + ids.size() + (merges ? 1 : 0) + (charsmap ? 3 : 0));
  b.key("tokenizer.ggml.model", kString).text(model);
  b.key("tokenizer.ggml.pre", kString).text(pre);
  for (const auto& [name, id] : ids) b.key("tokenizer.ggml." + name + "_token_id", kInt).put(id);
  put_array(b, "tokenizer.ggml.tokens", kString, tokens);
  put_array(b, "tokenizer.ggml.token_type", kInt, types);
  if (merges) put_array(b, "tokenizer.ggml.merges", kString, vocabulary.at("merges").get<std::vector<std::string>>());
  if (charsmap) {
    put_array(b, "tokenizer.ggml.scores", kFloat, vocabulary.at("scores").get<std::vector<float>>());
    put_array(b, "tokenizer.ggml.precompiled_charsmap", kByte, vocabulary.at("charsmap").get<std::vector<uint8_t>>());
    b.key("tokenizer.ggml.remove_extra_whitespaces", 7).put<uint8_t>(1);
  }
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

TEST(GgufVocab, WhatASentencepieceFileLeavesOutIsItsDefault) {
  const nlohmann::json small = nlohmann::json::parse(
      R"({"tokens": ["<unk>", "<s>", "</s>", "▁", "a", "▁a"], "scores": [0, 0, 0, -3, -2, -1], "charsmap": [0]})");
  const std::shared_ptr<const Tokenizer> tokenizer = tokenizer_of(small, "llama", {});
  EXPECT_EQ(tokenizer->eos(), 2);
  EXPECT_EQ(tokenizer->encode("  a   a ", {.add_special = true}), (std::vector<TokenId>{1, 5, 5}));
}

TEST(GgufVocab, EveryPreEncodesAsThePublishedTokenizersOfItsModels) {
  const nlohmann::json golden = read_json(std::string(kGoldenFolder) + "gguf_pre.json");
  ASSERT_GE(golden.at("hashes").size(), 35);
  for (const auto& [pre, hashes] : golden.at("hashes").items()) {
    const std::shared_ptr<const Tokenizer> tokenizer = tokenizer_of(golden, "gpt2", {{"bos", 0}}, pre);
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
    const std::shared_ptr<const Tokenizer> tokenizer = tokenizer_of(golden, "gpt2", {{"bos", 0}}, pre);
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
  for (const auto& [model, pre] : {std::pair("gemma4", "default"), std::pair("gpt2", "sarvam-moe")}) {
    const std::shared_ptr<const Tokenizer> tokenizer = tokenizer_of(gemma, model, {{"bos", 0}}, pre);
    expect_hashes(*tokenizer, golden.at("texts"), gemma.at("hashes").get<std::string>(), pre);
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(" a  \u4F60")), " a  \u4F60");
  }
}

TEST(GgufVocab, UnigramEncodesAsT5) {
  const nlohmann::json golden = read_json(std::string(kGoldenFolder) + "gguf_pre.json");
  const std::shared_ptr<const Tokenizer> tokenizer = tokenizer_of(golden.at("t5"), "t5", {});
  expect_hashes(*tokenizer, golden.at("texts"), golden.at("t5").at("hashes").get<std::string>(), "t5");
  EXPECT_EQ(tokenizer->encode("a", {.add_special = true}).back(), tokenizer->token_id("</s>"));
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("the  quick")), "the quick");
}

TEST(GgufVocab, WordPieceEncodesAsBert) {
  const nlohmann::json golden = read_json(std::string(kGoldenFolder) + "gguf_pre.json");
  const std::shared_ptr<const Tokenizer> tokenizer =
      tokenizer_of(golden.at("bert"), "bert", {{"unknown", 1}, {"bos", 2}, {"seperator", 3}});
  expect_hashes(*tokenizer, golden.at("texts"), golden.at("bert").at("hashes").get<std::string>(), "bert");
  const std::vector<TokenId> ids = tokenizer->encode("The QUICK", {.add_special = true});
  EXPECT_EQ(ids.front(), tokenizer->token_id("[CLS]"));
  EXPECT_EQ(ids.back(), tokenizer->token_id("[SEP]"));
  EXPECT_EQ(tokenizer->decode(ids), "the quick");
}

}  // namespace
}  // namespace hearth
