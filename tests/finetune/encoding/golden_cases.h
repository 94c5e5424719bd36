// What make_llamafactory_encoding.py wrote, as the types of hearth: tokenizers, options, examples of its own and rows
// of the data sets (read by a few lines of the test, so that only encoding is tested).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "finetune/datasets/example.h"
#include "finetune/encoding/tokenized_example.h"
#include "finetune/spec/train_spec.h"
#include "models/loader.h"

namespace hearth::test {

inline constexpr const char* kDataDirectory = "../shared/data";

const nlohmann::json& golden_encoding();

// The default model's tokenizer; as the case says, with the tokens of the file behind its vocabulary or another padding
// token. Nothing where HEARTH_DEFAULT_MODEL is not set.
std::shared_ptr<const Tokenizer> golden_tokenizer(const nlohmann::json& golden_case);

LoadedModel golden_model(const nlohmann::json& golden_case, std::shared_ptr<const Tokenizer> tokenizer);
DataSpec golden_data_spec(const nlohmann::json& options);

// {"_prompt": [{"role", "content"}], "_response": ..., "_system", "_tools"}
Example golden_example(const nlohmann::json& standard);
// The example of one answer as stage kto has it.
Example with_tag(Example example, bool tag);
// alpaca_en_demo, identity, glaive_toolcall_en_demo, dpo_en_demo, kto_en_demo or wiki_demo.
std::vector<Example> read_rows(const std::string& dataset);

}  // namespace hearth::test
