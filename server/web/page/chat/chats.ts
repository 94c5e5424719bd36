// The conversations of this browser and the one that is open.
import { computed, effect, signal } from "@preact/signals";
import { go, place } from "../shell/route";
import { notifyError } from "../shell/notices";
import { kept } from "../shell/settings";
import { newConversation, NO_SETTINGS, type Conversation, type Settings } from "./conversation";
import { fromExport } from "./exchange";
import { discard, onOtherTab, store, storedConversations } from "./store";

const all = signal<Record<string, Conversation>>({});
export const chatsKnown = signal(false);
export const conversations = computed(() => Object.values(all.value).sort((a, b) => b.updatedAt - a.updatedAt));

/** What the next new chat begins with: the models chosen last. */
const lastModels = kept("models", { model: "", compare: "" });
const draft = signal(newConversation({ ...NO_SETTINGS, ...lastModels.value }));

/** The one that is shown. A chat without a message is in no list and not stored. */
export const current = computed<Conversation>(() => {
  const id = place.value.view === "chat" ? place.value.id : "";
  return all.value[id] ?? draft.value;
});

export function findChat(id: string): Conversation | undefined {
  return all.value[id] ?? (draft.value.id === id ? draft.value : undefined);
}

/** Shows the change at once and stores it. */
export function keep(conversation: Conversation) {
  if (conversation.messages.length === 0) {
    draft.value = conversation;
    return;
  }
  all.value = { ...all.value, [conversation.id]: conversation };
  store(conversation).catch(notifyError);
}

export function newChat(settings: Partial<Settings> = {}) {
  draft.value = newConversation({ ...NO_SETTINGS, ...lastModels.value, ...settings });
  go("chat");
}

/** The draft has its first message: it becomes a conversation with an address. */
export function settle(conversation: Conversation) {
  keep(conversation);
  go("chat", conversation.id, true);
  draft.value = newConversation({ ...NO_SETTINGS, ...lastModels.value });
}

export function forget(id: string) {
  const { [id]: _, ...rest } = all.value;
  all.value = rest;
  discard(id).catch(notifyError);
  if (place.value.id === id) go("chat", "", true);
}

export function changeSettings(conversation: Conversation, change: Partial<Settings>) {
  const settings = { ...conversation.settings, ...change };
  lastModels.value = { model: settings.model, compare: settings.compare };
  keep({ ...conversation, settings });
}

/** How many were taken in. Throws where the text is none of ours. */
export function importChats(text: string): number {
  const chats = fromExport(text);
  chats.forEach(keep);
  return chats.length;
}

storedConversations()
  .then((stored) => (all.value = { ...Object.fromEntries(stored.map((one) => [one.id, one])), ...all.value }))
  .catch(notifyError)
  .finally(() => (chatsKnown.value = true));

onOtherTab((id, conversation) => {
  const { [id]: _, ...rest } = all.value;
  all.value = conversation ? { ...rest, [id]: conversation } : rest;
});

// An address of a conversation that is not here (any more) leads to a new one.
effect(() => {
  const { view, id } = place.value;
  if (view === "chat" && id && chatsKnown.value && !all.value[id]) go("chat", "", true);
});
