// Short words on what happened, which pass by themselves unless they tell of an error.
import { signal } from "@preact/signals";
import { X } from "lucide";
import { isAbort } from "../api/client";
import { IconButton } from "../parts/button";
import { explain } from "../text/errors";
import { t } from "./text";

interface Notice {
  id: number;
  text: string;
  details: string;
  isError: boolean;
}

const notices = signal<Notice[]>([]);
const SHOWN_MS = 4000;
let last = 0;

function dismiss(id: number) {
  notices.value = notices.value.filter((notice) => notice.id !== id);
}

export function notify(text: string) {
  const id = ++last;
  notices.value = [...notices.value, { id, text, details: "", isError: false }];
  setTimeout(() => dismiss(id), SHOWN_MS);
}

/** For catch(): an error of something that a person has asked for. */
export function notifyError(error: unknown) {
  if (isAbort(error)) return;
  const { headline, details } = explain(error);
  if (notices.value.some((notice) => notice.text === headline && notice.details === details)) return;
  notices.value = [...notices.value, { id: ++last, text: headline, details, isError: true }];
}

export function Notices() {
  return (
    <div class="notices" role="status" aria-live="polite">
      {notices.value.map(({ id, text, details, isError }) => (
        <div key={id} class={isError ? "notice error" : "notice"}>
          <div>
            <p>{text}</p>
            {details && <p class="quiet">{details}</p>}
          </div>
          <IconButton icon={X} label={t("dismiss")} onClick={() => dismiss(id)} />
        </div>
      ))}
    </div>
  );
}
