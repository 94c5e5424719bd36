// Answers from a model loaded in this process.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "models/loader.h"
#include "runtime/adapter.h"
#include "runtime/engine/engine.h"
#include "server/terminal_chat/chat_backend.h"

namespace hearth {

// What the command line loads for a name.
struct OpenedModel {
  std::string name;
  LoadedModel model;
  std::shared_ptr<const Adapter> adapter;  // what every answer goes through, or null
};

class InProcessBackend : public ChatBackend {
 public:
  // `model` as --model takes it, `adapter` a directory or empty.
  using Open = std::function<OpenedModel(const std::string& model, const std::string& adapter)>;

  // Throws kInvalidArgument when the model has no chat template.
  InProcessBackend(OpenedModel opened, Open open, const EngineOptions& options);

  std::string model() const override { return current_->opened.name; }
  std::vector<std::string> models() const override;  // those in the caches
  // The model before stays in memory until the other one is loaded.
  void use(const std::string& model, const std::string& adapter) override;
  int max_context() const override { return current_->engine.max_context(); }
  ChatAnswer answer(const nlohmann::ordered_json& messages, const ChatSettings& settings, const OnText& on_text,
                    const std::atomic<bool>& stop) override;

 private:
  struct Running {
    Running(OpenedModel opened, const EngineOptions& options);
    OpenedModel opened;
    Engine engine;
  };
  GenerateRequest request_for(const nlohmann::ordered_json& messages, const ChatSettings& settings) const;

  Open open_;
  EngineOptions options_;
  std::unique_ptr<Running> current_;
};

}  // namespace hearth
