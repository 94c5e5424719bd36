// The data sets that can be chosen: of the daemon's own directory, or of one that the YAML names.
import { signal } from "@preact/signals";
import { deleteDataset, datasetName, listDatasets, uploadDataset, type Dataset } from "../api/datasets";
import { explain } from "../text/errors";
import { draft, read, rename, set, unusedName } from "./draft";
import { freeName } from "./new_specs";
import { listOf } from "./yaml_spec";

/** Where uploads go. */
export const ownDirectory = signal("");
/**
 * Where relative paths of the draft start: where its writer says, else in the daemon's state directory, which its directory of data sets is in. Empty while
 * that is not known.
 */
export function workingDirectory(): string {
  return draft.value.directory || ownDirectory.value.replace(/\/[^/]*\/?$/, "");
}

/** Of the directory that was asked for last. */
export const listed = signal<{ directory: string; data: Dataset[] }>({ directory: "", data: [] });
export const listTrouble = signal<unknown>(null);

export interface Upload {
  id: number;
  name: string;
  part: number;
  /** Why it was not taken, a line each; empty while it goes on. */
  problems: string[];
}

export const uploads = signal<Upload[]>([]);

function isOwn(directory: string): boolean {
  return directory === "" || directory === ownDirectory.value;
}

export async function refreshDatasets(directory: string): Promise<void> {
  try {
    const answer = await listDatasets(isOwn(directory) ? "" : directory);
    if (isOwn(directory)) ownDirectory.value = answer.directory;
    listed.value = answer;
    listTrouble.value = null;
  } catch (error) {
    listed.value = { directory, data: [] };
    listTrouble.value = error;
  }
}

/** Whether a stage can learn from it. */
export function suits({ ranking, kto }: Dataset, stage: string): boolean {
  if (stage === "dpo" || stage === "rm") return ranking;
  if (stage === "kto") return kto;
  return !ranking;
}

export function chosenDatasets(): string[] {
  return listOf(read.value.values.dataset);
}

export function choose(name: string, isChosen: boolean) {
  const others = chosenDatasets().filter((one) => one !== name);
  const names = isChosen ? [...others, name] : others;
  set("dataset", names.length > 0 ? names.join(",") : undefined);
  if (!draft.value.name && names[0]) rename(unusedName(names[0]));
}

function changeUpload(id: number, change: Partial<Upload>) {
  uploads.value = uploads.value.map((one) => (one.id === id ? { ...one, ...change } : one));
}

export function dismissUpload(id: number) {
  uploads.value = uploads.value.filter((one) => one.id !== id);
}

let last = 0;

/** Uploads the file, makes it a data set of the daemon's own directory and chooses it. */
export async function take(file: File): Promise<void> {
  const id = ++last;
  uploads.value = [...uploads.value, { id, name: file.name, part: 0, problems: [] }];
  try {
    const own = await listDatasets();
    ownDirectory.value = own.directory;
    const name = freeName(
      datasetName(file.name),
      own.data.map((dataset) => dataset.name),
    );
    const dataset = await uploadDataset(file, name, (part) => changeUpload(id, { part }));
    if (!isOwn(String(read.value.values.dataset_dir ?? ""))) set("dataset", undefined); // names of another directory
    set("dataset_dir", ownDirectory.value);
    await refreshDatasets(ownDirectory.value);
    if (!dataset.problem) choose(dataset.name, true);
    dismissUpload(id);
  } catch (error) {
    const { headline, details } = explain(error);
    changeUpload(id, { problems: (details || headline).split("\n") });
  }
}

export async function discard(name: string): Promise<void> {
  await deleteDataset(name);
  choose(name, false);
  await refreshDatasets(ownDirectory.value);
}
