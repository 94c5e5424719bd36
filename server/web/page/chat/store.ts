// Conversations in the browser's database (IndexedDB). Other tabs of the page hear of every change.
import { openDB, type DBSchema, type IDBPDatabase } from "idb";
import type { Conversation } from "./conversation";

interface Schema extends DBSchema {
  conversations: { key: string; value: Conversation };
}

const channel = new BroadcastChannel("hearth.conversations");
let opened: Promise<IDBPDatabase<Schema>> | undefined;

function database() {
  opened ??= openDB<Schema>("hearth", 1, {
    upgrade: (created) => {
      created.createObjectStore("conversations", { keyPath: "id" });
    },
  });
  return opened;
}

export async function storedConversations(): Promise<Conversation[]> {
  return (await database()).getAll("conversations");
}

export async function store(conversation: Conversation): Promise<void> {
  await (await database()).put("conversations", conversation);
  channel.postMessage(conversation.id);
}

export async function discard(id: string): Promise<void> {
  await (await database()).delete("conversations", id);
  channel.postMessage(id);
}

/** `changed` gets what another tab has stored; undefined: it was discarded there. */
export function onOtherTab(changed: (id: string, conversation: Conversation | undefined) => void) {
  channel.onmessage = async ({ data }) => changed(data, await (await database()).get("conversations", data));
}
