#include "server/answer_grammar.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "server/api_error.h"
#include "server/call_grammar.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

class AnswerGrammar {
 public:
  AnswerGrammar(const ServedModel& model, const ChatRequest& request, std::string_view prompt)
      : model_(model),
        request_(request),
        prompt_(prompt),
        calls_(model.messages.calls != nullptr && !request.conversation.tools.is_null() ? model.messages.calls
                                                                                        : nullptr) {}

  // Whether any text may come, as far as anyone cares.
  bool is_free() const {
    if (request_.generation.format) return false;
    if (calls_ == nullptr) return true;
    // A call that begins like any text cannot be told from it before it is there.
    return calls_->is_bare() && calls_->body != CallBody::kHarmony && !request_.conversation.tool_choice.required &&
           std::ranges::none_of(request_.conversation.tools, is_strict);
  }

  Grammar build() {
    grammar_.rules.emplace_back();
    Expr root = is_harmony() ? harmony() : reasoning_and_answer();
    grammar_.rules[0] = std::move(root);
    if (!prune(grammar_))
      throw invalid_field("tools", "no answer satisfies what the tools and the format say together");
    return std::move(grammar_);
  }

 private:
  bool is_harmony() const {
    return model_.messages.calls != nullptr && model_.messages.calls->body == CallBody::kHarmony;
  }
  bool required() const { return request_.conversation.tool_choice.required; }

  MarkSpeller speller() const { return MarkSpeller(*model_.loaded.tokenizer, model_.mark_tokens); }
  Expr mark(std::string_view text) const { return speller().spell(text); }
  Expr text_up_to(const std::vector<std::string>& marks) { return text_without(grammar_, marks); }
  static Expr blanks() { return grammar::repeat(grammar::chars({{' ', ' '}, {'\n', '\n'}}), 0, 4); }

  // What a model that reasons says before its answer.
  Expr reasoning() {
    const ReasoningFormat& format = model_.messages.reasoning;
    if (format.empty() || has_ended(format, prompt_)) return grammar::sequence({});
    Expr inside = grammar::sequence({text_up_to({std::string(format.end)}), mark(format.end), blanks()});
    if (has_begun(format, prompt_)) return inside;
    return grammar::optional(grammar::sequence({blanks(), mark(format.begin), std::move(inside)}));
  }

  Expr reasoning_and_answer() { return grammar::sequence({reasoning(), answer()}); }

  Expr text() {
    if (request_.generation.format) return embed(grammar_, grammar_of(*request_.generation.format));
    if (calls_ == nullptr) return grammar::repeat(grammar::chars(CharSet::all()), 0);
    if (calls_->is_bare())
      return grammar::sequence({blanks(), text_not_beginning(beginnings_of_calls(*calls_, tools()))});
    return text_up_to(calls_->text_marks());
  }

  std::vector<CallableTool> tools() const { return callable_tools(request_.conversation); }

  Expr answer() {
    if (calls_ == nullptr) return text();
    CallGrammar maker(grammar_, *calls_, speller(), request_.conversation.tool_choice.parallel);
    // The prompt may have begun a call, or the name that says that text follows.
    const bool begun = !calls_->text_name.empty() && prompt_.ends_with(bare_mark(calls_->call_begin));
    Expr calls = maker.calls(tools(), begun);
    if (required()) return calls;
    if (begun)
      return grammar::choice(
          {std::move(calls),
           grammar::sequence({grammar::text(std::string(calls_->text_name) + std::string(calls_->name_end)), text(),
                              grammar::optional(maker.calls(tools(), false))})});
    if (request_.generation.format || calls_->is_bare()) return grammar::choice({text(), std::move(calls)});
    return grammar::sequence({text(), grammar::optional(std::move(calls))});
  }

  // gpt-oss: analysis, then the answer on a channel of its own.
  Expr harmony() {
    Expr analysis = grammar::optional(
        grammar::sequence({mark("<|channel|>analysis<|message|>"), text_up_to(model_.messages.calls->marks()),
                           mark("<|end|><|start|>assistant")}));
    std::vector<Expr> answers;
    if (calls_ != nullptr) {
      CallGrammar maker(grammar_, *calls_, speller(), false);
      answers.push_back(maker.calls(tools(), false));
    }
    if (calls_ == nullptr || !required()) {
      Expr said = request_.generation.format ? embed(grammar_, grammar_of(*request_.generation.format))
                                             : text_up_to(model_.messages.calls->marks());
      answers.push_back(grammar::sequence({mark("<|channel|>final<|message|>"), std::move(said)}));
    }
    return grammar::sequence({std::move(analysis), grammar::choice(std::move(answers))});
  }

  const ServedModel& model_;
  const ChatRequest& request_;
  std::string_view prompt_;
  const CallFormat* calls_;  // null: there are no calls
  Grammar grammar_;
};

// What the grammar follows from.
std::string key_of(const ServedModel& model, const ChatRequest& request, std::string_view prompt) {
  const ConversationFields& conversation = request.conversation;
  const auto& format = request.generation.format;
  const ReasoningFormat& reasoning = model.messages.reasoning;
  Json key = {model.messages.calls == nullptr ? "" : model.messages.calls->name,
              reasoning.begin,
              has_begun(reasoning, prompt),
              has_ended(reasoning, prompt),
              model.messages.calls != nullptr && prompt.ends_with(bare_mark(model.messages.calls->call_begin)),
              conversation.tools,
              conversation.tool_choice.required,
              conversation.tool_choice.names,
              conversation.tool_choice.parallel,
              format ? static_cast<int>(format->kind) : -1,
              format ? format->value : Json()};
  return "answer:" + key.dump();
}

}  // namespace

std::shared_ptr<TokenGrammar> answer_grammar(const ServedModel& model, const ChatRequest& request,
                                             std::string_view prompt) {
  AnswerGrammar answer(model, request, prompt);
  if (answer.is_free()) return nullptr;
  try {
    return model.grammars->get(key_of(model, request, prompt), [&] { return answer.build(); });
  } catch (const ApiError&) {
    throw;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInvalidArgument) throw;
    const bool has_tools = !request.conversation.tools.is_null();
    const std::string param = has_tools ? "tools" : request.generation.format->param;
    throw invalid_field(param, fmt::format("'{}': {}", param, error.what()));
  }
}

}  // namespace hearth
