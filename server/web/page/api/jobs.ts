// The daemon's queue: jobs, what they tell, the files they leave.
import { get, getText, post, request, stream } from "./client";

export type JobState = "validating" | "queued" | "running" | "paused" | "succeeded" | "failed" | "cancelled";

export interface Progress {
  phase?: string;
  step?: number;
  total_steps?: number;
  epoch?: number;
  loss?: number;
  tokens_per_second?: number;
  seconds_left?: number;
  evaluated?: number;
  to_evaluate?: number;
}

export interface JobResult {
  output_dir?: string;
  model?: string;
  stage?: string;
  finetuning_type?: string;
  metrics?: Record<string, number>;
  /** The model that answers now; not_served says why there is none. */
  served_as?: string;
  not_served?: string;
}

export interface Job {
  id: string;
  kind: string;
  status: JobState;
  /** What a running job was asked to become. */
  wanted: JobState | null;
  priority: number;
  name: string | null;
  created_at: number;
  started_at: number | null;
  finished_at: number | null;
  attempt: number;
  progress: Progress;
  result: JobResult | null;
  error: { code: string | null; message: string; param: string | null } | null;
}

/** As GET /v1/jobs/{id} gives it. */
export interface JobDetails extends Job {
  /** The YAML as it was understood, with every key. */
  spec?: string;
  directory?: string | null;
  output_dir?: string | null;
  warnings?: string[];
}

export interface JobEvent {
  id: string;
  object: "job.event";
  created_at: number;
  level: "info" | "warn" | "error";
  type: "message" | "metrics";
  message: string;
  data: Record<string, number>;
}

export interface JobFile {
  path: string;
  bytes: number;
}

const FINAL: JobState[] = ["succeeded", "failed", "cancelled"];

export function isFinal({ status }: Job): boolean {
  return FINAL.includes(status);
}

/** Of a job that trains: done, of 1; undefined where it has not begun to. */
export function partDone({ status, progress }: Job): number | undefined {
  if (status === "succeeded") return 1;
  const { step, total_steps: total } = progress;
  return step !== undefined && total ? Math.min(1, step / total) : undefined;
}

const MOST_JOBS = 100;

function path(id: string, rest = ""): string {
  return `/v1/jobs/${encodeURIComponent(id)}${rest}`;
}

export async function listJobs(): Promise<Job[]> {
  return (await get<{ data: Job[] }>(`/v1/jobs?limit=${MOST_JOBS}`)).data;
}

export function getJob(id: string): Promise<JobDetails> {
  return get(path(id));
}

export interface NewJob {
  spec: string;
  name?: string;
  directory?: string;
}

export function createJob(job: NewJob): Promise<Job> {
  return post("/v1/jobs", job);
}

export function act(id: string, action: "cancel" | "pause" | "resume"): Promise<Job> {
  return post(path(id, `/${action}`));
}

/** What the job tells and how it changes, from behind the event `after`, until it has ended. */
export function follow(id: string, after: string, take: (news: JobEvent | Job) => void, signal: AbortSignal) {
  const from = after ? `&after=${encodeURIComponent(after)}` : "";
  return stream(path(id, `/events?stream=true${from}`), { signal }, take);
}

export function isEvent(news: JobEvent | Job): news is JobEvent {
  return (news as JobEvent).object === "job.event";
}

export function jobLog(id: string): Promise<string> {
  return getText(path(id, "/log"));
}

export async function jobFiles(id: string): Promise<JobFile[]> {
  return (await get<{ data: JobFile[] }>(path(id, "/files"))).data;
}

export function filePath(id: string, file: string): string {
  return path(id, `/files/content?path=${encodeURIComponent(file)}`);
}

export function archivePath(id: string): string {
  return path(id, "/files/archive");
}

export async function fileText(id: string, file: string): Promise<string> {
  return (await request(filePath(id, file))).text();
}
