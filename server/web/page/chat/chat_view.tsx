// The chat: its head with the models, the messages, the box.
import { signal, useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { ArrowDown, Columns2, SlidersHorizontal } from "lucide";
import { chatModels, modelsKnown } from "../api/models";
import { IconButton } from "../parts/button";
import { isRunning, send, stopAnswers } from "./answers";
import { changeSettings, current } from "./chats";
import { ChatSettings } from "./chat_settings";
import { Composer } from "./composer";
import { roundOf, shownPath, type Conversation } from "./conversation";
import { Answer, Question } from "./message_view";
import { ModelPicker } from "./model_picker";
import { t } from "./text";

export { ChatList } from "./chat_list";

const settingsShown = signal(false);
const NEAR_END = 80; // pixels

window.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !document.querySelector("dialog[open]")) stopAnswers(current.value.id);
});

function Head() {
  const chat = current.value;
  const { model, compare } = chat.settings;
  const other = chatModels().find(({ id }) => id !== model)?.id ?? model;
  return (
    <header class="head">
      <ModelPicker />
      <IconButton
        icon={Columns2}
        label={compare ? t("stopComparing") : t("compare")}
        pressed={compare !== ""}
        onClick={() => changeSettings(chat, { compare: compare ? "" : other })}
      />
      <IconButton
        icon={SlidersHorizontal}
        label={t("settings")}
        pressed={settingsShown.value}
        onClick={() => (settingsShown.value = !settingsShown.value)}
      />
    </header>
  );
}

function Greeting({ chat }: { chat: Conversation }) {
  if (modelsKnown.value && chatModels().length === 0) return <p class="centered quiet">{t("noModels")}</p>;
  return (
    <div class="greeting">
      <h1>{t("greeting")}</h1>
      <p class="quiet">{chat.settings.model && t("greetingModel", { model: chat.settings.model })}</p>
      <div class="suggestions">
        {[t("try1"), t("try2"), t("try3")].map((text) => (
          <button key={text} disabled={!chat.settings.model} onClick={() => send(chat, null, text)}>
            {text}
          </button>
        ))}
      </div>
    </div>
  );
}

function Messages({ chat, edited, onEdit }: { chat: Conversation; edited: string; onEdit: (id: string) => void }) {
  return (
    <>
      {shownPath(chat).map((message) => {
        if (message.role === "user")
          return (
            <Question key={message.id} chat={chat} message={message} editing={edited === message.id} onEdit={onEdit} />
          );
        if (message.role === "tool")
          return (
            <pre key={message.id} class="tool-result">
              {message.content}
            </pre>
          );
        const round = roundOf(chat, message);
        if (round.length === 1) return <Answer key={message.id} chat={chat} message={message} />;
        return (
          <div key={message.round} class="side-by-side">
            {round.map((one) => (
              <Answer key={one.id} chat={chat} message={one} isChosen={one.id === message.id} />
            ))}
          </div>
        );
      })}
    </>
  );
}

/** Keeps the end in view while the reader is there. */
function useFollowing(key: string) {
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  const away = useSignal(false);
  const toEnd = () => scroller.current?.scrollTo({ top: scroller.current.scrollHeight });
  useLayoutEffect(() => {
    follows.current = true;
    toEnd();
    const observer = new ResizeObserver(() => follows.current && toEnd());
    observer.observe(content.current!);
    return () => observer.disconnect();
  }, [key]);
  const onScroll = () => {
    const { scrollTop, scrollHeight, clientHeight } = scroller.current!;
    follows.current = scrollHeight - scrollTop - clientHeight < NEAR_END;
    away.value = !follows.current;
  };
  return { scroller, content, away, toEnd, onScroll };
}

/** Says to those who listen that an answer is there; its text would be too much while it arrives. */
function Announcer({ chat }: { chat: Conversation }) {
  const said = useSignal("");
  const busy = isRunning(chat.id);
  const wasBusy = useRef(false);
  useEffect(() => {
    said.value = wasBusy.current && !busy ? t("answerComplete") : "";
    wasBusy.current = busy;
  }, [busy]);
  return (
    <p class="hidden" role="status">
      {said}
    </p>
  );
}

export function ChatView() {
  const chat = current.value;
  const edited = useSignal("");
  const { scroller, content, away, toEnd, onScroll } = useFollowing(chat.id);
  const editLast = () => (edited.value = shownPath(chat).findLast(({ role }) => role === "user")?.id ?? "");
  return (
    <div class="chat">
      <Head />
      <div class="chat-body">
        <div class="conversation">
          <div
            class="scroll"
            ref={scroller}
            onScroll={onScroll}
            tabIndex={0}
            role="log"
            aria-live="off"
            aria-label={chat.title || t("newChat")}
          >
            <div
              class={`messages ${chat.settings.compare ? "broad" : ""} ${chat.messages.length === 0 ? "empty" : ""}`}
              ref={content}
            >
              {chat.messages.length === 0 ? (
                <Greeting chat={chat} />
              ) : (
                <Messages chat={chat} edited={edited.value} onEdit={(id) => (edited.value = id)} />
              )}
            </div>
          </div>
          {away.value && <IconButton icon={ArrowDown} label={t("toEnd")} class="to-end round" onClick={toEnd} />}
          <Composer onEditLast={editLast} />
        </div>
        {settingsShown.value && <ChatSettings />}
      </div>
      <Announcer chat={chat} />
    </div>
  );
}
