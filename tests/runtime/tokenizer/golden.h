// Reads the files of tests/golden/tokenizers and compares a tokenizer with them, string by string.
#pragma once

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "runtime/base/error.h"
#include "runtime/io/gguf.h"
#include "runtime/tokenizer/stream_decoder.h"
#include "runtime/tokenizer/tokenizer.h"

namespace hearth {

inline constexpr const char* kGoldenFolder = "tests/golden/tokenizers/";

inline nlohmann::json read_json(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(path + ": cannot be read; tests run from the source root");
  return nlohmann::json::parse(file);
}

// The default model's own vocabulary is too large to commit.
inline std::shared_ptr<const Tokenizer> default_tokenizer() {
  static const std::shared_ptr<const Tokenizer> tokenizer = [] {
    const char* path = std::getenv("HEARTH_DEFAULT_MODEL");
    if (path == nullptr)
      throw std::runtime_error(
          "HEARTH_DEFAULT_MODEL is not set: it names the default model's GGUF (./dev model prints the path)");
    return load_tokenizer(*GgufFile::open(path));
  }();
  return tokenizer;
}

inline std::string stream(const std::shared_ptr<const Tokenizer>& tokenizer, const std::vector<TokenId>& ids,
                          bool skip_special) {
  StreamDecoder decoder(tokenizer, skip_special);
  std::string text;
  for (const TokenId id : ids) text += decoder.push(id);
  return text + decoder.finish();
}

inline void expect_decodes(const std::shared_ptr<const Tokenizer>& tokenizer, const nlohmann::json& golden,
                           const std::string& text) {
  const auto ids = golden.at("ids").get<std::vector<TokenId>>();
  EXPECT_EQ(tokenizer->decode(ids), golden.value("decoded", text)) << golden;
  EXPECT_EQ(tokenizer->decode(ids, /*skip_special=*/false), golden.value("decoded_all", text)) << golden;
  EXPECT_EQ(stream(tokenizer, ids, true), tokenizer->decode(ids)) << golden;
}

// Every string encodes, decodes and streams as the reference's.
inline void expect_matches_golden(const std::shared_ptr<const Tokenizer>& tokenizer, const std::string& name) {
  const nlohmann::json golden = read_json(kGoldenFolder + name + ".json");
  ASSERT_GE(golden.at("encode").size(), 200);
  for (const auto& test : golden.at("encode")) {
    const auto text = test.at("text").get<std::string>();
    const auto ids = test.at("ids").get<std::vector<TokenId>>();
    EXPECT_EQ(tokenizer->encode(text), ids) << test;
    EXPECT_EQ(tokenizer->encode(text, {.add_special = true}), test.value("with_special", ids)) << test;
    expect_decodes(tokenizer, test, text);
  }
  for (const auto& test : golden.at("literal")) {
    const auto text = test.at("text").get<std::string>();
    const auto ids = test.at("ids").get<std::vector<TokenId>>();
    EXPECT_EQ(tokenizer->encode(text, {.parse_special = false}), ids) << test;
    const ByteRange all{0, text.size()};
    EXPECT_EQ(tokenizer->encode(text, {.literal = {&all, 1}}), ids) << test;
  }
  for (const auto& test : golden.at("decode")) expect_decodes(tokenizer, test, "");
}

}  // namespace hearth
