// The models that the daemon knows, asked for again while something changes.
import { signal } from "@preact/signals";
import { get } from "./client";

export interface Model {
  id: string;
  created: number;
  parent: string | null;
  state: "loaded" | "loading" | "failed" | "unloaded";
  max_model_len: number | null;
  memory_bytes: number | null;
  /** What to ask for where the reader says nothing; null while the model is not loaded. */
  chat_sampling: Record<string, number> | null;
  capabilities: { chat: boolean; completions: boolean; score: boolean } | null;
  input_modalities: string[] | null;
  template: string | null;
}

export const models = signal<Model[]>([]);
export const modelsKnown = signal(false);

export async function refreshModels(): Promise<void> {
  const { data } = await get<{ data: Model[] }>("/v1/models");
  models.value = data;
  modelsKnown.value = true;
}

/** By its id, or an adapter's "base:id". */
export function findModel(name: string): Model | undefined {
  return models.value.find(({ id, parent }) => id === name || (parent && `${parent}:${id}` === name));
}

/** Those that chat; what only a loaded model tells is assumed of one that is not loaded. */
export function chatModels(): Model[] {
  return models.value.filter((model) => model.capabilities?.chat ?? true);
}

export function takesImages(id: string): boolean {
  return findModel(id)?.input_modalities?.includes("image") ?? false;
}

export interface Member {
  model: Model;
  isAdapter: boolean;
}

/** In the order in which they are shown: a base, then the adapters that are its own. An adapter whose base is not there stands by itself. */
export function families(models: Model[]): Member[] {
  const isBase = ({ parent }: Model) => !parent || !models.some(({ id }) => id === parent);
  return models
    .filter(isBase)
    .flatMap((base) => [
      { model: base, isAdapter: false },
      ...models.filter((one) => one.parent === base.id && one !== base).map((model) => ({ model, isAdapter: true })),
    ]);
}
