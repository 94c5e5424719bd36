// Tokenised data sets on disk, which `tokenized_path` names: made once, read by every later run of the same job. Unlike
// LLaMA-Factory's they say what they were made with, and a job that asks for something else is refused.
//
// One file in the directory, tokenized.bin: "HEARTHT3", the size of the header (8 bytes), the header (JSON), and for
// each set its arrays of int32, little endian. Pictures are named by their files, and what they were when they were
// encoded stands in the header. Untrusted on reading: every size is checked before it is used.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "finetune/encoding/tokenized_example.h"
#include "finetune/spec/train_spec.h"
#include "models/loader.h"

namespace hearth {

// By name: "train", "validation", or of an evaluation set its own.
using TokenizedSets = std::map<std::string, std::vector<TokenizedExample>>;

// What ids and labels depend on, by the names of the job's keys. Equal values mean equal data.
using MadeWith = std::vector<std::pair<std::string, std::string>>;

// Tokenizer and templates count by a hash. A job that names no dataset takes whatever data was saved.
MadeWith made_with(const LoadedModel& model, const TrainSpec& spec);

// Whether load_tokenized would find something. Throws kFailedPrecondition for what holds something else.
bool has_tokenized(const std::filesystem::path& directory);
// Nothing where the directory is not there or empty. Throws kFailedPrecondition naming what differs from `expected`,
// or that the directory holds something else; kDataCorruption for a file that is not what it should be, ids outside of
// a vocabulary of `vocab_size` among it.
std::optional<TokenizedSets> load_tokenized(const std::filesystem::path& directory, const MadeWith& expected,
                                            int64_t vocab_size);
// The same of an image in memory; `name` stands for the file in messages.
TokenizedSets parse_tokenized(std::span<const std::byte> image, const std::string& name, const MadeWith& expected,
                              int64_t vocab_size);

// All or nothing. Throws kUnavailable with the system's reason.
void save_tokenized(const std::filesystem::path& directory, const TokenizedSets& sets, const MadeWith& made_with);

}  // namespace hearth
