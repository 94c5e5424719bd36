// Answers as they arrive: asked for, shown a frame at a time, stored now and then, stopped.
import { signal } from "@preact/signals";
import { ApiError, isAbort, stream } from "../api/client";
import { findModel, refreshModels } from "../api/models";
import { explain } from "../text/errors";
import { findChat, keep, settle } from "./chats";
import {
  newMessage,
  requestFor,
  withChanged,
  withMessages,
  type Conversation,
  type Message,
  type Stats,
  type ToolCall,
} from "./conversation";

const STORE_EVERY_MS = 2000;

/** What has arrived of an answer that is not complete. */
export interface Arriving {
  content: string;
  reasoning: string;
}

/** By the id of the message. */
export const running = signal<ReadonlyMap<string, Answer>>(new Map());

export function isRunning(chat: string): boolean {
  return [...running.value.values()].some((answer) => answer.chat === chat);
}

export function stopAnswers(chat: string) {
  for (const answer of running.value.values()) if (answer.chat === chat) answer.stop.abort();
}

class Answer {
  readonly shown = signal<Arriving>({ content: "", reasoning: "" });
  readonly stop = new AbortController();
  private content = "";
  private reasoning = "";
  private toolCalls: ToolCall[] = [];
  private finish: Message["finish"];
  private usage?: { prompt_tokens: number; completion_tokens: number };
  private readonly began = performance.now();
  private first = 0;
  private last = 0;
  private frame = 0;
  private stored = performance.now();

  constructor(
    readonly chat: string,
    readonly message: Message,
  ) {}

  async run(body: object): Promise<void> {
    let error: Message["error"];
    try {
      await stream("/v1/chat/completions", { json: body, signal: this.stop.signal }, (chunk) => this.take(chunk));
      if (!this.finish) throw new ApiError(0, "connection_lost", "the stream ended early");
    } catch (thrown) {
      this.finish = isAbort(thrown) ? "stopped" : "error";
      if (!isAbort(thrown)) error = explain(thrown);
    }
    cancelAnimationFrame(this.frame);
    this.save({ finish: this.finish, error, stats: this.stats() });
  }

  /** What there is, as if the reader had stopped here; for a page that is being left. */
  save(rest: Partial<Message> = { finish: "stopped" }) {
    const chat = findChat(this.chat);
    if (!chat) return;
    this.stored = performance.now();
    keep(
      withChanged(chat, this.message.id, {
        content: this.content,
        ...(this.reasoning ? { reasoning: this.reasoning } : {}),
        ...(this.toolCalls.length ? { toolCalls: this.toolCalls } : {}),
        ...rest,
      }),
    );
  }

  private take(chunk: any) {
    if (chunk.usage) this.usage = chunk.usage;
    const choice = chunk.choices?.[0];
    if (!choice) return;
    if (choice.finish_reason) this.finish = choice.finish_reason;
    const { content, reasoning_content: reasoning, tool_calls: calls } = choice.delta ?? {};
    for (const call of calls ?? []) this.takeCall(call);
    if (!content && !reasoning) return;
    this.content += content ?? "";
    this.reasoning += reasoning ?? "";
    this.last = performance.now();
    this.first ||= this.last;
    this.frame ||= requestAnimationFrame(() => this.show());
  }

  private takeCall({
    index,
    id,
    function: called,
  }: {
    index: number;
    id?: string;
    function?: { name?: string; arguments?: string };
  }) {
    const call = (this.toolCalls[index] ??= { id: id ?? "", name: "", arguments: "" });
    call.name += called?.name ?? "";
    call.arguments += called?.arguments ?? "";
  }

  private show() {
    this.frame = 0;
    this.shown.value = { content: this.content, reasoning: this.reasoning };
    if (performance.now() - this.stored > STORE_EVERY_MS) this.save();
  }

  private stats(): Stats | undefined {
    if (!this.usage || !this.first) return undefined;
    return {
      promptTokens: this.usage.prompt_tokens,
      tokens: this.usage.completion_tokens,
      wait: (this.first - this.began) / 1000,
      seconds: (this.last - this.first) / 1000,
    };
  }
}

/** Answers to `parent`, one of each model, side by side when there are two. */
function answer(conversation: Conversation, parent: string, models: string[]) {
  const round = models.length > 1 ? crypto.randomUUID() : undefined;
  const asked = models.map((model) => newMessage(parent, "assistant", "", { model, ...(round ? { round } : {}) }));
  const changed = withMessages(conversation, asked);
  const answers = asked.map((message) => new Answer(changed.id, message));
  running.value = new Map([...running.value, ...answers.map((one) => [one.message.id, one] as const)]);
  if (findChat(changed.id)?.messages.length) keep(changed);
  else settle(changed);
  for (const one of answers) {
    one
      .run(requestFor(changed, parent, one.message.model!, findModel(one.message.model!)?.chat_sampling ?? {}))
      .finally(() => {
        const left = new Map(running.value);
        left.delete(one.message.id);
        running.value = left;
        refreshModels().catch(() => {});
      });
  }
}

export function modelsOf({ settings }: Conversation): string[] {
  return [settings.model, settings.compare].filter((id) => id);
}

export function send(conversation: Conversation, parent: string | null, content: string, images: string[] = []) {
  const question = newMessage(parent, "user", content, images.length ? { images } : {});
  answer(withMessages(conversation, [question]), question.id, modelsOf(conversation));
}

/** Results of tools, in the order of the calls; the model goes on from there. */
export function sendResults(conversation: Conversation, called: Message, results: string[]) {
  let parent = called.id;
  const messages = results.map((content, i) => {
    const message = newMessage(parent, "tool", content, { toolCallId: called.toolCalls?.[i]?.id });
    parent = message.id;
    return message;
  });
  let changed = conversation;
  for (const message of messages) changed = withMessages(changed, [message]);
  answer(changed, parent, [called.model ?? conversation.settings.model]);
}

/** Another answer of the models that are chosen now. */
export function regenerate(conversation: Conversation, message: Message) {
  answer(conversation, message.parent!, modelsOf(conversation));
}

window.addEventListener("pagehide", () => {
  for (const one of running.value.values()) one.save();
});
