// Data sets that the daemon can train on, and what a YAML would train of them.
import { get, post, remove, upload } from "./client";

export interface Dataset {
  name: string;
  file_name: string | null;
  formatting: string;
  /** Pairs of a chosen and a rejected answer. */
  ranking: boolean;
  /** Answers with a verdict. */
  kto: boolean;
  bytes: number | null;
  /** In the daemon's own directory: it can be deleted from here. */
  uploaded: boolean;
  /** Why a job could not use it. */
  problem: string | null;
}

export interface Datasets {
  /** The dataset_dir of a YAML. */
  directory: string;
  data: Dataset[];
}

/** Without a directory: the daemon's own, where uploads go. */
export function listDatasets(directory = ""): Promise<Datasets> {
  return get(`/v1/datasets${directory ? `?directory=${encodeURIComponent(directory)}` : ""}`);
}

/** What a data set may be called: the file's name without what is not allowed. */
export function datasetName(fileName: string): string {
  const base = fileName.replace(/\.[^.]*$/, "").replace(/[^A-Za-z0-9_-]+/g, "_");
  return base.replace(/^_+|_+$/g, "").slice(0, 64) || "data";
}

export async function uploadDataset(file: File, name: string, progress: (part: number) => void): Promise<Dataset> {
  const form = new FormData();
  form.append("purpose", "fine-tune");
  form.append("file", file);
  const { id } = await upload<{ id: string }>("/v1/files", form, progress);
  try {
    return await post("/v1/datasets", { name, file_id: id });
  } catch (error) {
    await remove(`/v1/files/${id}`).catch(() => {});
    throw error;
  }
}

export function deleteDataset(name: string): Promise<void> {
  return remove(`/v1/datasets/${encodeURIComponent(name)}`);
}

export interface PreviewSegment {
  text: string;
  trained: boolean;
}

export interface PreviewExample {
  index: number;
  tokens: number;
  trained_tokens: number;
  truncated?: boolean;
  parts: { role: string; segments: PreviewSegment[]; tokens: number; trained_tokens: number }[];
}

export interface Preview {
  /** The YAML as it was understood, with every key. */
  spec: string;
  warnings: string[];
  template: string | null;
  offset: number;
  has_more: boolean;
  data: PreviewExample[];
  /** Rows that teach nothing, with the reason. */
  dropped: string[];
}

export interface PreviewRequest {
  spec: string;
  directory?: string;
  offset?: number;
  /** 0: the YAML is checked, no row is read. */
  limit: number;
}

export function previewExamples(request: PreviewRequest, signal?: AbortSignal): Promise<Preview> {
  return post("/v1/datasets/preview", request, signal);
}

export async function templateNames(): Promise<string[]> {
  return (await get<{ data: string[] }>("/v1/templates")).data;
}
