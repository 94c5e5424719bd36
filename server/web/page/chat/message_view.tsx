// A message, and what can be done with it.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Check, ChevronLeft, ChevronRight, Copy, Pencil, RotateCcw } from "lucide";
import { Icon } from "../parts/icon";
import { findModel } from "../api/models";
import { Markdown } from "../markdown/markdown";
import { IconButton } from "../parts/button";
import { copyText } from "../parts/copy";
import { number } from "../text";
import { regenerate, running, send, sendResults } from "./answers";
import { keep } from "./chats";
import {
  children,
  newMessage,
  splitReasoning,
  versions,
  withChosen,
  withMessages,
  type Conversation,
  type Message,
} from "./conversation";
import { t } from "./text";

interface Props {
  chat: Conversation;
  message: Message;
}

function Versions({ chat, message }: Props) {
  const all = versions(chat, message);
  if (all.length < 2) return null;
  const at = all.findIndex(({ id }) => id === message.id);
  const show = (index: number) => keep(withChosen(chat, all[index]!));
  return (
    <span class="versions">
      <IconButton icon={ChevronLeft} label={t("earlier")} disabled={at === 0} onClick={() => show(at - 1)} />
      <span>{t("version", { at: at + 1, count: all.length })}</span>
      <IconButton
        icon={ChevronRight}
        label={t("later")}
        disabled={at === all.length - 1}
        onClick={() => show(at + 1)}
      />
    </span>
  );
}

function Editor({
  message,
  onSave,
  onLeave,
}: {
  message: Message;
  onSave: (text: string) => void;
  onLeave: () => void;
}) {
  const text = useSignal(message.content);
  const box = useRef<HTMLTextAreaElement>(null);
  useEffect(() => box.current?.focus(), []);
  return (
    <form
      class="editor"
      onSubmit={(event) => {
        event.preventDefault();
        if (text.value.trim()) onSave(text.value);
      }}
      onKeyDown={(event) => {
        if (event.key === "Escape") {
          event.stopPropagation();
          onLeave();
        }
      }}
    >
      <div class="growing" data-text={text.value}>
        <textarea
          ref={box}
          aria-label={t("editQuestion")}
          value={text.value}
          onInput={(event) => (text.value = event.currentTarget.value)}
        />
      </div>
      <div class="buttons">
        <button type="button" onClick={onLeave}>
          {t("cancel")}
        </button>
        <button class="primary">{message.role === "user" ? t("editSend") : t("editSave")}</button>
      </div>
    </form>
  );
}

export function Question({
  chat,
  message,
  editing,
  onEdit,
}: Props & { editing: boolean; onEdit: (id: string) => void }) {
  if (editing) {
    return (
      <article class="question" aria-label={t("you")}>
        <Editor
          message={message}
          onLeave={() => onEdit("")}
          onSave={(text) => {
            onEdit("");
            send(chat, message.parent, text, message.images);
          }}
        />
      </article>
    );
  }
  return (
    <article class="question" aria-label={t("you")}>
      <div class="bubble">
        {message.images?.map((url, i) => (
          <img key={i} src={url} alt={t("image", { number: i + 1 })} />
        ))}
        {message.content}
      </div>
      <div class="actions">
        <Versions chat={chat} message={message} />
        <IconButton icon={Copy} label={t("copy")} onClick={() => copyText(message.content)} />
        <IconButton icon={Pencil} label={t("edit")} onClick={() => onEdit(message.id)} />
      </div>
    </article>
  );
}

function Reasoning({ text, complete }: { text: string; complete: boolean }) {
  if (!text) return null;
  return (
    <details class="reasoning">
      <summary>{complete ? t("thought") : t("thinking")}</summary>
      <Markdown text={text} complete={complete} />
    </details>
  );
}

function Waiting({ model }: { model: string }) {
  const isLoaded = findModel(model)?.state === "loaded";
  return (
    <p class="waiting quiet">
      <span class="dots" aria-hidden="true">
        <i />
        <i />
        <i />
      </span>
      <span class={isLoaded ? "hidden" : ""}>{isLoaded ? t("waiting") : t("loadingModel", { model })}</span>
    </p>
  );
}

function ToolCalls({ chat, message }: Props) {
  const results = useSignal<string[]>([]);
  const calls = message.toolCalls ?? [];
  if (calls.length === 0) return null;
  const isAnswered = children(chat, message.id).length > 0;
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault();
        sendResults(
          chat,
          message,
          calls.map((_, i) => results.value[i] ?? ""),
        );
      }}
    >
      {calls.map((call, i) => (
        <div key={call.id} class="tool-call">
          <p>{t("toolCall", { name: call.name })}</p>
          <pre>{call.arguments}</pre>
          {!isAnswered && (
            <label class="field">
              <span>{t("toolResult", { name: call.name })}</span>
              <textarea
                rows={2}
                onInput={(event) => (results.value = results.value.with(i, event.currentTarget.value))}
              />
            </label>
          )}
        </div>
      ))}
      {!isAnswered && <button class="primary">{t("sendResults")}</button>}
    </form>
  );
}

function Stats({ message }: { message: Message }) {
  const { stats } = message;
  if (!stats || stats.tokens < 1) return null;
  const rate = stats.seconds > 0 ? (stats.tokens - 1) / stats.seconds : 0;
  return (
    <span class="stats" title={t("statsTitle", { prompt: number(stats.promptTokens), tokens: number(stats.tokens) })}>
      {t("stats", { tokens: number(stats.tokens), rate: number(rate, 1), wait: number(stats.wait, 2) })}
    </span>
  );
}

function Ending({ chat, message }: Props) {
  if (message.error) {
    return (
      <div class="failure" role="alert">
        <p>{message.error.headline}</p>
        {message.error.details && <p class="quiet">{message.error.details}</p>}
        <button onClick={() => regenerate(chat, message)}>{t("tryAgain")}</button>
      </div>
    );
  }
  if (message.finish === "length") return <p class="quiet small">{t("tooLong")}</p>;
  if (message.finish === "stopped") return <p class="quiet small">{t("stoppedEarly")}</p>;
  return null;
}

/** `isChosen`: of answers side by side, the one that the chat goes on with; undefined where it stands alone. */
export function Answer({ chat, message, isChosen }: Props & { isChosen?: boolean }) {
  const editing = useSignal(false);
  const arriving = running.value.get(message.id);
  const complete = !arriving;
  const shown = arriving?.shown.value ?? { content: message.content, reasoning: message.reasoning ?? "" };
  const { reasoning, content } = shown.reasoning ? shown : splitReasoning(shown.content);
  if (editing.value) {
    return (
      <article class="answer" aria-label={message.model}>
        <Editor
          message={message}
          onLeave={() => (editing.value = false)}
          onSave={(text) => {
            editing.value = false;
            keep(withMessages(chat, [newMessage(message.parent, "assistant", text, { model: message.model })]));
          }}
        />
      </article>
    );
  }
  return (
    <article class="answer" aria-label={message.model} aria-busy={!complete}>
      <header>
        <span>{message.model}</span>
        {isChosen === true && (
          <span class="chosen">
            <Icon of={Check} size={14} />
            {t("goesOn")}
          </span>
        )}
        {isChosen === false && (
          <button class="plain" onClick={() => keep(withChosen(chat, message))}>
            {t("goOnWith")}
          </button>
        )}
      </header>
      <Reasoning text={reasoning} complete={complete || content !== ""} />
      {!complete && !content && !reasoning && <Waiting model={message.model!} />}
      <Markdown text={content} complete={complete} />
      <ToolCalls chat={chat} message={message} />
      {complete && <Ending chat={chat} message={message} />}
      {complete && (
        <div class="actions">
          <Versions chat={chat} message={message} />
          <IconButton icon={Copy} label={t("copy")} onClick={() => copyText(content)} />
          <IconButton icon={RotateCcw} label={t("regenerate")} onClick={() => regenerate(chat, message)} />
          <IconButton icon={Pencil} label={t("edit")} onClick={() => (editing.value = true)} />
          <Stats message={message} />
        </div>
      )}
    </article>
  );
}
