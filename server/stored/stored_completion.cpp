#include "server/stored/stored_completion.h"

#include <utility>

#include <fmt/format.h>

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "server/stored/metadata.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

// As OpenAI's list of messages has them: content is a text, or null with the parts beside it.
Json stored_message(const Json& message, const std::string& id) {
  Json out = {{"id", nullptr},      {"role", nullptr}, {"content", nullptr},
              {"refusal", nullptr}, {"name", nullptr}, {"content_parts", nullptr}};
  out.update(message);
  out["id"] = id;
  if (out["content"].is_array()) out["content_parts"] = std::exchange(out["content"], nullptr);
  return out;
}

bool wants_storing(const JsonReader& field) { return field && field.boolean(); }

}  // namespace

StoredCompletion::StoredCompletion(const JsonReader& body, AnswerStore* store, std::string owner)
    : store_(wants_storing(body["store"]) ? store : nullptr),
      owner_(std::move(owner)),
      metadata_(read_metadata(body["metadata"])) {
  if (store_) messages_ = body["messages"].json();
}

void StoredCompletion::keep(Json object) const {
  if (!store_) return;
  const std::string id = object.at("id");
  object["metadata"] = metadata_;
  std::vector<StoredItem> messages;
  for (const Json& message : messages_)
    messages.push_back({stored_message(message, fmt::format("{}-{}", id, messages.size()))});
  try {
    store_->add({.kind = AnswerKind::kCompletion, .owner = owner_, .object = std::move(object)}, messages, {});
  } catch (const Error& error) {  // the answer is there all the same
    log::error("{} is not stored: {}", id, error.what());
  }
}

}  // namespace hearth
