// Which data sets are trained on: ticked in a list, or uploaded.
import { useSignal } from "@preact/signals";
import { useEffect, useId } from "preact/hooks";
import { Trash2, Upload as UploadIcon, X } from "lucide";
import type { Dataset } from "../api/datasets";
import { IconButton } from "../parts/button";
import { chooseFiles } from "../parts/download";
import { Icon } from "../parts/icon";
import { ProgressBar } from "../parts/progress";
import { notifyError } from "../shell/notices";
import { bytes } from "../text";
import { explain } from "../text/errors";
import {
  choose,
  chosenDatasets,
  discard,
  dismissUpload,
  listed,
  listTrouble,
  ownDirectory,
  refreshDatasets,
  suits,
  take,
  uploads,
} from "./datasets";
import { read, set } from "./draft";
import { labelOf } from "./field_text";
import { t } from "./text";

const ACCEPTED = ".json,.jsonl,.csv,.txt,.parquet,.arrow";

function about({ formatting, ranking, kto, bytes: size }: Dataset): string {
  const parts = [formatting, ranking ? t("pairs") : kto ? t("verdicts") : "", size === null ? "" : bytes(size)];
  return parts.filter((part) => part).join(" · ");
}

function DatasetRow({ dataset, stage }: { dataset: Dataset; stage: string }) {
  const { name, problem, uploaded } = dataset;
  const isChosen = chosenDatasets().includes(name);
  const fits = suits(dataset, stage);
  return (
    <li class="dataset">
      <label>
        <input
          type="checkbox"
          checked={isChosen}
          disabled={problem !== null && !isChosen}
          onChange={(event) => choose(name, event.currentTarget.checked)}
        />
        <span>
          <span class={fits ? "" : "quiet"}>{name}</span>{" "}
          <span class="quiet small">
            {about(dataset)}
            {!fits && ` · ${t("unsuited")}`}
          </span>
          {problem && <span class="failure-text small block">{problem}</span>}
        </span>
      </label>
      {uploaded && (
        <IconButton
          icon={Trash2}
          label={t("removeDataset", { name })}
          onClick={() => confirm(t("removeDatasetSure", { name })) && discard(name).catch(notifyError)}
        />
      )}
    </li>
  );
}

/** Chosen in the YAML, and not in the list. */
function UnknownRow({ name }: { name: string }) {
  return (
    <li class="dataset">
      <label>
        <input type="checkbox" checked onChange={() => choose(name, false)} />
        <span>
          {name} <span class="quiet small">{t("unknownDataset")}</span>
        </span>
      </label>
    </li>
  );
}

function Uploads() {
  return (
    <div role="status">
      {uploads.value.map(({ id, name, part, problems }) =>
        problems.length > 0 ? (
          <div key={id} class="trouble">
            <p>
              {t("uploadFailed", { name })}{" "}
              <IconButton icon={X} label={t("dismiss")} onClick={() => dismissUpload(id)} />
            </p>
            {problems.slice(0, 20).map((line) => (
              <p key={line} class="small">
                {line}
              </p>
            ))}
          </div>
        ) : (
          <p key={id} class="small quiet">
            {t("uploading", { name })} <ProgressBar part={part} label={t("uploading", { name })} />
          </p>
        ),
      )}
    </div>
  );
}

function Drop() {
  const isOver = useSignal(false);
  const takeAll = (files: Iterable<File>) => {
    for (const file of files) void take(file);
  };
  return (
    <div
      class={`drop ${isOver.value ? "over" : ""}`}
      onDragOver={(event) => {
        event.preventDefault();
        isOver.value = true;
      }}
      onDragLeave={() => (isOver.value = false)}
      onDrop={(event) => {
        event.preventDefault();
        isOver.value = false;
        takeAll(event.dataTransfer?.files ?? []);
      }}
    >
      <button type="button" onClick={async () => takeAll(await chooseFiles(ACCEPTED, true))}>
        <Icon of={UploadIcon} />
        {t("upload")}
      </button>
      <span class="quiet small">{t("uploadHint")}</span>
    </div>
  );
}

function DirectoryField() {
  const id = useId();
  const value = String(read.value.values.dataset_dir ?? "");
  const isOwn = value === ownDirectory.value;
  return (
    <div class="field setting">
      <label for={id}>
        {t("datasetsIn")} <code>dataset_dir</code>
      </label>
      <input
        id={id}
        type="text"
        spellcheck={false}
        aria-describedby={`${id}-hint`}
        value={isOwn ? "" : value}
        onChange={(event) => set("dataset_dir", event.currentTarget.value.trim() || ownDirectory.value || undefined)}
      />
      <span class="hint" id={`${id}-hint`}>
        {t("datasetsInHint")}
      </span>
    </div>
  );
}

export function DatasetPicker() {
  const { values } = read.value;
  const stage = String(values.stage ?? "sft");
  const directory = String(values.dataset_dir ?? "");
  const { data } = listed.value;
  const label = useId();
  useEffect(() => void refreshDatasets(directory), [directory]);
  const unknown = chosenDatasets().filter((name) => !data.some((dataset) => dataset.name === name));
  return (
    <>
      <div class="field setting">
        <span class="label" id={label}>
          {labelOf("dataset")} <code>dataset</code>
        </span>
        <ul class="datasets" aria-labelledby={label}>
          {unknown.map((name) => (
            <UnknownRow key={name} name={name} />
          ))}
          {data
            .toSorted((a, b) => Number(suits(b, stage)) - Number(suits(a, stage)))
            .map((dataset) => (
              <DatasetRow key={dataset.name} dataset={dataset} stage={stage} />
            ))}
          {data.length === 0 && !listTrouble.value && <li class="quiet small">{t("noDatasets")}</li>}
        </ul>
      </div>
      {listTrouble.value !== null && <p class="failure-text small">{explain(listTrouble.value).details}</p>}
      <Uploads />
      <Drop />
      <DirectoryField />
    </>
  );
}
