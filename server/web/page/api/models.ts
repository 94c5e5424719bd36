// The models that the daemon knows, asked for again while something changes.
import { signal } from "@preact/signals";
import { get } from "./client";

export interface Model {
  id: string;
  created: number;
  parent: string | null;
  state: "loaded" | "loading" | "failed" | "unloaded";
  max_model_len: number | null;
  memory_bytes?: number | null;
  capabilities: { chat: boolean; completions: boolean; score: boolean } | null;
  input_modalities?: string[] | null;
  template?: string | null;
}

export const models = signal<Model[]>([]);
export const modelsKnown = signal(false);

export async function refreshModels(): Promise<void> {
  const { data } = await get<{ data: Model[] }>("/v1/models");
  models.value = data;
  modelsKnown.value = true;
}

export function findModel(id: string): Model | undefined {
  return models.value.find((model) => model.id === id);
}

/** An adapter is listed by its name and answers as "base:name" too. */
export function listedId(name: string): string {
  return models.value.find(({ id, parent }) => id === name || `${parent}:${id}` === name)?.id ?? name;
}

/** Those that chat; what only a loaded model tells is assumed of one that is not loaded. */
export function chatModels(): Model[] {
  return models.value.filter((model) => model.capabilities?.chat ?? true);
}

export function takesImages(id: string): boolean {
  return findModel(id)?.input_modalities?.includes("image") ?? false;
}
