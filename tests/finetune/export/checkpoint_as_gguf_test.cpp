// Hugging Face checkpoints exported as GGUF are the files that llama.cpp's converter makes of them
// (tests/golden/converter_rules.py), and read again they say the same bit for bit.
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/io/gguf.h"
#include "tests/finetune/export/exports.h"

namespace hearth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

// What hearth says where the converter leaves the reader to its defaults, and what both write at their own discretion.
bool is_beyond_converter(std::string_view key) {
  constexpr std::string_view kKeys[] = {".vocab_size",
                                        ".attention.head_count_kv",
                                        ".attention.key_length",
                                        ".attention.value_length",
                                        ".rope.freq_base",
                                        ".rope.dimension_count",
                                        ".rope.scaling.yarn_beta_fast",
                                        ".rope.scaling.yarn_beta_slow",
                                        "add_bos_token",
                                        "add_eos_token"};
  return key.starts_with("general.") ||
         std::any_of(std::begin(kKeys), std::end(kKeys), [&](std::string_view end) { return key.ends_with(end); });
}

std::map<std::string, std::string> metadata_of(const GgufFile& gguf) {
  std::map<std::string, std::string> metadata;
  for (const GgufFile::Entry& entry : gguf.entries())
    metadata.emplace(entry.key, std::string(reinterpret_cast<const char*>(entry.bytes.data()), entry.bytes.size()));
  return metadata;
}

void expect_same_file(const GgufFile& found, const GgufFile& golden) {
  const auto ours = metadata_of(found), theirs = metadata_of(golden);
  for (const auto& [key, value] : theirs) {
    if (key == "general.name" || key == "general.file_type") continue;
    ASSERT_TRUE(ours.contains(key)) << key;
    EXPECT_EQ(testing::PrintToString(ours.at(key)), testing::PrintToString(value)) << key;
  }
  for (const auto& [key, value] : ours) EXPECT_TRUE(theirs.contains(key) || is_beyond_converter(key)) << key;
  EXPECT_EQ(found.tensors().size(), golden.tensors().size());
  for (const GgufFile::Tensor& tensor : golden.tensors()) {
    const GgufFile::Tensor* same = found.tensor(tensor.name);
    ASSERT_TRUE(same) << tensor.name;
    EXPECT_EQ(same->rank, tensor.rank) << tensor.name;
    EXPECT_EQ(same->dims, tensor.dims) << tensor.name;
    EXPECT_EQ(same->format, tensor.format) << tensor.name;
    EXPECT_TRUE(std::ranges::equal(same->bytes, tensor.bytes)) << tensor.name;
  }
}

std::string type_of(const nlohmann::json& one) {
  const std::string name = one["name"];
  return name.ends_with("_bf16") ? "bf16" : name.ends_with("_f16") ? "f16" : "f32";
}

// Of the forms that GGUF has of some models hearth writes one; and GLM's converter does not find its context.
bool is_other_form(const nlohmann::json& one) {
  const std::string name = one["name"];
  return name == "glm" || name == "glm_fused" || name == "deepseek_v2" || name == "deepseek_v2_groups" ||
         name == "deepseek_v3";
}

// Warnings of what the file will not say, by the case's name; nothing of all others.
const std::map<std::string, std::string> kWarnings = {{"mistral", "to more than 100 tokens"},
                                                      {"mistral_window", "to more than 24 tokens"},
                                                      {"dynamic", "to more than 64 tokens"},
                                                      {"internlm3", "to more than 64 tokens"}};
const std::map<std::string, std::string> kRefusals = {{"yarn_untruncated", "the rope parameters of this llama"},
                                                      {"yarn_mscale", "the rope parameters of this llama"},
                                                      {"qwen2_moe_window", "the choice of experts"},
                                                      {"qwen3_moe_mixed", "the choice of experts"},
                                                      {"gemma2_uncapped", "the scale of attention"},
                                                      {"gemma3_parameters", "the scale of attention"},
                                                      {"smollm3_interval", "the layers without rope"}};

TEST(CheckpointAsGguf, IsTheConvertersFileAndSaysWhatTheCheckpointSays) {
  std::set<std::string> architectures;
  for (const nlohmann::json& one : test::tiny_models()["cases"]) {
    if (!one["weights"].is_string()) continue;
    const std::string name = one["name"];
    SCOPED_TRACE(name);
    const test::TemporaryDirectory base, work;
    test::make_directory(one, base.path());
    test::Recorder recorder;
    const auto run = [&] {
      test::exported(test::yaml_of(base.path(), {}, work.path() / "out", "export_quantization: " + type_of(one)),
                     recorder);
    };
    if (kRefusals.contains(name)) {
      EXPECT_THAT(test::refusal(run), HasSubstr(kRefusals.at(name)));
      EXPECT_EQ(recorder.written, 0u);
      EXPECT_TRUE(fs::is_empty(work.path()));
      continue;
    }
    run();
    EXPECT_EQ(recorder.written, recorder.expected);
    const fs::path file = work.path() / "out/model.gguf";
    if (one["gguf"].is_string() && !is_other_form(one)) {
      expect_same_file(*GgufFile::open(file), *GgufFile::open(test::make_gguf(one, work.path())));
      architectures.insert(one["architecture"]);
    }
    std::vector<float> expected = test::logprobs(test::load_exact(base.path())),
                       found = test::logprobs(test::load_exact(file));
    if (kWarnings.contains(name)) {
      EXPECT_THAT(recorder.warnings, ElementsAre(HasSubstr(kWarnings.at(name))));
      const size_t seen = name == "mistral_window" ? 24 : expected.size();
      expected.resize(seen);
      found.resize(seen);
    } else {
      EXPECT_EQ(recorder.warnings, std::vector<std::string>());
    }
    EXPECT_EQ(found, expected);
  }
  EXPECT_EQ(architectures.size(), 23u);  // of 26: of the others there is another form or none
}

// In each arrangement: rows in another order, fused, stacked, transposed, norms plus 1.
TEST(CheckpointAsGguf, HasTheAdaptersWorkedIn) {
  for (const char* name :
       {"none", "qwen2", "gemma2", "phi3", "gpt2", "gpt_neox", "falcon_new", "internlm2", "mixtral"}) {
    SCOPED_TRACE(name);
    const test::TemporaryDirectory base, work;
    test::make_directory(test::tiny_model(name), base.path());
    const fs::path adapter = test::made_adapter(base.path(), work.path() / "adapter");
    const std::vector<float> expected = test::served_logprobs(base.path(), {adapter});
    test::exported(test::yaml_of(base.path(), {adapter}, work.path() / "out", "export_quantization: f32"));
    EXPECT_LT(test::furthest(test::logprobs(test::load_exact(work.path() / "out/model.gguf")), expected), 1e-4);
    EXPECT_GT(test::furthest(test::logprobs(test::load_exact(base.path())), expected), 1e-3) << "it changes nothing";
  }
}

TEST(CheckpointAsGguf, HasTheChatAndItsEnds) {
  const test::TemporaryDirectory base, work;
  test::make_directory(test::tiny_model("none"), base.path());
  test::exported(test::yaml_of(base.path(), {}, work.path() / "own", "export_format: gguf"));
  const auto own = GgufFile::open(work.path() / "own/model.gguf");
  EXPECT_EQ(own->integer("general.file_type"), 1);
  EXPECT_EQ(own->tensor("blk.0.attn_q.weight")->format, Format::kF16);
  EXPECT_NEAR(*own->number("general.sampling.temp"), 0.6, 1e-6);
  EXPECT_EQ(own->integer("general.sampling.top_k"), 40);
  EXPECT_EQ(read_file(work.path() / "own/Modelfile").substr(0, 18), "FROM ./model.gguf\n");
  const LoadedModel before = test::load_exact(base.path()), after = test::load_exact(work.path() / "own/model.gguf");
  EXPECT_EQ(after.stop_token_ids, before.stop_token_ids);
  EXPECT_EQ(after.chat_template->source(), before.chat_template->source());
  test::exported(test::yaml_of(base.path(), {}, work.path() / "alpaca", "export_format: gguf\ntemplate: alpaca"));
  const auto named = GgufFile::open(work.path() / "alpaca/model.gguf");
  EXPECT_THAT(std::string(*named->string("tokenizer.chat_template")), HasSubstr("### Instruction:\n"));
}

TEST(CheckpointAsGguf, TakesTheTypesOfTheMixture) {
  const test::TemporaryDirectory base, work;
  test::make_directory(test::tiny_model("none"), base.path());
  test::exported(test::yaml_of(base.path(), {}, work.path() / "out", "export_quantization: q4_k_m"));
  const fs::path gguf = test::make_gguf(test::tiny_model("none"), work.path());
  test::exported(test::yaml_of(gguf, {}, work.path() / "same", "export_quantization: q4_k_m"));
  const auto found = GgufFile::open(work.path() / "out/model.gguf"),
             same = GgufFile::open(work.path() / "same/model.gguf");
  for (const GgufFile::Tensor& tensor : same->tensors()) {
    EXPECT_EQ(found->tensor(tensor.name)->format, tensor.format) << tensor.name;
    EXPECT_TRUE(std::ranges::equal(found->tensor(tensor.name)->bytes, tensor.bytes)) << tensor.name;
  }
}

}  // namespace
}  // namespace hearth
