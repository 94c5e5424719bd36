// Conversations as files. One is what `hearth chat` saves and loads too: the messages that are shown, one after the other, and for this page the whole tree.
import {
  newConversation,
  newMessage,
  NO_SETTINGS,
  shownPath,
  withMessages,
  type Conversation,
  type Role,
} from "./conversation";

interface One {
  format: "hearth.conversation";
  version: 1;
  title: string;
  model: string;
  system: string;
  messages: { role: Role; content: string }[];
  tree?: Conversation;
}

interface Many {
  format: "hearth.conversations";
  version: 1;
  conversations: Conversation[];
}

export function exportOne(chat: Conversation): string {
  const { model, system } = chat.settings;
  const messages = shownPath(chat).map(({ role, content }) => ({ role, content }));
  const one: One = {
    format: "hearth.conversation",
    version: 1,
    title: chat.title,
    model,
    system,
    messages,
    tree: chat,
  };
  return JSON.stringify(one, null, 1);
}

export function exportMany(conversations: Conversation[]): string {
  const many: Many = { format: "hearth.conversations", version: 1, conversations };
  return JSON.stringify(many, null, 1);
}

function isTree(tree: Partial<Conversation> | undefined): tree is Conversation {
  return (
    typeof tree?.id === "string" &&
    Array.isArray(tree.messages) &&
    tree.messages.every(
      ({ id, role, content }) => typeof id === "string" && typeof role === "string" && typeof content === "string",
    )
  );
}

function completed(tree: Conversation): Conversation {
  return { ...newConversation(NO_SETTINGS), ...tree, settings: { ...NO_SETTINGS, ...tree.settings } };
}

function fromMessages({ title, model, system, messages }: One): Conversation {
  let chat: Conversation = {
    ...newConversation({ ...NO_SETTINGS, model: model ?? "", system: system ?? "" }),
    title: title ?? "",
  };
  let parent: string | null = null;
  for (const { role, content } of messages) {
    if ((role !== "user" && role !== "assistant") || typeof content !== "string") continue;
    const message = newMessage(parent, role, content, role === "assistant" ? { model } : {});
    chat = withMessages(chat, [message]);
    parent = message.id;
  }
  return chat;
}

/** Throws where the text is no export of the page's or of `hearth chat`. */
export function fromExport(text: string): Conversation[] {
  const read = JSON.parse(text) as Partial<One> | Partial<Many>;
  if (read.format === "hearth.conversations" && Array.isArray(read.conversations))
    return read.conversations.filter(isTree).map(completed);
  if (read.format === "hearth.conversation" && isTree(read.tree)) return [completed(read.tree)];
  if (read.format === "hearth.conversation" && Array.isArray(read.messages)) return [fromMessages(read as One)];
  throw new Error('this is no export of conversations: it has no "format": "hearth.conversation"');
}
