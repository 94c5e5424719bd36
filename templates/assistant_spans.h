// Which part of a rendered conversation the assistant wrote, for any checkpoint's own chat template: what training
// learns where no template is named. Found by rendering the conversation again with other contents, never by knowing
// what control tokens look like; what cannot be told for certain is refused, never guessed.
//
// Training learns, in this order: the slots of the template that the user named; what the checkpoint's template marks
// with {% generation %}; the slots of recover_slots, for conversations of plain texts (tokenised slot by slot as
// LLaMA-Factory does; its slots write tool calls in a format of their own, not the checkpoint's); these spans.
#pragma once

#include <vector>

#include "runtime/base/byte_range.h"
#include "templates/chat_template.h"

namespace hearth {

struct AssistantSpans {
  RenderedPrompt prompt;  // render(inputs)
  // Sorted, disjoint byte ranges of prompt.text, one for each message of the assistant; none where there is no such
  // message. A span begins where the generation prompt before it ends (so it has a header that the template writes only
  // into messages), and ends with what the template writes behind the turn when the conversation stops there: the end
  // of turn, and the line break behind it where that is part of the turn, as in LLaMA-Factory's assistant slots. An end
  // of sequence that closes the conversation, whoever spoke last, is not part of it. A template's own {% generation %}
  // marks stand instead, as they are, where every assistant message lies in them. Nothing in a span came from a message
  // of a user or a tool.
  std::vector<ByteRange> spans;
};

// Renders at most eleven times for each assistant message. Throws kInvalidArgument as render() does, and where the part
// of a message cannot be told, naming the message and the remedy.
AssistantSpans assistant_spans(const ChatTemplate& chat_template, const ChatTemplateInputs& inputs);

}  // namespace hearth
