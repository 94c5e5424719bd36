#include "finetune/spec/trained_chat.h"

#include "finetune/spec/chat_keys.h"
#include "finetune/spec/yaml_file.h"
#include "models/named_template.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"

namespace hearth {
namespace {

// What the file says; nothing of one that cannot be read, which other programs may have written.
ChatOptions trained_with(const std::filesystem::path& file) {
  ChatOptions chat;
  try {
    for (const YamlEntry& entry : read_yaml_entries(file)) read_chat_key(entry, chat);
  } catch (const Error& error) {
    log::warn("{}: the template of the adapter's training is not known", error.what());
    return {};
  }
  return chat;
}

}  // namespace

void chat_as_trained(const std::filesystem::path& adapter, const std::string& id, LoadedModel& loaded) {
  const std::filesystem::path file = adapter / "training_args.yaml";
  if (!std::filesystem::exists(file)) return;
  const ChatOptions trained = trained_with(file);
  if (trained.template_name.empty() || trained.template_name == loaded.chat.template_name) return;
  if (!loaded.chat.template_name.empty()) {
    log::warn("{}: was trained with template '{}' and answers with '{}', as the configuration says", id,
              trained.template_name, loaded.chat.template_name);
    return;
  }
  loaded.chat = trained;
  use_named_template(id, loaded.model->dims().vocab_size, loaded);
  warn_of_difference(id, loaded);
  log::info("{}: answers with template '{}', with which it was trained", id, trained.template_name);
}

}  // namespace hearth
