#include "finetune/export/checkpoint_as_gguf.h"

#include <cstdint>
#include <iterator>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "runtime/tokenizer/gguf_vocab_writer.h"

namespace hearth {
namespace {

// Beside the one that the vocabulary has already, or that the template puts in its place, programs that read GGUF know
// two.
void add_stop_tokens(const LoadedModel& loaded, const ExportedChat& chat, std::vector<GgufEntry>& metadata) {
  constexpr const char* kKinds[] = {"eos", "eot", "eom"};
  const std::optional<TokenId> eos = chat.eos ? loaded.tokenizer->token_id(*chat.eos) : loaded.tokenizer->eos();
  size_t kind = eos ? 1 : 0;
  for (const TokenId id : loaded.stop_token_ids) {
    if (id == eos || kind == std::size(kKinds)) continue;
    metadata.push_back(
        GgufEntry::number(fmt::format("tokenizer.ggml.{}_token_id", kKinds[kind++]), static_cast<uint32_t>(id)));
  }
}

void add_sampling(const GenerationDefaults& defaults, std::vector<GgufEntry>& metadata) {
  const std::pair<const char*, std::optional<float>> numbers[] = {{"temp", defaults.temperature},
                                                                  {"top_p", defaults.top_p},
                                                                  {"min_p", defaults.min_p},
                                                                  {"penalty_repeat", defaults.repetition_penalty}};
  for (const auto& [key, value] : numbers)
    if (value) metadata.push_back(GgufEntry::real(fmt::format("general.sampling.{}", key), *value));
  if (defaults.top_k)
    metadata.push_back(GgufEntry::number("general.sampling.top_k", static_cast<uint32_t>(*defaults.top_k)));
}

}  // namespace

CheckpointAsGguf checkpoint_as_gguf(const NamedCheckpoint& checkpoint, const WeightSource& source,
                                    const LoadedModel& loaded, const ExportedChat& chat) {
  const std::filesystem::path& directory = checkpoint.directory;
  const ModelConfig config = read_model_config(directory / "config.json");
  CheckpointAsGguf out{plan_gguf(source, config, directory.string()), {}, {}};
  GgufVocabulary vocabulary = gguf_vocabulary(directory, config.vocab_size);
  out.metadata = out.plan.metadata;
  out.metadata.push_back(GgufEntry::text("general.type", "model"));
  out.metadata.push_back(GgufEntry::text("general.name", checkpoint.name));
  add_sampling(loaded.defaults, out.metadata);
  out.metadata.insert(out.metadata.end(), vocabulary.entries.begin(), vocabulary.entries.end());
  add_stop_tokens(loaded, chat, out.metadata);
  if (loaded.chat_template)
    out.metadata.push_back(GgufEntry::text("tokenizer.chat_template", loaded.chat_template->source()));
  out.notes = out.plan.notes;
  out.notes.insert(out.notes.end(), vocabulary.notes.begin(), vocabulary.notes.end());
  return out;
}

}  // namespace hearth
