#include "server/fine_tuning/request.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "runtime/base/nearest_name.h"
#include "server/api_error.h"

namespace hearth {
namespace {

constexpr int64_t kMaxSeed = 0x7fffffff;
constexpr size_t kMaxSuffix = 64, kMaxFileId = 100;
constexpr size_t kMaxMetadata = 16, kMaxMetadataKey = 64, kMaxMetadataValue = 512;
constexpr size_t kMaxModules = 100, kMaxModuleName = 200;
constexpr int kMaxRank = 1024, kMaxAlpha = 65536, kMaxLength = 1 << 20, kMaxSteps = 100'000'000;
constexpr double kMaxMultiplier = 1000;

// The characters that a suffix may have: it becomes a part of a model's name, whose parts a ':' divides.
bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

std::string text_of(const JsonReader& field, size_t max_size) {
  std::string text = field.string();
  if (text.empty() || text.size() > max_size)
    field.fail(fmt::format("must have 1 to {} characters, found {}", max_size, text.size()));
  return text;
}

std::string read_suffix(const JsonReader& field) {
  std::string suffix = text_of(field, kMaxSuffix);
  if (!std::all_of(suffix.begin(), suffix.end(), is_name_character))
    field.fail("must be of letters, digits, '-', '_' and '.'");
  return suffix;
}

nlohmann::ordered_json read_metadata(const JsonReader& field) {
  if (!field) return nullptr;
  const auto members = field.members();
  if (members.size() > kMaxMetadata) field.fail(fmt::format("has {} pairs, at most {}", members.size(), kMaxMetadata));
  for (const auto& [key, value] : members) {
    if (key.size() > kMaxMetadataKey) field.fail(fmt::format("a key is longer than {} characters", kMaxMetadataKey));
    if (value.string().size() > kMaxMetadataValue)
      value.fail(fmt::format("is longer than {} characters", kMaxMetadataValue));
  }
  return field.json();
}

bool is_auto(const JsonReader& field) {
  if (!field) return true;
  if (!field.is_string()) return false;
  if (field.string() != "auto") field.fail(fmt::format("'{}' is neither a number nor 'auto'", field.string()));
  return true;
}

int integer(const JsonReader& field, int min, int max) { return static_cast<int>(field.integer(min, max)); }

std::optional<int> integer_or_auto(const JsonReader& field, int min, int max) {
  return is_auto(field) ? std::nullopt : std::optional(integer(field, min, max));
}

double positive(const JsonReader& field, double max) {
  const double number = field.number(0, max);
  if (number == 0) field.fail("must be above 0");
  return number;
}

std::optional<double> positive_or_auto(const JsonReader& field, double max) {
  return is_auto(field) ? std::nullopt : std::optional(positive(field, max));
}

TuningHyperparameters read_hyperparameters(const JsonReader& fields, TuningMethod method) {
  TuningHyperparameters out;
  out.n_epochs = integer_or_auto(fields["n_epochs"], 1, 50);
  out.batch_size = integer_or_auto(fields["batch_size"], 1, 256);
  out.learning_rate_multiplier = positive_or_auto(fields["learning_rate_multiplier"], kMaxMultiplier);
  if (method == TuningMethod::kDpo) out.beta = positive_or_auto(fields["beta"], 2);
  return out;
}

TuningMethod read_method(const JsonReader& method) {
  if (!method) return TuningMethod::kSupervised;
  const JsonReader type = method.required("type");
  const std::string name = type.string();
  if (name == "supervised") return TuningMethod::kSupervised;
  if (name == "dpo") return TuningMethod::kDpo;
  if (name == "reinforcement")
    throw unsupported_field(type.path(), "'method.type': hearth has supervised and dpo, not reinforcement");
  type.fail(fmt::format("'{}' is no method{}; there are supervised and dpo", name,
                        did_you_mean(name, std::array{"supervised", "dpo"})));
}

// The deprecated place is that of method.supervised.
TuningHyperparameters read_any_hyperparameters(const JsonReader& body, TuningMethod method) {
  const JsonReader deprecated = body["hyperparameters"];
  const JsonReader fields = body["method"][to_string(method)]["hyperparameters"];
  if (!deprecated) return read_hyperparameters(fields, method);
  if (body["method"])
    deprecated.fail(
        fmt::format("is the old form of '{0}.hyperparameters' and cannot stand beside 'method'; write "
                    "'method.{0}.hyperparameters'",
                    to_string(method)));
  return read_hyperparameters(deprecated, method);
}

void refuse_integrations(const JsonReader& field) {
  const std::vector<JsonReader> integrations = field.elements();
  if (!integrations.empty())
    throw unsupported_field("integrations",
                            "'integrations': hearth has none; the job's events and its result file have the metrics");
}

std::vector<std::string> read_modules(const JsonReader& field) {
  if (field.is_string()) return {text_of(field, kMaxModuleName)};
  std::vector<std::string> modules;
  for (const JsonReader& module : field.elements()) modules.push_back(text_of(module, kMaxModuleName));
  if (modules.empty() || modules.size() > kMaxModules)
    field.fail(fmt::format("must name 1 to {} modules, found {}", kMaxModules, modules.size()));
  for (const std::string& module : modules)
    if (module.find_first_of(", \t\n") != std::string::npos) field.fail("a module's name has no commas and no spaces");
  return modules;
}

struct Extension {
  std::string_view name;
  void (*read)(const JsonReader& field, TuningExtensions& out);
};

constexpr Extension kExtensions[] = {
    {"lora_rank", [](const JsonReader& f, TuningExtensions& out) { out.lora_rank = integer(f, 1, kMaxRank); }},
    {"alpha", [](const JsonReader& f, TuningExtensions& out) { out.alpha = integer(f, 1, kMaxAlpha); }},
    {"dropout", [](const JsonReader& f, TuningExtensions& out) { out.dropout = f.number(0, 0.9); }},
    {"target_modules", [](const JsonReader& f, TuningExtensions& out) { out.target_modules = read_modules(f); }},
    {"max_seq_len", [](const JsonReader& f, TuningExtensions& out) { out.max_seq_len = integer(f, 16, kMaxLength); }},
    {"learning_rate", [](const JsonReader& f, TuningExtensions& out) { out.learning_rate = positive(f, 1); }},
    {"warmup", [](const JsonReader& f, TuningExtensions& out) { out.warmup = f.number(0, 0.9); }},
    {"packing", [](const JsonReader& f, TuningExtensions& out) { out.packing = f.boolean(); }},
    {"bf16", [](const JsonReader& f, TuningExtensions& out) { out.bf16 = f.boolean(); }},
    {"max_steps", [](const JsonReader& f, TuningExtensions& out) { out.max_steps = integer(f, 1, kMaxSteps); }},
    {"save_steps", [](const JsonReader& f, TuningExtensions& out) { out.save_steps = integer(f, 1, kMaxSteps); }},
};

TuningExtensions read_extensions(const JsonReader& hearth) {
  TuningExtensions out;
  for (const auto& member : hearth.members()) {
    const std::string& name = member.first;
    const JsonReader& field = member.second;
    if (name == "quantize_base")
      throw unsupported_field(field.path(), "'hearth.quantize_base': serve a quantised file (GGUF) and train that");
    const auto* const known = std::find_if(std::begin(kExtensions), std::end(kExtensions),
                                           [&](const Extension& e) { return e.name == name; });
    if (known == std::end(kExtensions)) {
      std::vector<std::string_view> names;
      for (const Extension& extension : kExtensions) names.push_back(extension.name);
      field.fail(fmt::format("is no option of hearth{}", did_you_mean(name, names)));
    }
    if (field) known->read(field, out);
  }
  return out;
}

}  // namespace

std::string_view to_string(TuningMethod method) { return method == TuningMethod::kDpo ? "dpo" : "supervised"; }

FineTuningRequest read_fine_tuning_request(const JsonReader& body) {
  if (!body.is_object()) body.fail_type("an object");
  FineTuningRequest request;
  request.model = body.required("model").string();
  request.training_file = text_of(body.required("training_file"), kMaxFileId);
  if (const JsonReader field = body["validation_file"]) request.validation_file = text_of(field, kMaxFileId);
  if (const JsonReader field = body["suffix"]) request.suffix = read_suffix(field);
  if (const JsonReader field = body["seed"]) request.seed = field.integer(0, kMaxSeed);
  request.metadata = read_metadata(body["metadata"]);
  refuse_integrations(body["integrations"]);
  request.method = read_method(body["method"]);
  request.hyperparameters = read_any_hyperparameters(body, request.method);
  request.hearth = read_extensions(body["hearth"]);
  if (request.method == TuningMethod::kDpo && request.hearth.packing.value_or(false))
    body["hearth"]["packing"].fail("pairs of answers are not packed");
  return request;
}

}  // namespace hearth
