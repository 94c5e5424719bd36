#include "server/load_served.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <utility>

#include <sys/stat.h>

#include "finetune/spec/trained_chat.h"
#include "models/adapters/peft_adapter.h"
#include "models/adapters/served_adapter.h"
#include "models/adapters/value_head.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"

namespace hearth {

int64_t modification_time(const std::filesystem::path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? static_cast<int64_t>(status.st_mtime) : 0;
}

namespace {

using Clock = std::chrono::steady_clock;

template <class Value>
void override_with(const std::optional<Value>& from, std::optional<Value>& to) {
  if (from) to = from;
}

GenerationDefaults merged(GenerationDefaults defaults, const GenerationDefaults& configured) {
  override_with(configured.temperature, defaults.temperature);
  override_with(configured.top_p, defaults.top_p);
  override_with(configured.top_k, defaults.top_k);
  override_with(configured.min_p, defaults.min_p);
  override_with(configured.typical_p, defaults.typical_p);
  override_with(configured.repetition_penalty, defaults.repetition_penalty);
  return defaults;
}

// FNV-1a
std::string digest(const std::string& text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return fmt::format("fp_{:010x}", hash & 0xffffffffffu);
}

// Of what decides about the answers besides the request.
std::string fingerprint(const std::string& description, ComputeDtype dtype, const ChatOptions& chat) {
  const SlotTemplateOptions& options = chat.options;
  return digest(fmt::format(
      "{}|{}|{}|{}|{}|{}|{}|{}", HEARTH_VERSION, description, static_cast<int>(dtype), chat.template_name,
      options.default_system.value_or(""), options.tool_format ? tool_format_name(*options.tool_format) : "",
      options.enable_thinking ? (*options.enable_thinking ? "on" : "off") : "as it is", options.preserve_thinking));
}

// One token, so that the first user does not wait for pages and caches.
void warm_up(const ServedModel& model) {
  GenerateRequest request;
  request.prompt = {model.loaded.tokenizer->bos().value_or(model.loaded.tokenizer->eos().value_or(0))};
  request.max_tokens = 1;
  request.adapter = model.adapter;
  const std::shared_ptr<Stream> stream = model.engine->submit(std::move(request));
  for (;;) {
    const std::optional<StreamEvent> event = stream->next(std::chrono::seconds(1));
    if (!event || event->kind != StreamEvent::Kind::kFinished) continue;
    if (event->finish_reason == FinishReason::kError) throw internal_error("{}: {}", model.id, event->error);
    return;
  }
}

// By the template that it answers in; adapters share what they have in common with their model.
void set_messages(ServedModel& model) {
  model.messages = message_format(model.loaded, model.tool_call_parser);
  std::vector<TokenId> tokens = mark_tokens(*model.loaded.tokenizer, model.messages);
  if (model.grammars && tokens == model.mark_tokens) return;
  model.mark_tokens = std::move(tokens);
  model.grammars = std::make_shared<GrammarCache>(model.loaded.tokenizer, model.mark_tokens);
}

// Null: there is none.
std::shared_ptr<ValueHead> value_head_in(const std::filesystem::path& directory, const LanguageModel& model) {
  return has_value_head(directory) ? std::make_shared<ValueHead>(read_value_head(directory, model)) : nullptr;
}

std::string version_of(const std::filesystem::path& adapter) {
  return fmt::format("|{}|{}", adapter.string(), modification_time(adapter));
}

}  // namespace

EngineOptions engine_options(const AppOptions& options) {
  EngineOptions engine = options.engine;
  if (options.compute_dtype == ComputeDtype::kFloat32) engine.kv_format = KvFormat::kF32;
  return engine;
}

std::shared_ptr<ServedModel> serve_applied(const ServedModel& model, const AppOptions::Adapter& source) {
  auto served = std::make_shared<ServedModel>(model);
  served->id = source.id;
  served->base = model.id;
  served->fingerprint = digest(model.fingerprint + version_of(source.path));
  return served;
}

std::shared_ptr<ServedModel> serve_adapter(const ServedModel& model, const AppOptions::Adapter& source) {
  const auto begin = Clock::now();
  const ModelTensors tensors = model.loaded.model->tensors();
  std::shared_ptr<ServedModel> served = serve_applied(model, source);
  served->adapter = served_adapter(read_adapter(source.path, tensors), tensors);
  served->value_head = value_head_in(source.path, *model.loaded.model);
  chat_as_trained(source.path, source.id, served->loaded);
  set_messages(*served);
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  log::info("{}: {} on {}, ready after {:.2f} s", source.id, served->value_head ? "reward model" : "adapter", model.id,
            seconds);
  return served;
}

std::shared_ptr<ServedModel> load_base(const AppOptions& options, const AppOptions::Model& source) {
  const auto begin = Clock::now();
  auto model = std::make_shared<ServedModel>();
  model->id = source.id;
  model->loaded = options.load(source, options.compute_dtype);
  model->loaded.defaults = merged(model->loaded.defaults, options.generation);
  model->default_max_tokens = options.default_max_tokens;
  model->adapter = apply_adapters(source.applied, model->loaded.model->tensors(), options.compute_dtype);
  std::string description = model->loaded.description;
  for (const std::filesystem::path& adapter : source.applied) description += version_of(adapter);
  model->fingerprint = fingerprint(description, options.compute_dtype, source.chat);
  model->max_running = options.engine.max_running;
  model->tool_call_parser = options.tool_call_parser;
  set_messages(*model);
  model->engine = std::make_shared<Engine>(model->loaded.model, engine_options(options));
  warm_up(*model);
  model->value_head = value_head_in(value_head_place(source.path, source.applied), *model->loaded.model);
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  log::info("{}: {}{}, ready after {:.2f} s", model->id, model->value_head ? "reward model, " : "",
            model->loaded.description, seconds);
  return model;
}

}  // namespace hearth
