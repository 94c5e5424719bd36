// A conversation as a tree: every message knows the one before it, and where several follow one (an edited question, an answer asked for again), `chosen`
// says which is shown. Nothing here touches the page or the store; every function returns a new conversation.

export type Role = "user" | "assistant" | "tool";

export interface ToolCall {
  id: string;
  name: string;
  arguments: string;
}

export interface Stats {
  promptTokens: number;
  tokens: number;
  /** Seconds until the first token, and from there to the last. */
  wait: number;
  seconds: number;
}

export interface Message {
  id: string;
  parent: string | null;
  role: Role;
  content: string;
  createdAt: number;
  /** data: URLs */
  images?: string[];
  model?: string;
  reasoning?: string;
  toolCalls?: ToolCall[];
  toolCallId?: string;
  stats?: Stats;
  /** "stopped": by the reader, or the page was left. */
  finish?: "stop" | "length" | "tool_calls" | "stopped" | "error";
  error?: { headline: string; details: string };
  /** Answers of one round were asked for together and stand side by side. */
  round?: string;
}

export const SAMPLING = [
  "temperature",
  "top_p",
  "top_k",
  "min_p",
  "max_tokens",
  "seed",
  "repetition_penalty",
  "frequency_penalty",
  "presence_penalty",
] as const;
export type SamplingKey = (typeof SAMPLING)[number];

export interface Settings {
  model: string;
  /** A second model, whose answer stands beside the first one's; empty: none. */
  compare: string;
  system: string;
  sampling: Partial<Record<SamplingKey, number>>;
  stop: string[];
  /** OpenAI's tools, as JSON; empty: none. */
  tools: string;
}

export interface Conversation {
  id: string;
  title: string;
  createdAt: number;
  updatedAt: number;
  messages: Message[];
  /** By parent ("" for the first message): the child that is shown. Without an entry it is the newest. */
  chosen: Record<string, string>;
  settings: Settings;
}

export const NO_SETTINGS: Settings = { model: "", compare: "", system: "", sampling: {}, stop: [], tools: "" };
const TITLE_LENGTH = 60;

export function newConversation(settings: Settings): Conversation {
  const now = Date.now();
  return { id: crypto.randomUUID(), title: "", createdAt: now, updatedAt: now, messages: [], chosen: {}, settings };
}

export function newMessage(parent: string | null, role: Role, content: string, rest: Partial<Message> = {}): Message {
  return { id: crypto.randomUUID(), parent, role, content, createdAt: Date.now(), ...rest };
}

export function children(conversation: Conversation, parent: string | null): Message[] {
  return conversation.messages.filter((message) => message.parent === parent);
}

function shownChild(conversation: Conversation, parent: string | null): Message | undefined {
  const all = children(conversation, parent);
  return all.find(({ id }) => id === conversation.chosen[parent ?? ""]) ?? all.at(-1);
}

/** The messages that are shown, from the first on. */
export function shownPath(conversation: Conversation): Message[] {
  const path: Message[] = [];
  for (let next = shownChild(conversation, null); next; next = shownChild(conversation, next.id)) path.push(next);
  return path;
}

/** The messages from the first to `id`, as a model is sent them. */
export function pathTo(conversation: Conversation, id: string | null): Message[] {
  const byId = new Map(conversation.messages.map((message) => [message.id, message]));
  const path: Message[] = [];
  for (let at = byId.get(id ?? ""); at; at = byId.get(at.parent ?? "")) path.unshift(at);
  return path;
}

/** Adds answers (or one message) to the same parent and shows the first of them. */
export function withMessages(conversation: Conversation, added: Message[]): Conversation {
  const chosen = { ...conversation.chosen, [added[0]?.parent ?? ""]: added[0]!.id };
  const title = conversation.title || titleOf(added.find(({ role }) => role === "user")?.content ?? "");
  return { ...conversation, title, chosen, updatedAt: Date.now(), messages: [...conversation.messages, ...added] };
}

export function withChanged(conversation: Conversation, id: string, change: Partial<Message>): Conversation {
  const messages = conversation.messages.map((message) => (message.id === id ? { ...message, ...change } : message));
  return { ...conversation, updatedAt: Date.now(), messages };
}

export function withChosen(conversation: Conversation, message: Message): Conversation {
  return { ...conversation, chosen: { ...conversation.chosen, [message.parent ?? ""]: message.id } };
}

/** The versions of a message: one of each round of answers, every one of the others. */
export function versions(conversation: Conversation, message: Message): Message[] {
  const rounds = new Set<string>();
  return children(conversation, message.parent).filter(({ id, round }) => {
    if (id === message.id || !round) return true;
    if (round === message.round || rounds.has(round)) return false;
    rounds.add(round);
    return true;
  });
}

/** The answers that stand side by side with this one, itself among them. */
export function roundOf(conversation: Conversation, message: Message): Message[] {
  if (!message.round) return [message];
  return children(conversation, message.parent).filter(({ round }) => round === message.round);
}

export function titleOf(text: string): string {
  const line = text.trim().split("\n", 1)[0] ?? "";
  return line.length > TITLE_LENGTH ? `${line.slice(0, TITLE_LENGTH - 1)}…` : line;
}

export function matches(conversation: Conversation, words: string): boolean {
  const wanted = words.trim().toLowerCase();
  return (
    !wanted ||
    conversation.title.toLowerCase().includes(wanted) ||
    conversation.messages.some(({ content }) => content.toLowerCase().includes(wanted))
  );
}

/** Some models think aloud first, between these; it is folded, and not sent back to them. */
export function splitReasoning(text: string): { reasoning: string; content: string } {
  const begun = /^\s*<think>\n?/.exec(text);
  if (!begun) return { reasoning: "", content: text };
  const end = text.indexOf("</think>", begun[0].length);
  if (end < 0) return { reasoning: text.slice(begun[0].length), content: "" };
  return { reasoning: text.slice(begun[0].length, end).trim(), content: text.slice(end + 8).trimStart() };
}

function sent(message: Message): object {
  if (message.role === "tool") return { role: "tool", tool_call_id: message.toolCallId, content: message.content };
  if (message.role === "assistant") {
    const calls = message.toolCalls?.map(({ id, name, arguments: given }) => ({
      id,
      type: "function",
      function: { name, arguments: given },
    }));
    return {
      role: "assistant",
      content: splitReasoning(message.content).content,
      ...(calls ? { tool_calls: calls } : {}),
    };
  }
  if (!message.images?.length) return { role: "user", content: message.content };
  const images = message.images.map((url) => ({ type: "image_url", image_url: { url } }));
  return { role: "user", content: [...images, { type: "text", text: message.content }] };
}

/** The body of the request for an answer to `parent`; the tools are valid JSON. `defaults`: the sampling where nothing is set. */
export function requestFor(
  conversation: Conversation,
  parent: string,
  model: string,
  defaults: Record<string, number> = {},
): object {
  const { system, sampling, stop, tools } = conversation.settings;
  const before = pathTo(conversation, parent).filter(
    ({ role, content, toolCalls }) => role !== "assistant" || content || toolCalls,
  );
  return {
    model,
    messages: [...(system.trim() ? [{ role: "system", content: system }] : []), ...before.map(sent)],
    ...defaults,
    ...sampling,
    ...(stop.length ? { stop } : {}),
    ...(tools.trim() ? { tools: JSON.parse(tools) } : {}),
    stream: true,
    stream_options: { include_usage: true },
  };
}
