// Models on their way from a hub to this machine.
import { get, post } from "./client";

export interface Pull {
  id: string;
  name: string;
  status: "queued" | "running" | "succeeded" | "failed" | "cancelled" | (string & {});
  bytes: number;
  total_bytes: number | null;
  files?: { name: string; bytes: number; total_bytes: number | null }[] | null;
  error: { code?: string | null; message: string } | string | null;
  /** The model that is served now. */
  model: string | null;
}

const OVER = ["succeeded", "failed", "cancelled"];

export function isOver({ status }: Pull): boolean {
  return OVER.includes(status);
}

export function messageOf({ error }: Pull): string {
  return typeof error === "string" ? error : (error?.message ?? "");
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
