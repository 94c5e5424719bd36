// Models on their way from a hub to this machine.
import { get, post } from "./client";

export interface Pull {
  id: string;
  name: string;
  status: "running" | "succeeded" | "failed" | "cancelled";
  bytes: number;
  /** null until the hub has said it. */
  total_bytes: number | null;
  error: string | null;
  /** The model that is served now. */
  model: string | null;
}

export function isOver({ status }: Pull): boolean {
  return status !== "running";
}

export async function listPulls(): Promise<Pull[]> {
  return (await get<{ data: Pull[] }>("/v1/pulls")).data;
}

export function startPull(name: string): Promise<Pull> {
  return post("/v1/pulls", { name });
}

export function cancelPull(id: string): Promise<Pull> {
  return post(`/v1/pulls/${encodeURIComponent(id)}/cancel`);
}
