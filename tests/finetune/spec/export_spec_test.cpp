#include "finetune/spec/export_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/error.h"

namespace hearth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kSmall = "model_name_or_path: m\nexport_dir: out\n";

std::string refusal(const std::string& more) {
  try {
    parse_export_spec(kSmall + more, "e.yaml");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(ExportSpec, ReadsLlamaFactorysKeys) {
  const ExportSpec spec = parse_export_spec(
      "model_name_or_path: org/m\nadapter_name_or_path: a, b\ntemplate: llama3\ntrust_remote_code: true\n"
      "export_dir: out\nexport_size: 2\nexport_device: auto\nexport_legacy_format: true\ninfer_dtype: float16\n",
      "e.yaml");
  EXPECT_EQ(spec.model_name_or_path, "org/m");
  EXPECT_THAT(spec.adapter_name_or_path, ElementsAre("a", "b"));
  EXPECT_EQ(spec.chat.template_name, "llama3");
  EXPECT_EQ(spec.export_size, 2);
  EXPECT_EQ(spec.dtype, Format::kF16);
  EXPECT_FALSE(spec.format);
  EXPECT_THAT(spec.warnings, ElementsAre(HasSubstr("'export_legacy_format' has no effect")));
}

TEST(ExportSpec, ItsTextReadsBackWithTheOverrides) {
  const std::vector<std::string> overrides = {"export_format=gguf", "export_quantization=q4_k_m",
                                              "adapter_name_or_path=[x, y]"};
  const ExportSpec spec = parse_export_spec(kSmall, "e.yaml", overrides);
  const ExportSpec again = parse_export_spec(spec.yaml, "spec.yaml");
  EXPECT_EQ(again.quantization, GgufQuantization::kQ4_K_M);
  EXPECT_EQ(again.export_dir, "out");
  EXPECT_THAT(again.adapter_name_or_path, ElementsAre("x", "y"));
  EXPECT_EQ(again.yaml, spec.yaml);
}

TEST(ExportSpec, RefusesByNameWhatIsNotThere) {
  EXPECT_THAT(refusal("export_quantization_bit: 4\n"), HasSubstr("use export_format: gguf"));
  EXPECT_THAT(refusal("export_hub_model_id: me/mine\n"), HasSubstr("upload export_dir"));
  EXPECT_THAT(refusal("export_format: safetensors\nexport_quantization: q4_k_m\n"),
              HasSubstr("use export_format: gguf"));
  EXPECT_THAT(refusal("export_format: gguf\nexport_quantization: q4_k_n\n"), HasSubstr("did you mean 'q4_k_m'?"));
  EXPECT_THAT(refusal("export_format: gguf\ninfer_dtype: float16\n"), HasSubstr("use export_quantization"));
  EXPECT_THAT(refusal("exprot_size: 3\n"), HasSubstr("did you mean 'export_size'?"));
  EXPECT_THAT(refusal("export_size: 0\n"), HasSubstr("export_size"));
  EXPECT_THAT(refusal("export_dir: null\n"), HasSubstr("twice"));
}

}  // namespace
}  // namespace hearth
