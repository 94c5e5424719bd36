// What can answer, what is in memory, what the daemon does, what it fetches.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { families, models, modelsKnown, refreshModels } from "../api/models";
import { usePolling } from "../parts/polling";
import { Trouble } from "../parts/trouble";
import { address, place } from "../shell/route";
import { refreshJobs } from "../train/jobs";
import { ModelRows } from "./model_rows";
import { Pulls, refreshPulls } from "./pulls";
import { refreshStatus, Status } from "./status";
import { t } from "./text";

const EVERY_MS = 2000;
const trouble = signal<unknown>(null);

async function refresh(): Promise<void> {
  const asked = refreshModels()
    .then(() => (trouble.value = null))
    .catch((error) => (trouble.value = error));
  await Promise.all([asked, refreshStatus(), refreshPulls()]);
}

export function ModelsList() {
  return (
    <ul class="rows" aria-label={t("title")}>
      {families(models.value).map(({ model: { id, state }, isAdapter }) => (
        <li key={id} class={`row ${isAdapter ? "adapter-row" : ""}`}>
          <a href={address("models", id)} aria-current={place.value.id === id ? "true" : undefined} title={id}>
            <span class={`state-dot ${state}`} role="img" aria-label={t(state)} />
            {id}
          </a>
        </li>
      ))}
    </ul>
  );
}

export function ModelsView() {
  usePolling(refresh, EVERY_MS);
  useEffect(() => void refreshJobs(), []); // they tell which models were made here
  return (
    <div class="page narrow">
      <h1>{t("title")}</h1>
      {trouble.value !== null && <Trouble error={trouble.value} />}
      {modelsKnown.value && <ModelRows />}
      <Status />
      <Pulls />
    </div>
  );
}
