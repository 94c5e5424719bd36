// Answers from a model loaded in this process.
#pragma once

#include <memory>
#include <string>

#include "models/loader.h"
#include "runtime/adapter.h"
#include "runtime/engine/engine.h"
#include "server/terminal_chat/chat_backend.h"

namespace hearth {

class InProcessBackend : public ChatBackend {
 public:
  // `adapter`: what every answer goes through, or null. Throws kInvalidArgument when the model has no chat template.
  InProcessBackend(std::string name, LoadedModel model, std::shared_ptr<const Adapter> adapter,
                   const EngineOptions& options);

  std::string model() const override { return name_; }
  int max_context() const override { return engine_.max_context(); }
  ChatAnswer answer(const nlohmann::ordered_json& messages, const ChatSettings& settings, const OnText& on_text,
                    const std::atomic<bool>& stop) override;

 private:
  GenerateRequest request_for(const nlohmann::ordered_json& messages, const ChatSettings& settings) const;

  std::string name_;
  LoadedModel model_;
  std::shared_ptr<const Adapter> adapter_;
  Engine engine_;
};

}  // namespace hearth
