// Models that are being fetched, and the box that asks for another.
import { signal, useSignal } from "@preact/signals";
import { useId } from "preact/hooks";
import { Download, X } from "lucide";
import { refreshModels } from "../api/models";
import { cancelPull, isOver, listPulls, startPull, type Pull } from "../api/pulls";
import { IconButton } from "../parts/button";
import { Icon } from "../parts/icon";
import { ProgressBar } from "../parts/progress";
import { Trouble } from "../parts/trouble";
import { notifyError } from "../shell/notices";
import { bytes } from "../text";
import { t } from "./text";

const pulls = signal<Pull[]>([]);
const trouble = signal<unknown>(null);

export async function refreshPulls(): Promise<void> {
  try {
    const before = pulls.value;
    pulls.value = await listPulls();
    trouble.value = null;
    const isNew = ({ id, status }: Pull) =>
      status === "succeeded" && before.some((one) => one.id === id && !isOver(one));
    if (pulls.value.some(isNew)) await refreshModels();
  } catch (error) {
    trouble.value = error;
  }
}

function note(pull: Pull) {
  pulls.value = [pull, ...pulls.value.filter(({ id }) => id !== pull.id)];
}

function PullRow({ pull }: { pull: Pull }) {
  const { id, name, bytes: done, total_bytes: total, model, status, error } = pull;
  const part = total ? Math.min(1, done / total) : undefined;
  return (
    <li class="pull">
      <div class="pull-head">
        <b>{name}</b>
        <span class="quiet small">
          {t(status === "running" ? "fetching" : status)}
          {model && model !== name && ` · ${model}`}
          {!isOver(pull) && total ? ` · ${t("pullOf", { done: bytes(done), total: bytes(total) })}` : ""}
        </span>
        {!isOver(pull) && (
          <IconButton
            icon={X}
            label={t("cancelPull", { name })}
            onClick={() => cancelPull(id).then(note).catch(notifyError)}
          />
        )}
      </div>
      {!isOver(pull) && <ProgressBar part={part} label={name} />}
      {error && <p class="failure-text small">{error}</p>}
    </li>
  );
}

export function Pulls() {
  const id = useId();
  const name = useSignal("");
  if (trouble.value !== null) return <Trouble error={trouble.value} />;
  return (
    <section>
      <h2>{t("pull")}</h2>
      <form
        class="pull-form"
        onSubmit={(event) => {
          event.preventDefault();
          startPull(name.value.trim())
            .then((pull) => {
              note(pull);
              name.value = "";
            })
            .catch(notifyError);
        }}
      >
        <input
          type="text"
          aria-label={t("pullName")}
          aria-describedby={id}
          placeholder="org/name"
          autocapitalize="off"
          spellcheck={false}
          value={name.value}
          onInput={(event) => (name.value = event.currentTarget.value)}
        />
        <button class="primary" disabled={!name.value.trim()}>
          <Icon of={Download} />
          {t("pullStart")}
        </button>
      </form>
      <p class="hint" id={id}>
        {t("pullHint")}
      </p>
      {pulls.value.length > 0 && (
        <ul class="pulls" aria-label={t("pulls")}>
          {pulls.value.map((pull) => (
            <PullRow key={pull.id} pull={pull} />
          ))}
        </ul>
      )}
    </section>
  );
}
