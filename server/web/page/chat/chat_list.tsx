// The conversations of this browser: searched, renamed, exported, deleted.
import { signal, useSignal } from "@preact/signals";
import { Download, Pencil, Plus, Trash2, Upload } from "lucide";
import { Icon } from "../parts/icon";
import { IconButton } from "../parts/button";
import { Dialog } from "../parts/dialog";
import { chooseFiles, download } from "../parts/download";
import { notify, notifyError } from "../shell/notices";
import { address, place } from "../shell/route";
import { isTyping } from "../shell/shortcuts";
import { stopAnswers } from "./answers";
import { conversations, forget, importChats, keep, newChat } from "./chats";
import { matches, type Conversation } from "./conversation";
import { exportMany, exportOne } from "./exchange";
import { t } from "./text";

const words = signal("");
const MOST_SHOWN = 200;

window.addEventListener("keydown", (event) => {
  if (event.key === "/" && !isTyping(event.target)) {
    event.preventDefault();
    document.querySelector<HTMLInputElement>("#search-conversations")?.focus();
  }
  if (event.altKey && event.code === "KeyN") {
    event.preventDefault();
    newChat();
  }
});

function save(name: string, text: string) {
  download(`${name}.json`, new Blob([text], { type: "application/json" }));
}

function fileName(title: string): string {
  return title.replace(/[^\p{L}\p{N} _-]/gu, "").trim() || "chat";
}

function remove(chat: Conversation) {
  if (!confirm(t("removeSure", { title: chat.title }))) return;
  stopAnswers(chat.id);
  forget(chat.id);
}

async function take() {
  const [file] = await chooseFiles(".json,application/json");
  if (!file) return;
  try {
    notify(t("imported", { count: importChats(await file.text()) }));
  } catch (error) {
    notifyError(error);
  }
}

function Row({ chat, onRename }: { chat: Conversation; onRename: () => void }) {
  const title = chat.title || "…";
  const isCurrent = place.value.view === "chat" && place.value.id === chat.id;
  return (
    <li class="row">
      <a href={address("chat", chat.id)} aria-current={isCurrent ? "true" : undefined} title={title}>
        {title}
      </a>
      <span class="row-actions" role="group" aria-label={t("actions", { title })}>
        <IconButton icon={Pencil} label={t("rename")} onClick={onRename} />
        <IconButton icon={Download} label={t("exportOne")} onClick={() => save(fileName(title), exportOne(chat))} />
        <IconButton icon={Trash2} label={t("remove")} onClick={() => remove(chat)} />
      </span>
    </li>
  );
}

function RenameDialog({ chat, onClose }: { chat: Conversation | undefined; onClose: () => void }) {
  const title = useSignal("");
  return (
    <Dialog open={chat !== undefined} title={t("renameTitle")} onClose={onClose}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (chat) keep({ ...chat, title: title.value.trim() || chat.title });
          onClose();
        }}
      >
        <label class="field">
          <span>{t("title")}</span>
          <input autofocus defaultValue={chat?.title} onInput={(event) => (title.value = event.currentTarget.value)} />
        </label>
        <div class="buttons">
          <button class="primary">{t("save")}</button>
        </div>
      </form>
    </Dialog>
  );
}

export function ChatList() {
  const renamed = useSignal<Conversation | undefined>(undefined);
  const found = conversations.value.filter((chat) => matches(chat, words.value)).slice(0, MOST_SHOWN);
  return (
    <>
      <button class="wide" onClick={() => newChat()}>
        <Icon of={Plus} size={16} />
        {t("newChat")}
      </button>
      <input
        id="search-conversations"
        type="search"
        placeholder={t("search")}
        aria-label={t("search")}
        value={words.value}
        onInput={(event) => (words.value = event.currentTarget.value)}
      />
      <ul class="rows" aria-label={t("conversations")}>
        {found.map((chat) => (
          <Row key={chat.id} chat={chat} onRename={() => (renamed.value = chat)} />
        ))}
      </ul>
      {words.value && found.length === 0 && <p class="quiet padded">{t("noMatch")}</p>}
      <div class="list-foot">
        <button class="plain" onClick={take}>
          <Icon of={Upload} size={14} />
          {t("import")}
        </button>
        {conversations.value.length > 0 && (
          <button class="plain" onClick={() => save("hearth-conversations", exportMany(conversations.value))}>
            <Icon of={Download} size={14} />
            {t("exportAll")}
          </button>
        )}
      </div>
      <RenameDialog chat={renamed.value} onClose={() => (renamed.value = undefined)} />
    </>
  );
}
