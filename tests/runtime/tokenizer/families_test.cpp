// Tokenizers shaped as published families declare theirs encode, decode and stream as the `tokenizers` library does.
// tests/golden/make_tokenizer_families.py says what the files hold.
#include <sstream>

#include "golden.h"
#include "runtime/tokenizer/utf8.h"

namespace hearth {
namespace {

const std::string kFamilies = std::string(kGoldenFolder) + "families/";
constexpr size_t kMinStrings = 300;

using Ids = std::vector<TokenId>;

std::vector<std::string> split(const std::string& line, char by) {
  std::vector<std::string> out(1);
  for (const char c : line) {
    if (c == by) {
      out.emplace_back();
    } else {
      out.back() += c;
    }
  }
  return out;
}

Ids parse_ids(const std::string& text) {
  Ids ids;
  std::istringstream in(text);
  for (TokenId id = 0; in >> id;) ids.push_back(id);
  return ids;
}

std::string fnv1a(std::string_view text) {
  uint32_t value = 0x811C9DC5;
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x01000193;
  return fmt::format("{:08x}", value);
}

std::string digest(const std::string& decoded, const std::string& text) {
  return decoded == text ? "=" : fnv1a(decoded);
}

// `fields` are ids, and digests of what they decode to; `text` is what was encoded.
void expect_decodes(const std::shared_ptr<const Tokenizer>& tokenizer, const std::vector<std::string>& fields,
                    const std::string& text) {
  ASSERT_EQ(fields.size(), 3);
  const Ids ids = parse_ids(fields[0]);
  for (const bool skip_special : {true, false}) {
    const std::string decoded = tokenizer->decode(ids, skip_special);
    EXPECT_EQ(digest(decoded, text), fields[skip_special ? 1 : 2]) << fields[0] << "\n" << text << "\n" << decoded;
    StreamDecoder decoder(tokenizer, skip_special);
    std::string streamed;
    for (const TokenId id : ids) {
      const std::string piece = decoder.push(id);
      EXPECT_EQ(utf8::find_invalid(piece), std::string::npos);
      streamed += piece;
    }
    EXPECT_EQ(streamed + decoder.finish(), decoded);
  }
}

class Families : public testing::TestWithParam<const char*> {};

TEST_P(Families, EncodeAndDecodeAsTheReference) {
  const auto tokenizer = load_tokenizer(std::filesystem::path(kFamilies) / GetParam());
  const auto strings = read_json(kFamilies + "strings.json").get<std::vector<std::string>>();
  ASSERT_GE(strings.size(), kMinStrings);
  std::ifstream file(kFamilies + GetParam() + ".txt");
  std::string line;
  ASSERT_TRUE(std::getline(file, line));
  const std::vector<std::string> around = split(line, '|');
  for (const std::string& text : strings) {
    ASSERT_TRUE(std::getline(file, line));
    const std::vector<std::string> fields = split(line, '|');
    Ids ids = parse_ids(fields[0]);
    EXPECT_EQ(tokenizer->encode(text), ids) << nlohmann::json(text) << "\n" << text;
    expect_decodes(tokenizer, fields, text);
    const Ids prefix = parse_ids(around[0]), suffix = parse_ids(around.at(1));
    ids.insert(ids.begin(), prefix.begin(), prefix.end());
    ids.insert(ids.end(), suffix.begin(), suffix.end());
    EXPECT_EQ(tokenizer->encode(text, {.add_special = true}), ids) << text;
  }
  ASSERT_TRUE(std::getline(file, line) && line == "literal");
  while (std::getline(file, line) && line != "decode") {
    const std::vector<std::string> fields = split(line, '|');
    EXPECT_EQ(tokenizer->encode(strings.at(std::stoul(fields[0])), {.parse_special = false}), parse_ids(fields.at(1)))
        << strings.at(std::stoul(fields[0]));
  }
  size_t noise = 0;
  for (; std::getline(file, line); ++noise) expect_decodes(tokenizer, split(line, '|'), std::string(1, '\xFF'));
  EXPECT_GE(noise, 50);
}

INSTANTIATE_TEST_SUITE_P(TokenizerJson, Families,
                         testing::Values("gpt2", "llama3", "qwen2", "neox", "roberta", "deepseek", "deepseek_coder",
                                         "falcon", "cohere", "clip", "subword_prefix", "byte_level_normalizer",
                                         "llama2_prepend", "llama2_metaspace", "gemma", "t5", "xlm_roberta", "albert",
                                         "unigram_bytes", "bert_uncased", "bert_cased", "wordlevel"),
                         [](const auto& family) { return std::string(family.param); });

}  // namespace
}  // namespace hearth
