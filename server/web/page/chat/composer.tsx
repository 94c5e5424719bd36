// Where a message is written: text, and images for models that see. Enter sends; while an answer arrives the button stops it.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { ArrowUp, ImagePlus, Square, X } from "lucide";
import { Icon } from "../parts/icon";
import { takesImages } from "../api/models";
import { IconButton } from "../parts/button";
import { chooseFiles } from "../parts/download";
import { notify } from "../shell/notices";
import { isRunning, send, stopAnswers } from "./answers";
import { current } from "./chats";
import { shownPath } from "./conversation";
import { t } from "./text";

const MOST_IMAGE_BYTES = 10_000_000;

function asDataUrl(file: File): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as string);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

/** `onEditLast`: the reader asks to change the last message. */
export function Composer({ onEditLast }: { onEditLast: () => void }) {
  const chat = current.value;
  const text = useSignal("");
  const images = useSignal<string[]>([]);
  const box = useRef<HTMLTextAreaElement>(null);
  const model = chat.settings.model;
  const busy = isRunning(chat.id);
  const canSend = !busy && model !== "" && (text.value.trim() !== "" || images.value.length > 0);

  useEffect(() => box.current?.focus(), [chat.id]);

  const add = async (files: File[]) => {
    const pictures = files.filter(({ type }) => type.startsWith("image/"));
    if (pictures.length === 0) return;
    if (!takesImages(model)) return notify(t("textOnly", { model }));
    for (const file of pictures) {
      if (file.size > MOST_IMAGE_BYTES) notify(t("imageTooLarge", { name: file.name }));
      else images.value = [...images.value, await asDataUrl(file)];
    }
  };
  const submit = () => {
    if (!canSend) return;
    send(chat, shownPath(chat).at(-1)?.id ?? null, text.value.trim(), images.value);
    text.value = "";
    images.value = [];
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      submit();
    } else if (event.key === "ArrowUp" && text.value === "") {
      event.preventDefault();
      onEditLast();
    }
  };
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        void add([...(event.dataTransfer?.files ?? [])]);
      }}
    >
      {images.value.length > 0 && (
        <div class="attached">
          {images.value.map((url, i) => (
            <figure key={i}>
              <img src={url} alt={t("image", { number: i + 1 })} />
              <IconButton
                icon={X}
                label={t("removeImage")}
                onClick={() => (images.value = images.value.filter((_, at) => at !== i))}
              />
            </figure>
          ))}
        </div>
      )}
      <div class="composer-row">
        {takesImages(model) && (
          <IconButton
            icon={ImagePlus}
            label={t("attach")}
            onClick={async () => add(await chooseFiles("image/*", true))}
          />
        )}
        <div class="growing" data-text={text.value}>
          <textarea
            ref={box}
            rows={1}
            value={text.value}
            placeholder={t("placeholder", { model: model || "…" })}
            aria-label={t("message")}
            onInput={(event) => (text.value = event.currentTarget.value)}
            onKeyDown={onKey}
            onPaste={(event) => void add([...(event.clipboardData?.files ?? [])])}
          />
        </div>
        {busy ? (
          <IconButton icon={Square} label={t("stop")} class="round" onClick={() => stopAnswers(chat.id)} />
        ) : (
          <button class="icon round primary" aria-label={t("send")} title={t("send")} disabled={!canSend}>
            <Icon of={ArrowUp} size={18} />
          </button>
        )}
      </div>
    </form>
  );
}
