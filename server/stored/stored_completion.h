// A chat completion with "store": true, on its way into the state database.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "server/json_reader.h"
#include "server/stored/answer_store.h"

namespace hearth {

class StoredCompletion {
 public:
  // Reads store, metadata and messages of a body of /v1/chat/completions that has been checked otherwise. Throws a 400
  // for metadata that cannot be kept. `store` may be null: nothing is kept then.
  StoredCompletion(const JsonReader& body, AnswerStore* store, std::string owner);

  bool is_wanted() const { return store_ != nullptr; }
  // The whole chat.completion object, if it is wanted.
  void keep(nlohmann::ordered_json object) const;

 private:
  AnswerStore* store_;  // null: it is not to be kept
  const std::string owner_;
  const nlohmann::ordered_json metadata_;
  nlohmann::ordered_json messages_;
};

}  // namespace hearth
