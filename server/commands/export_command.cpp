// `hearth export`: a model with its adapters as files that other programs load.
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <unistd.h>

#include "finetune/export/export_model.h"
#include "finetune/spec/export_spec.h"
#include "runtime/base/log.h"
#include "server/commands/commands.h"
#include "server/interrupt.h"

namespace hearth {
namespace {

class TerminalExport : public ExportMonitor {
 public:
  ~TerminalExport() override { clear(); }

  void on_note(const std::string& line) override {
    clear();
    fmt::print("{}\n", line);
  }
  void on_warning(const std::string& line) override {
    clear();
    log::warn("{}", line);
  }
  void on_written(uint64_t bytes, uint64_t total) override {
    constexpr auto kTick = std::chrono::milliseconds(100);
    const auto now = std::chrono::steady_clock::now();
    if (!is_terminal_ || now - drawn_at_ < kTick) return;
    drawn_at_ = now;
    fmt::print("\r{:3.0f} %  {:.2f} of {:.2f} GB written\x1b[K",
               100 * static_cast<double>(bytes) / static_cast<double>(total), static_cast<double>(bytes) / 1e9,
               static_cast<double>(total) / 1e9);
    std::fflush(stdout);
    is_drawn_ = true;
  }
  bool stop_requested() override { return stop_flag().load(); }

 private:
  void clear() {
    if (is_drawn_) fmt::print("\r\x1b[K");
    std::fflush(stdout);
    is_drawn_ = false;
  }

  const bool is_terminal_ = ::isatty(STDOUT_FILENO) == 1;
  bool is_drawn_ = false;
  std::chrono::steady_clock::time_point drawn_at_;
};

int run_export(const ExportSpec& spec) {
  TerminalExport monitor;
  for (const std::string& warning : spec.warnings) monitor.on_warning(warning);
  const ExportResult result = export_model(spec, monitor);
  monitor.on_note(fmt::format("{} files, {:.2f} GB, in {}", result.files.size(),
                              static_cast<double>(result.bytes) / 1e9, result.directory.string()));
  const std::filesystem::path gguf = result.directory / kGgufFile;
  const std::string model = (std::filesystem::exists(gguf) ? gguf : result.directory).string();
  monitor.on_note(fmt::format("chat with it: hearth chat --model {}; in Ollama: ollama create NAME -f {}", model,
                              (result.directory / "Modelfile").string()));
  return 0;
}

}  // namespace

Prepare add_export(CLI::App& app) {
  struct Arguments {
    std::string spec;
    std::vector<std::string> overrides;
  };
  auto arguments = std::make_shared<Arguments>();
  app.add_option("SPEC", arguments->spec, "LLaMA-Factory's export YAML")->required();
  app.add_option("KEY=VALUE", arguments->overrides, "In place of what the file says");
  app.footer(
      "Examples:\n"
      "  hearth export examples/merge_lora/smollm2_lora_sft.yaml\n"
      "  hearth export merge.yaml export_dir=out export_quantization=q4_k_m\n\n"
      "Works the adapters of adapter_name_or_path into the model, in their order. A Hugging Face checkpoint becomes "
      "one\n"
      "(infer_dtype: auto|float32|float16|bfloat16, export_size: GB of a file); a GGUF file becomes a GGUF file\n"
      "(export_quantization: f32|f16|bf16|q8_0|q6_k|q4_1|q4_0|q4_k_m; without it every tensor\n"
      "keeps its type). export_dir appears whole or not at all; an earlier export in it is replaced.");
  return [arguments]() -> Run {
    return [spec = load_export_spec(arguments->spec, arguments->overrides)] { return run_export(spec); };
  };
}

}  // namespace hearth
