// What the daemon serves under an id of the API: a model, or an adapter on one. Adapters share their model's engine, so
// that answers of all of them share its steps.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "models/loader.h"
#include "models/message_format.h"
#include "runtime/adapter.h"
#include "runtime/engine/engine.h"
#include "runtime/grammar/grammar_cache.h"
#include "runtime/value_head.h"

namespace hearth {

struct ServedModel {
  std::string id;
  std::string base;            // of an adapter: its model's id; empty: this is the model itself
  LoadedModel loaded;          // its `defaults` already hold what the configuration overrides
  int default_max_tokens = 0;  // of a chat answer that does not say; 0: what the context holds
  int max_running = 0;         // of the engine
  std::string fingerprint;     // of what decides about the answers: version, model, computation
  std::shared_ptr<Engine> engine;
  std::string tool_call_parser;            // the configured one; empty: by the template
  MessageFormat messages;                  // what its answers consist of
  std::vector<TokenId> mark_tokens;        // the control tokens among their marks
  std::shared_ptr<GrammarCache> grammars;  // of its tokenizer and mark_tokens
  std::shared_ptr<const Adapter> adapter;  // what every request goes through; null: the model as it is loaded
  std::shared_ptr<ValueHead> value_head;   // not null: a reward model, which scores texts and writes none

  // What an adapter also answers to.
  static std::string adapter_id(std::string_view model, std::string_view adapter) {
    return std::string(model) + ":" + std::string(adapter);
  }
};

}  // namespace hearth
