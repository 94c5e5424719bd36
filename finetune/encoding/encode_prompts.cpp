#include "finetune/encoding/encode_prompts.h"

#include <utility>

#include "finetune/encoding/encode_each.h"
#include "finetune/encoding/infer_seqlen.h"
#include "finetune/encoding/turn_encoder.h"
#include "runtime/base/error.h"

namespace hearth {
namespace {

struct Outcome {
  EncodedPrompt encoded;
  bool truncated = false;
};

Outcome encode(const TurnEncoder& encoder, int cutoff_len, Example example) {
  if (example.response.size() != 1) example.response = {{.role = SlotMessage::Role::kAssistant, .content = ""}};
  EncodedTurn turn = encoder.last_turn(example);
  if (encoder.final_eos()) turn.target.ids.push_back(*encoder.final_eos());
  const int needed = turn.source.size() + turn.target.size();
  const TurnLengths kept = infer_seqlen(turn.source.size(), turn.target.size(), cutoff_len);
  Outcome out;
  out.truncated = kept.source < turn.source.size();
  turn.source.cut(kept.source, needed);
  turn.target.cut(kept.target, needed);
  if (turn.source.empty()) throw invalid_argument("the template writes nothing before the answer");
  out.encoded = {std::move(turn.source), std::move(turn.target.ids), example.place};
  return out;
}

}  // namespace

EncodedPrompts encode_prompts(const LoadedModel& model, std::span<const Example> examples, const DataSpec& data,
                              std::optional<std::time_t> now) {
  const TurnEncoder encoder(model, data, now);
  const int cutoff_len = effective_cutoff_len(data);
  std::vector<Outcome> outcomes(examples.size());
  std::vector<std::string> refused =
      encode_each(examples.size(), [&](size_t i) { outcomes[i] = encode(encoder, cutoff_len, examples[i]); });
  EncodedPrompts out;
  out.source = encoder.source();
  for (size_t i = 0; i < examples.size(); ++i) {
    if (!refused[i].empty()) {
      out.dropped.push_back({examples[i].place, std::move(refused[i])});
      continue;
    }
    out.truncated += outcomes[i].truncated;
    out.prompts.push_back(std::move(outcomes[i].encoded));
  }
  return out;
}

}  // namespace hearth
