// Every key that a YAML of LLaMA-Factory may have, and what it is to training, to inference, to exporting and to
// multiple-choice evaluation: one table, so that each reader knows the others' files. Source: LLaMA-Factory 0.9.6,
// hparams/; transformers' Seq2SeqTrainingArguments of version 5, and of version 4 what 5 dropped.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "finetune/spec/yaml_file.h"

namespace hearth {

enum class KeyUse {
  kUsed,         // the reader has it: spec_fields.h, or load_inference_config, export_spec.h,
                 // multiple_choice_spec.h
  kNoEffect,     // of the other purpose, or a choice that every backend makes alike: accepted
  kHardware,     // of GPUs, clusters or another engine: accepted with a warning
  kUnsupported,  // would change the result: an error unless its value asks for nothing
};

struct KnownKey {
  std::string_view name;
  KeyUse training, inference;
  std::string_view neutral = "";  // values that ask for nothing, comma-separated; null and empty ones always do
  std::string_view remedy = "";   // kUnsupported
  KeyUse exporting = KeyUse::kNoEffect, multiple_choice = KeyUse::kNoEffect;
};

std::span<const KnownKey> known_keys();

// Sorts out what needs no reading: gives the entries that `use` says are kUsed. Collects into `warnings` one line of
// the hardware keys. Throws kInvalidArgument for an unsupported key whose value asks for something, and for a key that
// nobody knows, with the nearest; the latter is a warning when ALLOW_EXTRA_ARGS=1 is in the environment. `file` is
// named by the warning.
std::vector<YamlEntry> used_entries(const std::vector<YamlEntry>& entries, KeyUse KnownKey::*use, std::string_view file,
                                    std::vector<std::string>& warnings);

}  // namespace hearth
